import { publish } from '../../shared/gcp/pubsub.ts';
import { defineOperation } from '../../shared/operation/define.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Change, Outcome } from '../../shared/operation/outcome.ts';
import { attribute } from '../../shared/operation/request.ts';
import { dueInstances } from './due.ts';
import limits from './function.json' with { type: 'json' };
import { reconcileInstance } from './instance.ts';
import { type ReconcileMessage, reconcileMessage } from './message.ts';
import { publishDueSecrets } from './secrets.ts';
import { keepUp, type Part } from './upkeep.ts';

export default defineOperation({
  name: 'reconcile',
  timeoutSeconds: limits.timeoutSeconds,
  message: reconcileMessage,
  // It drives databases towards what other messages were allowed to ask for; whether it may mend them is asked later.
  access: () => undefined,
  run: ({ instance, all }, operation) =>
    instance === undefined ? fanOut(all, operation) : reconcileInstance(instance, all, operation),
});

/**
 * One message for each instance that has something to do: a slow instance delays no other. One for each secret. And what no
 * operation may be without, which is done here, for it is about the registry only. None of it waits for the rest, or is
 * kept from being done by what becomes of it.
 *
 * @throws what one of these throws, when all of them are through
 */
async function fanOut(all: boolean, operation: OperationContext): Promise<Outcome> {
  const parts = await Promise.allSettled([
    publishInstances(all, operation),
    publishDueSecrets(operation),
    keepUp(operation),
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

async function publishInstances(all: boolean, { dryRun, id }: OperationContext): Promise<Part> {
  const instances = await dueInstances(all);
  const changes: Change[] = [];
  for (const instance of instances) {
    if (!dryRun) {
      const message: Partial<ReconcileMessage> = { instance, ...(all ? { all } : {}) };
      // The same id if this is run again, so that no instance is done twice.
      await publish('reconcile', Buffer.from(JSON.stringify(message)), {
        [attribute.operationId]: `${instance}@${id}`,
      });
    }
    changes.push({ action: 'create', kind: 'message', name: instance });
  }
  return { changes, notes: [], summary: { instances: instances.length } };
}
