import { type SecretInfo, updateSecret } from '../gcp/secrets.ts';
import type { OperationContext } from '../operation/definition.ts';
import { OperationError } from '../operation/errors.ts';
import type { Change } from '../operation/outcome.ts';
import type { LoginOptions, LoginScope } from '../postgres/logins/change.ts';
import { roleName } from '../postgres/names.ts';
import { alias, annotation, formatManaged, type ManagedSecret, type PostgresSecret } from './managed.ts';
import { type Observation, observe, type ValueCache } from './observe.ts';

/** A rotation under way: what it is about, what it has seen, and what it has changed. */
export interface Rotation<M extends ManagedSecret = ManagedSecret> {
  readonly operation: OperationContext;
  readonly id: string;
  readonly managed: M;
  /** Of this attempt. */
  readonly epoch: number;
  /** Change a login that is in use, too. */
  readonly force: boolean;
  /** Called before what somebody may still use stops working: throws where that is too early. */
  readonly beforeBreaking: () => void;
  /** As of the last look, with what this attempt did since. */
  seen: Observation;
  readonly cache: ValueCache;
  readonly changes: Change[];
}

/** The versions that a rotation ended with. */
export interface Rotated {
  readonly current: number;
  readonly previous: number | undefined;
  /** How long what was published did not work, in milliseconds; 0 where it always did. */
  readonly momentMs: number;
}

/** Other versions than this many are looked for before somebody else is said to be at it. */
export const mostLooks = 5;

const mostAliases = 50;

/** @throws OperationError `TOO_MANY_ALIASES` where there is no room for Drover's own */
export function refuseAliases({ id, aliases }: SecretInfo): void {
  const others = Object.keys(aliases).filter((name) => name !== alias.current && name !== alias.previous);
  if (others.length + 2 <= mostAliases) return;
  throw new OperationError(
    'TOO_MANY_ALIASES',
    `The secret ${id} has ${others.length} aliases of its own. Secret Manager allows ${mostAliases}, and Drover needs two: remove some.`,
    { details: { name: id } },
  );
}

/** Looks again: somebody else may have changed the secret. */
export async function lookAgain(rotation: Rotation): Promise<void> {
  rotation.seen = await observe(rotation.id);
}

/**
 * Makes a version the current one, and says in the same change who did it: an attempt that comes after a crash knows it
 * for its own.
 *
 * @throws SecretChanged
 */
export async function moveAliases(
  rotation: Omit<Rotation, 'epoch' | 'force' | 'beforeBreaking' | 'cache'>,
  version: number,
): Promise<void> {
  const { seen, operation, managed, changes, id } = rotation;
  const { current } = seen;
  const { [alias.previous]: _, ...others } = seen.secret.aliases;
  // With one login, what was current doesn't work any more.
  const keeps = current !== undefined && !(managed.kind === 'postgres' && managed.strategy === 'single-user');
  operation.assertHeld();
  const secret = await updateSecret(seen.secret, {
    aliases: { ...others, [alias.current]: version, ...(keeps ? { [alias.previous]: current } : {}) },
    annotations: {
      ...seen.secret.annotations,
      ...formatManaged(managed),
      [annotation.operation]: operation.id,
    },
  });
  rotation.seen = {
    ...seen,
    secret,
    current: version,
    previous: current ?? seen.previous,
    movedBy: operation.id,
  };
  changes.push({ action: 'alter', kind: 'secret', name: id, detail: `current is version ${version}` });
}

/** What is current doesn't work: nothing else that may must be taken away. */
export function currentBroken(id: string): OperationError {
  return new OperationError(
    'CURRENT_BROKEN',
    `The current version of the secret ${id} doesn't work, so nothing else of it is changed. Mend it first: drover secrets verify ${id} --repair`,
    { details: { name: id } },
  );
}

/** Notes in what was seen that a version isn't enabled any more. */
export function withoutVersion(seen: Observation, version: number): Observation {
  const versions = seen.versions.map((one) =>
    one.number === version ? { ...one, state: 'DISABLED' as const } : one,
  );
  return { ...seen, versions };
}

export function disabled(id: string, version: number): Change {
  return { action: 'alter', kind: 'secret version', name: `${id}/${version}`, detail: 'disabled' };
}

export function added(id: string, version: number): Change {
  return { action: 'create', kind: 'secret version', name: `${id}/${version}` };
}

export function passwordOf(login: string): Change {
  return { action: 'alter', kind: 'login', name: login, detail: 'another password' };
}

/** What PostgreSQL is told about a secret's logins. */
export function scopeOf(id: string, { instance, database, schema }: PostgresSecret): LoginScope {
  return { instance, database, schema, secret: id };
}

export function optionsOf({ pools, signal, remainingMs, assertHeld }: OperationContext): LoginOptions {
  return { pools, signal, remainingMs, assertHeld };
}

/** The role that a secret's logins have, and whether their sessions act as it. */
export function roleOf({ database, schema, role }: PostgresSecret): {
  role: string | undefined;
  acts: boolean;
} {
  if (role === null) return { role: undefined, acts: false };
  return { role: roleName(database, schema ?? undefined, role), acts: role === 'owner' };
}
