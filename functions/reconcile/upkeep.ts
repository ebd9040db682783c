import type { DocumentReference, Firestore } from '@google-cloud/firestore';
import { firestore } from '../../shared/gcp/firestore.ts';
import { classify } from '../../shared/operation/classify.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Change, Note } from '../../shared/operation/outcome.ts';
import { publishResult } from '../../shared/operation/report.ts';
import { markReported } from '../../shared/registry/completion.ts';
import type { OperationRecord } from '../../shared/registry/operations.ts';
import { tidyQuotas } from '../../shared/registry/quotas/tidy.ts';
import { failStuck, findStuck } from '../../shared/registry/stuck.ts';
import { findUnreported } from '../../shared/registry/unreported.ts';
import { publishDeferred } from './deferred.ts';

/** Of one kind in one tick; the rest has its turn in the next. */
const mostPerTick = 200;

export type Ticking = Pick<OperationContext, 'dryRun' | 'log'>;

/** What came of one part of a tick. */
export interface Part {
  readonly changes: readonly Change[];
  readonly notes: readonly Note[];
  readonly summary: Readonly<Record<string, number>>;
}

/**
 * Sees to it that no operation is forgotten: publishes what was deferred, ends what nothing is heard of, reports what a
 * crash left unreported; and begins the day of tenants' figures.
 *
 * @throws what one of these throws, when all of them are through
 */
export async function keepUp(operation: Ticking): Promise<Part> {
  const db = await firestore();
  const parts = await Promise.allSettled([
    publishDeferred(db, operation),
    endStuck(db, operation),
    reportUnreported(db, operation),
    resetQuotas(db, operation),
  ]);
  const done = parts.map((part) => {
    if (part.status === 'rejected') throw part.reason;
    return part.value;
  });
  return {
    changes: done.flatMap(({ changes }) => changes),
    notes: done.flatMap(({ notes }) => notes),
    summary: Object.assign({}, ...done.map(({ summary }) => summary)),
  };
}

async function endStuck(db: Firestore, ticking: Ticking): Promise<Part> {
  const changes: Change[] = [];
  const endOne = async (ref: DocumentReference) => {
    const record = await failStuck(db, ref);
    if (record === undefined) return;
    const { function: source, operationId } = record;
    ticking.log.log('ERROR', 'operation stuck', { record: ref.id, operation: operationId, source });
    changes.push({ action: 'alter', kind: 'operation', name: `${source} ${operationId}`, detail: 'stuck' });
    await tell(db, ref.id, record);
  };
  const found = ticking.dryRun ? [] : await findStuck(db, new Date(), mostPerTick);
  const { notes } = await eachByItself(found, endOne, ticking);
  return { changes, notes, summary: { stuck: changes.length } };
}

/** Should this process die before somebody was told, the next tick but a few does it. */
async function tell(db: Firestore, id: string, record: OperationRecord): Promise<void> {
  await publishResult(id, record);
  await markReported(db, id, record);
}

async function reportUnreported(db: Firestore, ticking: Ticking): Promise<Part> {
  const found = ticking.dryRun ? [] : await findUnreported(db, new Date(), mostPerTick);
  const { done, notes } = await eachByItself(found, ({ id, record }) => tell(db, id, record), ticking);
  return { changes: [], notes, summary: { reported: done } };
}

/** Whatever is wrong with one operation keeps no other waiting; its turn comes again. */
async function eachByItself<T extends { readonly id: string }>(
  operations: readonly T[],
  keep: (one: T) => Promise<void>,
  { log }: Ticking,
): Promise<{ readonly done: number; readonly notes: readonly Note[] }> {
  const notes: Note[] = [];
  const keepOne = async (one: T) => {
    try {
      await keep(one);
    } catch (error) {
      const { code, message } = classify(error);
      log.log('WARNING', 'operation not kept up', { record: one.id, code });
      notes.push({ code: 'NOT_REPORTED', message: `${one.id}: ${code}: ${message}` });
    }
  };
  await Promise.all(operations.map(keepOne));
  return { done: operations.length - notes.length, notes };
}

async function resetQuotas(db: Firestore, { dryRun }: Ticking): Promise<Part> {
  if (!dryRun) await tidyQuotas(db, new Date(), mostPerTick);
  return { changes: [], notes: [], summary: {} };
}
