import {
  createDatabase,
  dropDatabase,
  findDatabase,
  openDatabases,
} from '../../../shared/postgres/databases/database.ts';
import { dropRolesOf } from '../../../shared/postgres/databases/roles.ts';
import { identifier, sql } from '../../../shared/postgres/sql.ts';
import { forgetDatabase } from '../../../shared/registry/databases.ts';
import { ownerMark } from '../../../shared/tenants/place.ts';
import type { Saga, Step } from '../saga/step.ts';

/** A database of the tenant's own. */
export const database: Step = {
  name: 'database',
  position: 1,
  needs: [],
  applies: ({ isolation }) => isolation === 'database',
  look: async ({ operation, record: { place } }) =>
    (await findDatabase(place, operation)) ? 'present' : 'absent',
  async make({ operation, record: { place } }, begun) {
    const changes = await createDatabase(place, ownerMark(place), begun, operation);
    const open = await openDatabases(place, operation);
    return { changes, notes: open ? [open] : [] };
  },
  async plan({ record: { place } }, found) {
    if (found === 'present') return { changes: [] };
    return {
      changes: [{ action: 'create', kind: 'database', name: place.database }],
      statements: [sql`CREATE DATABASE ${identifier(place.database)} OWNER drover_admin`.text],
    };
  },
  undo: (saga) => dropOwnDatabase(saga, true),
};

/**
 * Drops the tenant's database with all schemas in it and their roles, and forgets what the registry wanted of it.
 *
 * @param unmarked whether one of Drover's without a mark is this tenant's
 */
export async function dropOwnDatabase({ operation, ref, record: { place } }: Saga, unmarked: boolean) {
  const dropped = await dropDatabase(place, ownerMark(place), unmarked, operation);
  const roles = await dropRolesOf(place, operation);
  operation.assertHeld();
  await forgetDatabase(ref.firestore, place);
  return [...dropped, ...roles];
}
