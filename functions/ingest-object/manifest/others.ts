import { setTimeout as sleep } from 'node:timers/promises';
import { Deferred } from '../../../shared/operation/deferral.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import { runOf } from '../../../shared/registry/manifests/model.ts';
import { overtakenBy } from '../../../shared/registry/manifests/sent.ts';
import { type OperationRecord, operationsCollection } from '../../../shared/registry/operations.ts';
import type { Driving } from './drive.ts';
import { mayCome, waitedFor } from './patience.ts';
import { readAll } from './state.ts';

const firstPauseMs = 100;
const longestPauseMs = 1000;

/** For so long the operation keeps its place. */
const longestMs = 60_000;

/**
 * Waits until what earlier generations sent has ended: only then it can be told what of it is to be taken back.
 *
 * @returns the generation that was begun meanwhile, where one was
 * @throws Deferred
 */
export async function awaitOthers(
  { ref, generation, sent }: Driving,
  operation: OperationContext,
): Promise<string | undefined> {
  const own = runOf(generation);
  const operations = ref.firestore.collection(operationsCollection);
  let left = Object.entries(sent).filter(([, { run }]) => run !== own);
  const until = Date.now() + longestMs;
  for (let pause = firstPauseMs; ; pause = Math.min(pause * 1.5, longestPauseMs)) {
    const found = await readAll(left.map(([id]) => operations.doc(id)));
    const now = new Date();
    left = left.filter(([, one], at) => mayCome(one, found[at]?.data() as OperationRecord | undefined, now));
    if (left.length === 0) return undefined;
    if (Date.now() > until || operation.remainingMs() < longestMs / 2) {
      const since = left.map(([, { at }]) => at);
      throw new Deferred('Operations of an earlier generation are under way', waitedFor(since, now));
    }
    await sleep(pause, undefined, { signal: operation.signal });
    const by = await overtakenBy(ref, generation.generation, operation);
    if (by !== undefined) return by;
  }
}
