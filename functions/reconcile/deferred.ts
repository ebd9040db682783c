import type { Firestore } from '@google-cloud/firestore';
import { publish } from '../../shared/gcp/pubsub.ts';
import { classify } from '../../shared/operation/classify.ts';
import type { Note } from '../../shared/operation/outcome.ts';
import { type Due, dueDeferred, takeDeferred } from '../../shared/registry/quotas/deferred.ts';
import type { Part, Ticking } from './upkeep.ts';

/** In one tick; the rest has its turn in the next. */
const mostPerTick = 500;

/** Publishes the messages of deferred operations whose time has come. */
export async function publishDeferred(db: Firestore, { dryRun, log }: Ticking): Promise<Part> {
  const now = new Date();
  const due = await dueDeferred(db, now, mostPerTick);
  const published: Due[] = [];
  const notes: Note[] = [];
  const publishOne = async (one: Due) => {
    try {
      const message = dryRun ? undefined : await takeDeferred(one, now);
      if (message) await publish(message.topic, message.data, message.attributes);
      if (message || dryRun) published.push(one);
    } catch (error) {
      // Whatever is wrong with one keeps no other waiting; its turn comes again.
      const { code, message } = classify(error);
      log.log('WARNING', 'deferred operation not published', { record: one.document.id, code });
      notes.push({ code: 'NOT_PUBLISHED', message: `${one.document.id}: ${code}: ${message}` });
    }
  };
  await Promise.all(due.map(publishOne));
  return {
    changes: published.map(({ record }) => ({
      action: 'create',
      kind: 'message',
      name: `${record.function} ${record.operationId}`,
      detail: record.tenant === undefined ? 'deferred' : `deferred, of tenant ${record.tenant}`,
    })),
    notes,
    summary: { deferred: published.length },
  };
}
