import { Firestore, v1 } from '@google-cloud/firestore';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { ServedFirestore } from '../../../local/firestore/serve.ts';
import { serveFirestore } from '../../../local/firestore/serve.ts';
import type { Clock, Micros } from '../../../local/firestore/time.ts';

export const databaseName = 'projects/test/databases/(default)';

export interface Served {
  server: ServedFirestore;
  /** The official client. */
  firestore: Firestore;
  /** The generated client below it, for calls that the official one never makes. */
  calls: InstanceType<typeof v1.FirestoreClient>;
}

/** One server for the tests of a file, empty before each. */
export function useFirestore(clock?: Clock): Served {
  const served = {} as Served;
  beforeAll(async () => {
    served.server = await serveFirestore(clock ? { clock } : {});
    const [hostname = '', port = ''] = served.server.host.split(':');
    process.env['FIRESTORE_EMULATOR_HOST'] = served.server.host;
    // No look-up of a cloud that these tests don't run in.
    process.env['METADATA_SERVER_DETECTION'] = 'none';
    served.firestore = new Firestore({ projectId: 'test' });
    served.calls = new v1.FirestoreClient({
      projectId: 'test',
      servicePath: hostname,
      port: Number(port),
      sslCreds: credentials.createInsecure(),
    });
  });
  beforeEach(() => {
    served.server.intercept = undefined;
    served.server.clear();
  });
  afterAll(async () => {
    await served.firestore.terminate();
    await served.calls.close();
    await served.server.close();
  });
  return served;
}

/** The gRPC code of what a call fails with; undefined if it succeeds. */
export async function codeOf(call: Promise<unknown>): Promise<number | undefined> {
  return call.then(
    () => undefined,
    (error: { code?: number }) => error.code,
  );
}

/** Resolves when the server has received the `count`th call of a method from now on. */
export function received(server: ServedFirestore, method: string, count = 1): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let calls = 0;
  server.intercept = (call) => {
    if (call.method === method && call.phase === 'before' && ++calls === count) resolve();
  };
  return promise;
}

/** Whether a promise has settled once the server has answered one more call after it. */
export async function settledAfterRoundTrip(
  firestore: Firestore,
  promise: Promise<unknown>,
): Promise<boolean> {
  let settled = false;
  const note = () => {
    settled = true;
  };
  promise.then(note, note);
  await firestore.doc('probe/probe').get();
  return settled;
}

/** Time that stands still until the test moves it. Timers fire as time passes them. */
export class ManualClock implements Clock {
  #now: Micros = Date.now() * 1000;
  readonly #timers = new Set<{ at: Micros; callback: () => void }>();

  now(): Micros {
    return this.#now;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const timer = { at: this.#now + milliseconds * 1000, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  advance(milliseconds: number): void {
    const end = this.#now + milliseconds * 1000;
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.callback();
    }
    this.#now = end;
  }
}
