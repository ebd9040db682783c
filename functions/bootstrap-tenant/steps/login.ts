import { deleteSecret, findSecret } from '../../../shared/gcp/secrets.ts';
import { setsOf, takeGrantsBack } from '../../../shared/grants/take-back.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { findDatabase, maintenanceDatabase } from '../../../shared/postgres/databases/database.ts';
import { dropLogins } from '../../../shared/postgres/logins/remove.ts';
import type { Target } from '../../../shared/postgres/target.ts';
import { Superseded } from '../../../shared/registry/intents.ts';
import { secretRef } from '../../../shared/registry/secrets/store.ts';
import type { TenantRecord } from '../../../shared/registry/tenants/model.ts';
import { afterTheOther } from '../../../shared/secrets/attempt.ts';
import { defaultSettings } from '../../../shared/secrets/defaults.ts';
import { establish } from '../../../shared/secrets/establish.ts';
import { makeLogins } from '../../../shared/secrets/logins.ts';
import {
  isManaged,
  type ManagedSecret,
  type PostgresSecret,
  readManaged,
} from '../../../shared/secrets/managed.ts';
import { scopeOf } from '../../../shared/secrets/rotation.ts';
import type { Saga, Step } from '../saga/step.ts';

/** The tenant's login, and the secret that has its credential. */
export const login: Step = {
  name: 'login',
  position: 4,
  needs: ['schema', 'restore'],
  applies: () => true,
  look: ({ record }) => lookForSecret(record.place.secret),
  async make({ operation, record }) {
    const id = record.place.secret;
    const found = await findSecret(id);
    const managed = managedAs(id, found && readOwn(id, found), managedOf(record));
    const limits = limitsOf(record);
    const { changes, notes = [] } = await establish(
      { id, managed, found, limits, action: 'create' },
      operation,
    ).catch(waiting);
    return { changes, notes };
  },
  async plan({ operation, record }, found) {
    const { secret: id, logins } = record.place;
    if (found === 'absent') {
      return {
        changes: [
          ...logins.map((name) => ({ action: 'create', kind: 'login', name }) as const),
          { action: 'create', kind: 'secret', name: id },
        ],
      };
    }
    return makeLogins(id, managedOf(record), undefined, undefined, operation, limitsOf(record));
  },
  undo: dropOwnLogins,
};

/** Drops the logins, deletes their secret, and forgets what the registry wanted of both. */
export async function dropOwnLogins({ operation, record }: Saga) {
  const { instance, database, schema, logins, secret } = record.place;
  const scope = { ...scopeOf(secret, managedOf(record)), ...(await reachable(record, operation)) };
  // Elsewhere, too: the next tenant of this id would have them with its name.
  const granted = await Promise.all(logins.map((name) => setsOf(instance, name)));
  const others = granted.flat().filter((set) => set.database !== database || set.schema !== schema);
  const sets = new Map(others.map((set) => [JSON.stringify([set.database, set.schema]), set]));
  for (const set of [{ instance, database, schema }, ...sets.values()]) {
    await takeGrantsBack(operation, set, logins).catch((error: unknown) => {
      if (!(error instanceof Superseded)) throw error;
    });
  }
  const isOwn = (one: ManagedSecret) => one.kind === 'postgres' && one.logins.join() === logins.join();
  const dropped = await dropLogins(scope, logins, operation);
  return [...dropped, ...(await deleteOwnSecret(operation, secret, isOwn))];
}

/** Where to connect for what belongs to the instance: the tenant's own database may not be there. */
export async function reachable(
  { isolation, place }: TenantRecord,
  operation: Saga['operation'],
): Promise<Target> {
  const { instance, database } = place;
  const isThere = isolation === 'schema' || (await findDatabase(place, operation)) !== undefined;
  return { instance, database: isThere ? database : maintenanceDatabase };
}

/** A rotation that is under way stands against a bootstrap until it ends, and no longer. */
export function waiting(error: unknown): never {
  throw afterTheOther(error);
}

/** Deletes a secret with its values, if it is the tenant's, and forgets it. */
export async function deleteOwnSecret(
  operation: Saga['operation'],
  id: string,
  isOwn: (secret: ManagedSecret) => boolean,
) {
  const found = await findSecret(id);
  const isOurs = found !== undefined && isManaged(found) && isOwn(readManaged(found));
  if (found !== undefined && !isOurs) return [];
  if (isOurs) {
    operation.assertHeld();
    await deleteSecret(id);
  }
  const ref = await secretRef(operation, id);
  await operation.transact([], async (transaction) => {
    transaction.delete(ref);
  });
  return isOurs ? [{ action: 'revoke', kind: 'secret', name: id, detail: 'deleted' } as const] : [];
}

export async function lookForSecret(id: string): Promise<'absent' | 'present'> {
  return (await findSecret(id)) ? 'present' : 'absent';
}

/** @throws OperationError `SECRET_EXISTS` where it is somebody else's */
export function readOwn(
  id: string,
  found: NonNullable<Awaited<ReturnType<typeof findSecret>>>,
): ManagedSecret {
  if (isManaged(found)) return readManaged(found);
  throw new OperationError(
    'SECRET_EXISTS',
    `The secret ${id} exists and is not Drover's. Rename it, or choose another id for the tenant.`,
    { details: { name: id } },
  );
}

/**
 * What a secret is to be: as it is, where it is the tenant's.
 *
 * @throws OperationError `SECRET_MISMATCH`
 */
export function managedAs<M extends ManagedSecret>(
  id: string,
  known: ManagedSecret | undefined,
  wanted: M,
): M {
  if (known === undefined) return wanted;
  const same = { ...wanted, graceMinutes: known.graceMinutes, policy: known.policy };
  const probe = known.kind === 'postgres' ? { probe: known.probe } : {};
  const managed = { ...same, ...probe };
  const differs = Object.entries(managed).find(
    ([field, value]) =>
      JSON.stringify(value) !== JSON.stringify((known as unknown as Record<string, unknown>)[field]),
  );
  if (differs === undefined) return managed;
  throw new OperationError(
    'SECRET_MISMATCH',
    `The secret ${id} is Drover's and something else than the tenant's: its ${differs[0]} differs.`,
    { details: { name: id, field: differs[0] } },
  );
}

function managedOf({ place: { instance, database, schema, logins }, level }: TenantRecord): PostgresSecret {
  return {
    kind: 'postgres',
    strategy: 'two-user',
    instance,
    database,
    schema,
    role: level,
    logins: [...logins],
    probe: null,
    ...defaultSettings(),
  };
}

function limitsOf({ limits: { connections, statementTimeoutSeconds } }: TenantRecord) {
  return { connections, statementTimeoutSeconds };
}
