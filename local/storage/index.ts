import { Clock } from '../clock.ts';
import type { Interceptor } from '../http/interceptor.ts';
import { startHttpServer } from '../http/server.ts';
import type { Publish } from '../outbox.ts';
import { bucketCalls } from './bucket-calls.ts';
import { copyCalls } from './copy-calls.ts';
import { serveJsonApi } from './json-api.ts';
import { notificationCalls } from './notification-calls.ts';
import { Notifications } from './notifications.ts';
import { objectCalls } from './object-calls.ts';
import { isJsonApi } from './routes.ts';
import { StorageStore } from './store.ts';
import { uploadCalls } from './upload-calls.ts';
import { serveXmlApi } from './xml-api.ts';

export interface StorageOptions {
  /** Default: any free one. */
  readonly port?: number;
  /** Id of the only project that there is. */
  readonly project: string;
  /** Buckets that are there from the beginning. */
  readonly buckets?: readonly string[];
  /** Where notifications go; without it to nobody. */
  readonly publish?: Publish;
  /** Whose signed URLs are valid: public keys in PEM by the service accounts' addresses. */
  readonly signers?: Readonly<Record<string, string>>;
  /** The time, if it isn't this machine's. */
  readonly now?: () => Date;
}

/** A running Cloud Storage of this machine. */
export interface LocalStorage {
  /** `127.0.0.1:port`; STORAGE_EMULATOR_HOST needs `http://` before it. */
  readonly host: string;
  /** Fault injection, assignable at any time; see `local/http/interceptor.ts`. */
  intercept: Interceptor | undefined;
  /** Sets the server's time forward. */
  advance(seconds: number): void;
  /** Resolves when no notification is on its way. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts a Cloud Storage in memory, on loopback, for the official client. Large objects are kept in a temporary
 * directory until it is closed.
 *
 * What it serves and what it refuses: `docs/local-cloud/storage.md`.
 *
 * @see https://cloud.google.com/storage/docs/json_api/v1
 */
export async function startStorage(options: StorageOptions): Promise<LocalStorage> {
  const { port = 0, project, buckets = [], publish = () => undefined, now = () => new Date() } = options;
  const clock = new Clock(now);
  let url = '';
  const notifications = new Notifications(publish, () => url);
  const store = new StorageStore(clock, notifications);
  for (const name of buckets) store.addBucket(name, 'US');
  const served: { intercept: Interceptor | undefined } = { intercept: undefined };
  const uploads = uploadCalls(store, () => url);
  const handlers = {
    ...bucketCalls(store, project, () => url),
    ...objectCalls(store, () => url),
    ...copyCalls(store, () => url),
    ...notificationCalls(store, () => url),
    ...uploads.handlers,
  };
  const intercept = () => served.intercept;
  const jsonApi = serveJsonApi(handlers, intercept);
  const xmlApi = serveXmlApi(store, options.signers ?? {}, intercept);
  const server = await startHttpServer(port, (request, response) =>
    (isJsonApi(request.url) ? jsonApi : xmlApi)(request, response),
  );
  url = `http://${server.host}`;
  return Object.assign(served, {
    host: server.host,
    advance: (seconds: number) => clock.advance(seconds),
    idle: () => notifications.idle(),
    async close() {
      await server.close();
      await uploads.close();
      await store.contents.close();
    },
  });
}
