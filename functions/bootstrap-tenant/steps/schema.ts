import { findSecret } from '../../../shared/gcp/secrets.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { lookAtSchema } from '../../../shared/postgres/databases/schemas.ts';
import { schemaLevels } from '../../../shared/postgres/names.ts';
import { convergeSchema, Fenced } from '../../../shared/postgres/schema/converge.ts';
import { dropSchema } from '../../../shared/postgres/schema/drop.ts';
import type { DesiredSchema } from '../../../shared/postgres/schema/model.ts';
import { schemasCollection } from '../../../shared/registry/databases.ts';
import { grantsCollection } from '../../../shared/registry/grants/model.ts';
import { markApplied, Superseded } from '../../../shared/registry/intents.ts';
import type { TenantRecord } from '../../../shared/registry/tenants/model.ts';
import { applySchema } from '../../../shared/schemas/apply.ts';
import type { Made, Saga, Step } from '../saga/step.ts';

/** The tenant's schema, with its roles. */
export const schema: Step = {
  name: 'schema',
  position: 2,
  needs: ['database'],
  applies: () => true,
  async look({ operation, record: { place, isolation } }) {
    const { exists, owner } = await lookAtSchema(place, place.schema, operation);
    if (isolation === 'schema' && owner !== undefined) throw notShared(place.database);
    return exists ? 'present' : 'absent';
  },
  async make(saga, begun) {
    const { operation, record } = saga;
    if (!begun && record.state !== 'active') await refuseOthers(record);
    try {
      const { converged, intent, facts } = await applySchema(record.place, desiredOf(record), operation);
      const { claimedActor: _, ...order } = operation.asked;
      return {
        changes: converged.steps.flatMap(({ change }) => change ?? []),
        notes: converged.notes,
        settle: {
          refs: [intent.ref],
          write(transaction, [snapshot]) {
            if (!snapshot) return;
            const known = { ...facts, operation: operation.id, at: new Date() };
            markApplied(transaction, { id: operation.id, order }, intent, snapshot, known);
          },
        },
      };
    } catch (error) {
      // A newer message has brought the schema about, and says what it is like.
      if (error instanceof Superseded) return { changes: [] };
      throw error;
    }
  },
  async plan({ operation, record }, found): Promise<Made> {
    const { database, schema: name } = record.place;
    // There is no database to look into yet.
    if (found === 'absent' && record.isolation === 'database')
      return { changes: [{ action: 'create', kind: 'schema', name: `${database}.${name}` }] };
    const { steps, notes } = await convergeSchema(operation.pools, record.place, desiredOf(record), {
      ...operation,
      fence: undefined,
    });
    return {
      changes: steps.flatMap(({ change }) => change ?? []),
      notes,
      statements: steps.map(({ sql }) => sql.text),
    };
  },
  undo: dropOwnSchema,
};

/** With it the other tenant's removal would take this one's data, and a restore bring them to that. */
function notShared(database: string): OperationError {
  return new OperationError(
    'DATABASE_EXISTS',
    `The database ${database} is another tenant's own, and can't be shared with it. Say another one in target.database.`,
    { details: { database, problems: [{ path: 'data.target.database', message: 'is another tenant’s' }] } },
  );
}

/**
 * A schema says nothing of whose it is. One that was there before the tenant is its own only where its secret is, too: then
 * the registry was lost.
 *
 * @throws OperationError `SCHEMA_EXISTS`
 */
async function refuseOthers({ place }: TenantRecord): Promise<void> {
  if (await findSecret(place.secret)) return;
  throw new OperationError(
    'SCHEMA_EXISTS',
    `The schema ${place.database}.${place.schema} was there before the tenant. Rename or drop it, or choose another id.`,
    { details: { schema: `${place.database}.${place.schema}` } },
  );
}

function desiredOf({ place: { database, schema: name } }: TenantRecord): DesiredSchema {
  const levels = schemaLevels.filter((level) => level !== 'owner');
  return { database, schema: name, levels, adopt: false, lockDatabase: false };
}

/** Drops the schema with its roles, and forgets what the registry wanted of both. */
export async function dropOwnSchema({ operation, record: { place } }: Saga) {
  const { instance, database, schema: name } = place;
  const ref = await operation.registry(schemasCollection, instance, database, name);
  const grants = await operation.registry(grantsCollection, instance, database, name);
  const epochs = (await ref.firestore.getAll(ref, grants)).map((one) => Number(one.get('epoch') ?? 0));
  let epoch = Math.max(...epochs);
  const drop = () => dropSchema(place, name, { ...operation, epoch });
  const changes = await drop().catch((error: unknown) => {
    // The registry was restored, and knows less than the schema says of itself.
    if (!(error instanceof Fenced)) throw error;
    epoch = error.epoch;
    operation.assertHeld();
    return drop();
  });
  await operation.transact([], async (transaction) => {
    transaction.delete(ref);
    transaction.delete(grants);
  });
  return changes;
}
