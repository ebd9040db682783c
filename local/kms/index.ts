import { Clock } from '../clock.ts';
import { clientProtos } from '../grpc/client-protos.ts';
import { type Interceptor, startGrpcServer } from '../grpc/server.ts';
import { cipherCalls } from './cipher-calls.ts';
import { keyCalls } from './key-calls.ts';
import { Names, parentOf } from './names.ts';
import { KeyStore } from './store.ts';
import { versionCalls } from './version-calls.ts';

export interface KmsOptions {
  /** Default: any free one. */
  readonly port?: number;
  /** Id of the only project that there is. */
  readonly project: string;
}

/** A running Cloud KMS of this machine. */
export interface LocalKms {
  /** `127.0.0.1:port`, for KMS_EMULATOR_HOST. */
  readonly host: string;
  /** Fault injection, assignable at any time; see `local/grpc/server.ts`. */
  intercept: Interceptor | undefined;
  /**
   * Makes a key, and the key ring that it is in, where they aren't there.
   *
   * @param name `projects/P/locations/L/keyRings/R/cryptoKeys/K`
   * @returns it
   */
  createKey(name: string): string;
  /** Sets the server's time forward: versions that are to be destroyed are, when it has come. */
  advance(seconds: number): void;
  close(): Promise<void>;
}

/**
 * Starts an empty Cloud KMS in memory, on loopback, for the official client.
 *
 * What it serves and what it refuses: `docs/local-cloud/kms.md`.
 *
 * @see https://cloud.google.com/kms/docs/reference/rpc/google.cloud.kms.v1
 */
export async function startKms({ port = 0, project }: KmsOptions): Promise<LocalKms> {
  const clock = new Clock(() => new Date());
  const store = new KeyStore(clock, new Names(project));
  const served: { intercept: Interceptor | undefined } = { intercept: undefined };
  const server = await startGrpcServer({
    protoJson: clientProtos('@google-cloud/kms'),
    services: {
      'google.cloud.kms.v1.KeyManagementService': {
        unary: { ...keyCalls(store), ...versionCalls(store), ...cipherCalls(store) },
      },
    },
    port,
    intercept: () => served.intercept,
  });
  return Object.assign(served, {
    host: `127.0.0.1:${server.port}`,
    createKey(value: string) {
      const name = store.names.of('CryptoKey', value);
      if (!store.has(parentOf(name))) store.addRing(parentOf(name));
      if (store.has(name)) return name;
      const key = store.addKey(name);
      key.primary = store.addVersion(key);
      return name;
    },
    advance: (seconds: number) => clock.advance(seconds),
    close: () => server.close(),
  });
}
