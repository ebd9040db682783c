import { reopenDatabase } from '../../../shared/postgres/databases/database.ts';
import { closeLogins } from '../../../shared/postgres/logins/remove.ts';
import type { TenantRecord } from '../../../shared/registry/tenants/model.ts';
import { readStep, stepRef } from '../../../shared/registry/tenants/store.ts';
import { ownerMark } from '../../../shared/tenants/place.ts';
import type { RemoveMessage } from '../message.ts';
import type { Saga, Step } from '../saga/step.ts';
import { dropApiKey } from '../steps/api-key.ts';
import { database as databaseStep, dropOwnDatabase } from '../steps/database.ts';
import { dataset as datasetStep } from '../steps/dataset.ts';
import { dropOwnLogins, reachable } from '../steps/login.ts';
import { dropQuota } from '../steps/quota.ts';
import { dropOwnSchema } from '../steps/schema.ts';
import { archiveContent, exportOwnDataset } from './content.ts';
import { archiveObjects, deleteObjectsOf } from './objects.ts';

type Make = (saga: Saga) => Promise<Awaited<ReturnType<Step['make']>>>;

/**
 * What a removal does. Nothing is deleted before all that is archived is safe, and nobody is at it any more when it is
 * archived.
 */
export function removalSteps(message: RemoveMessage, { place, isolation }: TenantRecord): Step[] {
  const archives = [
    ...(message.archive ? [step('archive', ['close'], archiveContent(message))] : []),
    ...(place.dataset !== null && message.dataset === 'export'
      ? [step('export-dataset', ['close'], exportOwnDataset)]
      : []),
    ...(place.storage !== null && message.storage === 'archive'
      ? [step('archive-storage', ['close'], archiveObjects)]
      : []),
  ];
  const safe = ['close', ...archives.map(({ name }) => name)];
  const content = deleting(isolation === 'database' ? dropDatabaseOf : dropOwnSchema);
  const deletions = [
    step('delete-login', safe, deleting(dropOwnLogins)),
    step(`delete-${isolation}`, [...safe, 'delete-login'], content),
    ...(place.dataset === null || message.dataset === 'keep'
      ? []
      : [step('delete-dataset', safe, deleting(datasetStep.undo))]),
    ...(place.storage === null || message.storage === 'keep'
      ? []
      : [step('delete-storage', safe, deleteObjectsOf)]),
    ...(place.apiKeySecret === null ? [] : [step('delete-api-key', safe, deleting(dropApiKey))]),
    step('delete-quota', safe, deleting(dropQuota)),
  ];
  const close = step('close', [], deleting(shutOut));
  return [close, ...archives, ...deletions].map((one, index) => ({ ...one, position: 101 + index }));
}

function step(name: string, needs: readonly string[], make: Make): Step {
  return {
    name,
    position: 0,
    needs,
    once: 'operation',
    applies: () => true,
    look: async () => 'present',
    make,
    plan: async () => ({ changes: [] }),
    undo: async () => [],
  };
}

function deleting(take: Step['undo']): Make {
  return async (saga) => ({ changes: await take(saga) });
}

/** One that was made and not marked, for its maker died, is known by the record of the step. */
async function dropDatabaseOf(saga: Saga) {
  const made = readStep(await stepRef(saga.ref, databaseStep.name).get());
  return dropOwnDatabase(saga, made?.found === 'absent');
}

/** The logins can't log in any more, and have no sessions. With its state, the tenant's API keys are dead, too. */
async function shutOut({ operation, record }: Saga) {
  const { place, isolation } = record;
  const { schema, secret, logins } = place;
  if (isolation === 'database') await reopenDatabase(place, ownerMark(place), operation);
  return closeLogins({ ...(await reachable(record, operation)), schema, secret }, logins, operation);
}
