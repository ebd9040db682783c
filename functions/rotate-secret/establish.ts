import { findSecret, listVersions, type SecretInfo, type VersionInfo } from '../../shared/gcp/secrets.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import { OperationError } from '../../shared/operation/errors.ts';
import type { Outcome } from '../../shared/operation/outcome.ts';
import { logsIn } from '../../shared/postgres/logins/proof.ts';
import { type Credential, copiesOfPassword, readCredential } from '../../shared/secrets/credential.ts';
import { type Adopted, establish, secretChange } from '../../shared/secrets/establish.ts';
import { type MadeLogins, makeLogins } from '../../shared/secrets/logins.ts';
import { alias, isManaged, type ManagedSecret, readManaged } from '../../shared/secrets/managed.ts';
import { mismatchOf, readValue } from '../../shared/secrets/observe.ts';
import { optionsOf, refuseAliases } from '../../shared/secrets/rotation.ts';
import { authorizeManaged, levelsOf, managedFrom, refuseMismatch, withSettings } from './managed.ts';
import type { RotateSecretMessage } from './message.ts';

/**
 * Actions create and adopt: the logins, the secret, and the first credential; of a secret that has one, that it is Drover's
 * from now on. Where it is already, only its settings change.
 */
export async function establishSecret(
  message: RotateSecretMessage,
  operation: OperationContext,
): Promise<Outcome> {
  const { secret: id, action } = message;
  const found = await findSecret(id);
  const adopted = found && !isManaged(found) ? await adoptable(message, found) : undefined;
  if (action === 'adopt' && found === undefined) throw notFound(id);
  const managed = managedOf(message, found, adopted?.credential?.username);
  if (found) refuseAliases(found);
  // Somebody may have edited what the secret says of itself, and this grants it.
  authorizeManaged(message, managed, managed.kind === 'postgres' ? levelsOf(managed) : []);
  const planned = await planLogins(id, managed, adopted, operation);
  if (operation.dryRun) return plan(id, planned, found, adopted);
  const kind = action === 'adopt' ? 'adopt' : 'create';
  return establish({ id, managed, found, adopted, action: kind }, operation);
}

/** What is said to be wanted, where the secret doesn't say yet what it is. */
function managedOf(
  message: RotateSecretMessage,
  found: SecretInfo | undefined,
  adopted: string | undefined,
): ManagedSecret {
  const { kind, strategy, target, schema, level, customRole, prefix } = message;
  if (found === undefined || !isManaged(found)) return managedFrom(message, adopted);
  const known = readManaged(found);
  const role = level ?? customRole;
  refuseMismatch(message.secret, known, { kind, strategy, ...target, schema, role, prefix });
  return withSettings(known, message);
}

/**
 * What a secret that isn't Drover's holds.
 *
 * @returns undefined where it is empty: then it gets its first credential
 * @throws OperationError `SECRET_EXISTS`, `SECRET_UNREADABLE`, `INVALID_MESSAGE`
 */
async function adoptable(message: RotateSecretMessage, found: SecretInfo): Promise<Adopted | undefined> {
  const { secret: id, action, kind } = message;
  const versions = await listVersions(id);
  if (action === 'create' && versions.length > 0) throw exists(id);
  if (kind === undefined) throw needed('kind', 'is needed: the secret is not Drover’s yet');
  const enabled = versions.filter(({ state }) => state === 'ENABLED');
  const version = enabled.find(({ number }) => number === found.aliases[alias.current]) ?? enabled[0];
  if (version === undefined) {
    if (kind === 'postgres' && message.level === undefined && message.customRole === undefined)
      throw needed('level', 'is needed: the secret is empty, so its logins are made');
    return undefined;
  }
  const { createdAt } = version;
  if (kind !== 'postgres') return { version: version.number, createdAt, credential: undefined, stale: [] };
  const { credential, stale } = await adoptableCredential(message, id, version.number, enabled);
  return { version: version.number, createdAt, credential, stale };
}

/** @throws OperationError `SECRET_UNREADABLE`: of an enabled version that a rotation could do nothing with */
async function adoptableCredential(
  { target }: RotateSecretMessage,
  id: string,
  version: number,
  enabled: readonly VersionInfo[],
): Promise<{ readonly credential: Credential; readonly stale: readonly number[] }> {
  const refuse = (number: number, problem: string) => unreadable(id, number, problem);
  const all = await Promise.all(
    enabled.map(async ({ number }) => {
      const value = await readValue(id, number, new Map());
      const read = value === undefined ? { problem: 'was disabled meanwhile' } : readCredential(value);
      if ('problem' in read) throw refuse(number, read.problem);
      return { number, credential: read.credential };
    }),
  );
  const chosen = all.find(({ number }) => number === version)?.credential;
  if (chosen === undefined || target === undefined) throw refuse(version, 'is not enabled');
  for (const { number, credential } of all) {
    const problem = mismatchOf(credential, { ...target, logins: [chosen.username] });
    if (problem !== undefined) throw refuse(number, problem);
  }
  const copies = copiesOfPassword(chosen);
  if (copies.length > 0)
    throw refuse(
      version,
      `has the password in ${copies.join(', ')} too, which a rotation would leave behind`,
    );
  // A login has one password.
  const stale = all.filter(({ credential }) => credential.password !== chosen.password);
  return { credential: chosen, stale: stale.map(({ number }) => number) };
}

/**
 * What becomes of the logins. Whatever stands against it is found here, where nothing is written down or changed yet: a
 * secret that names somebody's login without its password must not touch it.
 */
async function planLogins(
  id: string,
  managed: ManagedSecret,
  adopted: Adopted | undefined,
  operation: OperationContext,
): Promise<MadeLogins> {
  if (managed.kind !== 'postgres') return { changes: [], statements: [], notes: [] };
  const credential = adopted?.credential;
  const planned = await makeLogins(id, managed, credential?.username, undefined, operation);
  if (adopted === undefined || credential === undefined) return planned;
  const { username: user, password } = credential;
  if (!(await logsIn(managed, { user, password }, optionsOf(operation))))
    throw unreadable(id, adopted.version, `names the login ${user}, which refuses its password`);
  return planned;
}

function plan(
  id: string,
  { changes, statements, notes }: MadeLogins,
  found: SecretInfo | undefined,
  adopted: Adopted | undefined,
): Outcome {
  const first = adopted || found?.aliases[alias.current] !== undefined;
  return {
    changes: [
      ...changes,
      ...secretChange(id, found),
      ...(first ? [] : [{ action: 'create' as const, kind: 'secret version', name: id }]),
    ],
    notes,
    statements,
  };
}

function notFound(id: string): OperationError {
  return new OperationError(
    'SECRET_NOT_FOUND',
    `There is no secret ${id} to adopt. Send the action create.`,
    {
      details: { name: id },
    },
  );
}

function exists(id: string): OperationError {
  return new OperationError(
    'SECRET_EXISTS',
    `The secret ${id} exists, has versions and is not Drover's. Send the action adopt if it is to be.`,
    { details: { name: id } },
  );
}

function unreadable(id: string, version: number, problem: string): OperationError {
  return new OperationError(
    'SECRET_UNREADABLE',
    `Version ${version} of the secret ${id} ${problem}, so it can't be adopted as it is.`,
    { details: { name: id, place: `versions/${version}` } },
  );
}

function needed(field: string, message: string): OperationError {
  return new OperationError('INVALID_MESSAGE', `The message can't be used: data.${field}: ${message}`, {
    details: { problems: [{ path: `data.${field}`, message }] },
  });
}
