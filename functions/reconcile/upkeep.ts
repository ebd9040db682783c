import type { Firestore } from '@google-cloud/firestore';
import { firestore } from '../../shared/gcp/firestore.ts';
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

async function endStuck(db: Firestore, { dryRun, log }: Ticking): Promise<Part> {
  const changes: Change[] = [];
  for (const ref of dryRun ? [] : await findStuck(db, new Date(), mostPerTick)) {
    const record = await failStuck(db, ref);
    if (record === undefined) continue;
    const { function: source, operationId } = record;
    log.log('ERROR', 'operation stuck', { record: ref.id, operation: operationId, source });
    changes.push({ action: 'alter', kind: 'operation', name: `${source} ${operationId}`, detail: 'stuck' });
    await tell(db, ref.id, record);
  }
  return { changes, notes: [], summary: { stuck: changes.length } };
}

/** Should this process die before somebody was told, the next tick but a few does it. */
async function tell(db: Firestore, id: string, record: OperationRecord): Promise<void> {
  await publishResult(id, record);
  await markReported(db, id, record);
}

async function reportUnreported(db: Firestore, { dryRun }: Ticking): Promise<Part> {
  const found = dryRun ? [] : await findUnreported(db, new Date(), mostPerTick);
  for (const { id, record } of found) await tell(db, id, record);
  return { changes: [], notes: [], summary: { reported: found.length } };
}

async function resetQuotas(db: Firestore, { dryRun }: Ticking): Promise<Part> {
  if (!dryRun) await tidyQuotas(db, new Date(), mostPerTick);
  return { changes: [], notes: [], summary: {} };
}
