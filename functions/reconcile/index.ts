import { publish } from '../../shared/gcp/pubsub.ts';
import { defineOperation } from '../../shared/operation/define.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Outcome } from '../../shared/operation/outcome.ts';
import { attribute } from '../../shared/operation/request.ts';
import { dueInstances } from './due.ts';
import limits from './function.json' with { type: 'json' };
import { reconcileInstance } from './instance.ts';
import { type ReconcileMessage, reconcileMessage } from './message.ts';
import { publishDueSecrets } from './secrets.ts';
import { keepUp } from './upkeep.ts';

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
 * One message for each instance that has something to do: a slow instance delays no other. One for each secret. And then
 * what no operation may be without, which is done here: it is about the registry only.
 */
async function fanOut(all: boolean, operation: OperationContext): Promise<Outcome> {
  const instances = await dueInstances(all);
  const changes: Outcome['changes'][number][] = [];
  for (const instance of instances) {
    if (!operation.dryRun) {
      const message: Partial<ReconcileMessage> = { instance, ...(all ? { all } : {}) };
      // The same id if this is run again, so that no instance is done twice.
      await publish('reconcile', Buffer.from(JSON.stringify(message)), {
        [attribute.operationId]: `${instance}@${operation.id}`,
      });
    }
    changes.push({ action: 'create', kind: 'message', name: instance });
  }
  const secrets = await publishDueSecrets(operation);
  const upkeep = await keepUp(operation);
  return {
    changes: [...changes, ...secrets.changes, ...upkeep.changes],
    notes: [...secrets.notes, ...upkeep.notes],
    summary: { instances: instances.length, ...secrets.summary, ...upkeep.summary },
  };
}
