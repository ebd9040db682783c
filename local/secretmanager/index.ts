import { Clock } from '../clock.ts';
import { clientProtos } from '../grpc/client-protos.ts';
import { type Interceptor, startGrpcServer } from '../grpc/server.ts';
import type { Publish } from '../outbox.ts';
import { iamCalls } from './iam-calls.ts';
import { Names } from './names.ts';
import { Notifications } from './notifications.ts';
import { secretCalls } from './secret-calls.ts';
import { SecretStore } from './store.ts';
import { versionCalls } from './version-calls.ts';

export type { Publish } from '../outbox.ts';

export interface SecretManagerOptions {
  /** Default: any free one. */
  readonly port?: number;
  /** Id of the only project that there is. */
  readonly project: string;
  /** What names in answers have instead of the id. */
  readonly projectNumber?: string;
  /**
   * Where notifications go; without it to nobody, and every topic is taken for one that exists. What it throws decides
   * whether a topic may be set on a secret, and nothing else.
   */
  readonly publish?: Publish;
  /** The time, if it isn't this machine's. */
  readonly now?: () => Date;
}

/** A running Secret Manager of this machine. */
export interface LocalSecretManager {
  /** `127.0.0.1:port`, for SECRETMANAGER_EMULATOR_HOST. */
  readonly host: string;
  /** Fault injection, assignable at any time; see `local/grpc/server.ts`. */
  intercept: Interceptor | undefined;
  /** Sets the server's time forward, and does what has fallen due. */
  advance(seconds: number): void;
  /** Resolves when no notification is on its way. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/** How often it is checked whether something is due; whoever asks for a secret doesn't depend on that. */
const tickMilliseconds = 1_000;

/**
 * Starts an empty Secret Manager in memory, on loopback, for the official client.
 *
 * What it serves and what it refuses: `docs/local-cloud/secretmanager.md`.
 *
 * @see https://cloud.google.com/secret-manager/docs/reference/rpc/google.cloud.secretmanager.v1
 */
export async function startSecretManager(options: SecretManagerOptions): Promise<LocalSecretManager> {
  const { port = 0, project, projectNumber = '123456789012', publish = () => undefined } = options;
  const clock = new Clock(options.now ?? (() => new Date()));
  const notifications = new Notifications(publish);
  const store = new SecretStore(clock, new Names(project, projectNumber), notifications);
  const served: { intercept: Interceptor | undefined } = { intercept: undefined };
  const server = await startGrpcServer({
    protoJson: clientProtos('@google-cloud/secret-manager'),
    services: {
      'google.cloud.secretmanager.v1.SecretManagerService': {
        unary: { ...secretCalls(store), ...versionCalls(store), ...iamCalls(store) },
      },
    },
    port,
    intercept: () => served.intercept,
  });
  const timer = setInterval(() => store.runDue(), tickMilliseconds);
  timer.unref();
  return Object.assign(served, {
    host: `127.0.0.1:${server.port}`,
    advance(seconds: number) {
      clock.advance(seconds);
      store.runDue();
    },
    idle: () => notifications.idle(),
    async close() {
      clearInterval(timer);
      await server.close();
    },
  });
}
