import { type LocalFirestore, startFirestore } from '../../local/firestore/index.ts';
import type { FunctionProcess } from '../../local/functions.ts';
import type { LocalPubSub } from '../../local/pubsub/index.ts';
import type { StackOptions } from '../../local/stack.ts';
import { type PostgresProxy, startPostgresProxy } from '../support/postgres-proxy.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { type ShownPoint, showPoints } from './points.ts';

/** A stack in which everything between the functions and their cloud can be held, broken and watched. */
export interface ChaosStack extends TestStack {
  readonly firestore: LocalFirestore;
  readonly pubsub: LocalPubSub;
  readonly proxy: PostgresProxy;
  readonly createSchema: FunctionProcess;
  /** The function under test: pushes to it are the points called `Pub/Sub: push`. */
  readonly worker: FunctionProcess;
  readonly watchers: Set<(point: ShownPoint) => Promise<void>>;
}

/** Longer than a lease, and than an idle transaction of Firestore lives. */
export const longSilenceSeconds = 61;

/** @param functions under test; the first one is the worker */
export async function startChaosStack(
  options: Partial<StackOptions> = {},
  functions: readonly string[] = ['create-schema'],
): Promise<ChaosStack> {
  const firestore = await startFirestore();
  let proxy: PostgresProxy | undefined;
  process.env['FIRESTORE_EMULATOR_HOST'] = firestore.host;
  const stack = await startTestStack({
    only: [...new Set(['create-schema', 'dead-letter', ...functions])],
    proxyFor: async (cluster) => {
      proxy = await startPostgresProxy(cluster.port);
      return proxy.port;
    },
    ...options,
  }).finally(() => delete process.env['FIRESTORE_EMULATOR_HOST']);
  const createSchema = stack.functions.get('create-schema');
  const worker = stack.functions.get(functions[0] ?? '');
  if (!stack.pubsub || !proxy || !createSchema || !worker) throw new Error('the stack is not whole');
  const { pubsub } = stack;
  const opened = proxy;
  // What fails comes again at once, however often.
  const at = { nanos: 100_000_000 };
  for (const name of functions) {
    const retryPolicy = { minimumBackoff: at, maximumBackoff: at };
    await stack.messaging.subscription(name).setMetadata({ retryPolicy });
  }
  const watchers: ChaosStack['watchers'] = new Set();
  showPoints({ ...stack, firestore, pubsub, proxy: opened, watchers, worker });
  return {
    ...stack,
    watchers,
    firestore,
    pubsub,
    proxy,
    createSchema,
    worker,
    async stop() {
      await stack.stop();
      await opened.close();
      await firestore.close();
    },
  };
}
