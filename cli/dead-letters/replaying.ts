import type { OperationRecord } from '../../shared/registry/operations.ts';
import { reopenOperation } from '../../shared/registry/replay.ts';
import { ask, publishMessage } from '../cloud.ts';
import { complain } from '../complaint.ts';
import { type Found, readRecord } from '../found.ts';
import { listDeadLetters } from '../listing.ts';
import { findOperation } from '../lookup.ts';
import { notice } from '../output.ts';
import { sideBySide } from '../side-by-side.ts';

/** Replayed at a time. */
const concurrency = 16;

/** What to replay, by the ids of the records. */
export interface Chosen {
  readonly ids: readonly string[];
  /** How many were asked for in vain; each was complained about. */
  readonly failures: number;
}

/** Whether an operation can be run again: it failed, or was reopened and its message perhaps not published. */
export function isReplayable({ state, payload }: OperationRecord): boolean {
  return Boolean(payload) && (state === 'failed' || state === 'pending');
}

/** All dead letters that the filters leave, oldest first: their order is that of the first time. */
export async function chooseAll(filters: {
  function?: string | undefined;
  code?: string | undefined;
}): Promise<Chosen> {
  const found = (await listDeadLetters(filters)).filter(({ record }) => isReplayable(record));
  notice(`Replaying ${found.length} dead letter${found.length === 1 ? '' : 's'}`);
  return { ids: found.map(({ id }) => id).reverse(), failures: 0 };
}

/** Those that were named. A name that leads nowhere doesn't keep the others from being replayed. */
export async function chooseEach(names: readonly string[]): Promise<Chosen> {
  const ids = new Set<string>();
  let failures = 0;
  for (const name of names) {
    try {
      ids.add((await ask((db) => findOperation(db, name, isReplayable))).id);
    } catch (error) {
      complain(error);
      failures += 1;
    }
  }
  return { ids: [...ids], failures };
}

/**
 * Replays operations.
 *
 * @returns the ids of those whose message is published again; the others were complained about
 */
export async function replayEach(ids: readonly string[]): Promise<string[]> {
  const replayed = await sideBySide(ids, concurrency, (id) =>
    replay(id).then(
      () => id,
      (error: unknown) => void complain(error),
    ),
  );
  return replayed.filter((id) => id !== undefined);
}

/** Opened first: were it published first, a fast worker would still find it failed and do nothing. */
async function replay(id: string): Promise<void> {
  const { topic, data, attributes } = await ask((db) => reopenOperation(db, id));
  try {
    await publishMessage(topic, data, attributes);
  } catch (error) {
    notice(`Operation ${id} is open again, but its message is not published. Replay it once more.`);
    throw error;
  }
}

export async function readEach(ids: readonly string[]): Promise<Found[]> {
  const found = await Promise.all(ids.map((id) => ask((db) => readRecord(db, id))));
  return found.filter((one) => one !== undefined);
}
