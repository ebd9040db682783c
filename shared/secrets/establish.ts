import { createSecret, disableVersion, type SecretInfo, updateSecret } from '../gcp/secrets.ts';
import type { OperationContext } from '../operation/definition.ts';
import { OperationError } from '../operation/errors.ts';
import type { Outcome } from '../operation/outcome.ts';
import type { LoginLimits } from '../postgres/logins/ensure.ts';
import { prove } from '../postgres/logins/proof.ts';
import type { SecretRecord } from '../registry/secrets/model.ts';
import { settleChange } from '../registry/secrets/store.ts';
import { attemptChange } from './attempt.ts';
import type { Credential } from './credential.ts';
import { makeLogins } from './logins.ts';
import {
  alias,
  formatManaged,
  isManaged,
  type ManagedSecret,
  managedLabel,
  type PostgresSecret,
} from './managed.ts';
import { observe } from './observe.ts';
import { rotateAt } from './rotate.ts';
import { disabled, optionsOf, roleOf, scopeOf } from './rotation.ts';
import { dueAt, graceEnd, rotationOf } from './schedule.ts';

/** The version of a secret that is adopted, which applications use. */
export interface Adopted {
  readonly version: number;
  readonly createdAt: Date;
  /** Of a database's secret. */
  readonly credential: Credential | undefined;
  /** Enabled versions with another password of the same login, which don't work. */
  readonly stale: readonly number[];
}

/** A secret that is to be Drover's. */
export interface Establishing {
  readonly id: string;
  readonly managed: ManagedSecret;
  /** As it is in Secret Manager; undefined where it is to be made. */
  readonly found: SecretInfo | undefined;
  /** The credential it has, where it was somebody else's. */
  readonly adopted?: Adopted | undefined;
  /** Of its logins. */
  readonly limits?: LoginLimits;
  readonly action: 'create' | 'adopt';
}

/**
 * Makes a secret Drover's, with its logins and their role: a new one gets its first credential. Run again, it goes on
 * where it was.
 */
export function establish(
  { id, managed, found, adopted, limits, action }: Establishing,
  operation: OperationContext,
): Promise<Outcome> {
  return attemptChange(operation, id, managed, async (begun) => {
    const made =
      managed.kind === 'postgres'
        ? await makeLogins(id, managed, adopted?.credential?.username, begun.epoch, operation, limits)
        : undefined;
    if (adopted && managed.kind === 'postgres') await compareAdopted(id, managed, adopted, operation);
    // Before the mark: of a marked secret another attempt doesn't know any more that it was adopted.
    for (const number of adopted?.stale ?? []) await disableVersion(id, number);
    const secret = await mark(id, managed, found, adopted, operation);
    const rest =
      adopted || secret.aliases[alias.current] !== undefined
        ? await settleKnown(id, managed, action, secret, adopted, begun.record, operation)
        : await rotateAt({ ...begun, id, managed, seen: await observe(id), force: false, action }, operation);
    const stale = (adopted?.stale ?? []).map((number) => disabled(id, number));
    const changes = [...(made?.changes ?? []), ...secretChange(id, found), ...stale, ...rest.changes];
    return { ...rest, changes, notes: made?.notes ?? [] };
  });
}

/** Its twin may do the same as the adopted login: the first rotation will find nothing in its way. */
async function compareAdopted(
  id: string,
  managed: PostgresSecret,
  { credential }: Adopted,
  operation: OperationContext,
): Promise<void> {
  if (credential === undefined) return;
  const login = { user: credential.username, password: credential.password };
  const twin = managed.logins.find((name) => name !== login.user);
  const proof = { credential: login, twin, ...roleOf(managed), probe: managed.probe ?? undefined };
  await prove(scopeOf(id, managed), proof, optionsOf(operation));
}

/** Says on the secret that it is Drover's. */
async function mark(
  id: string,
  managed: ManagedSecret,
  found: SecretInfo | undefined,
  adopted: Adopted | undefined,
  { assertHeld }: OperationContext,
): Promise<SecretInfo> {
  if (
    found &&
    isManaged(found) &&
    JSON.stringify(found.annotations) === JSON.stringify({ ...found.annotations, ...formatManaged(managed) })
  )
    return found;
  const labels = { ...found?.labels, [managedLabel.key]: managedLabel.value };
  const annotations = { ...found?.annotations, ...formatManaged(managed) };
  assertHeld();
  if (found === undefined) {
    const created = await createSecret(id, { labels, annotations });
    if (created) return created;
    // An attempt before this one made it, or somebody else in this moment: the next attempt looks.
    throw new OperationError('SECRET_CHANGED', `The secret ${id} was created at the same moment`, {
      retryable: true,
    });
  }
  return updateSecret(found, {
    labels,
    annotations,
    ...(adopted ? { aliases: { ...found.aliases, [alias.current]: adopted.version } } : {}),
  });
}

/** A secret that has its credential: the registry gets to know it, and nothing else changes. */
async function settleKnown(
  id: string,
  managed: ManagedSecret,
  action: 'create' | 'adopt',
  secret: SecretInfo,
  adopted: Adopted | undefined,
  record: SecretRecord,
  operation: OperationContext,
): Promise<Outcome> {
  const { current, previous, versions } = await observe(id);
  const version = current ?? secret.aliases[alias.current] ?? null;
  const rotatedAt = adopted?.createdAt ?? rotationOf({ current, versions }, record) ?? new Date();
  const isReplaced = previous !== undefined && record.retiredAt === null;
  const actor = operation.asked.claimedActor;
  await settleChange(operation, id, {
    event: { action, ...(version === null ? {} : { version }), ...(actor === undefined ? {} : { actor }) },
    managed,
    fields: {
      current: version,
      previous: previous ?? null,
      rotatedAt,
      ...(isReplaced ? { nextRetirement: graceEnd(rotatedAt, managed.graceMinutes) } : {}),
      nextRotation: dueAt(rotatedAt, managed.policy, Math.random()),
      failures: 0,
    },
  });
  return { changes: [], summary: { version: version ?? 0 } };
}

/** What becomes of the secret itself. */
export function secretChange(id: string, found: SecretInfo | undefined): Outcome['changes'] {
  if (found === undefined) return [{ action: 'create', kind: 'secret', name: id }];
  return isManaged(found) ? [] : [{ action: 'alter', kind: 'secret', name: id, detail: 'adopted' }];
}
