import { config } from '../../shared/config.ts';
import { destroyVersion, disableVersion, updateSecret } from '../../shared/gcp/secrets.ts';
import { classify } from '../../shared/operation/classify.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Change, Note, Outcome } from '../../shared/operation/outcome.ts';
import { newPassword, setPassword } from '../../shared/postgres/logins/password.ts';
import { logsIn } from '../../shared/postgres/logins/proof.ts';
import { describeSessions } from '../../shared/postgres/logins/refusals.ts';
import { endLoginSessions, withAges } from '../../shared/postgres/logins/sessions.ts';
import type { SecretRecord } from '../../shared/registry/secrets/model.ts';
import {
  endChange,
  readSecretRecord,
  reschedule,
  type Settled,
  secretRef,
  settleChange,
} from '../../shared/registry/secrets/store.ts';
import { afterTheOther, attemptChange } from '../../shared/secrets/attempt.ts';
import {
  alias,
  type ManagedSecret,
  ownerOf,
  type PostgresSecret,
  readManaged,
} from '../../shared/secrets/managed.ts';
import { type Observation, observe, readCredentials, refuseUnusable } from '../../shared/secrets/observe.ts';
import { currentBroken, disabled, optionsOf, scopeOf } from '../../shared/secrets/rotation.ts';
import { graceEnd, rotationOf } from '../../shared/secrets/schedule.ts';
import { isCurrentAccepted, revokeReplaced } from '../../shared/secrets/tenant-keys.ts';
import { idleLogin } from '../../shared/secrets/two-user.ts';
import { authorizeManaged, mayFor } from './managed.ts';
import type { RotateSecretMessage } from './message.ts';

const dayMs = 86_400_000;

/** When a login that is still in use is looked at again. */
const againMs = 3_600_000;

/** What has come of a stage, and when the next one is. */
interface Stage {
  readonly changes: readonly Change[];
  readonly notes: readonly Note[];
  readonly fields: Settled['fields'];
}

/**
 * Action retire: puts out of use what the last rotation replaced, once its grace period is over and nobody uses it any
 * more; and some days later destroys it. Before that it succeeds without doing anything.
 */
export async function retireSecret(
  message: RotateSecretMessage,
  operation: OperationContext,
): Promise<Outcome> {
  const { secret: id } = message;
  const found = await observe(id);
  const managed = readManaged(found.secret);
  authorizeManaged(message, managed);
  const known = readSecretRecord(await (await secretRef(operation, id)).get());
  const early = await notDue(id, found, known, managed, operation);
  if (early) return early;
  if (operation.dryRun) return plan(id, found, known);
  return attemptChange(operation, id, managed, async ({ ref, epoch, record }) => {
    // Until it was begun, others may have rotated the secret.
    const seen = await observe(id);
    const overtaken = await notDue(id, seen, record, managed, operation);
    if (overtaken) {
      await endChange(operation, ref);
      return overtaken;
    }
    // Of an earlier rotation it says nothing.
    const isRetired = record.retiredAt !== null && record.current === seen.current;
    const { changes, notes, fields } = isRetired
      ? await destroy(id, seen)
      : await putOutOfUse(id, managed, seen, epoch, operation);
    const detail = notes[0]?.code ?? (isRetired ? 'destroyed' : 'disabled');
    await settleChange(operation, id, { event: { action: 'retire', detail }, managed, fields });
    return { changes, notes, ...(notes.length > 0 ? { partial: true } : {}) };
  }).catch((error: unknown) => {
    throw afterTheOther(error);
  });
}

/** When the next stage is due; undefined where there is nothing to retire. */
function retirementOf(
  { current = 0, versions }: Observation,
  record: SecretRecord | undefined,
  { graceMinutes }: ManagedSecret,
): Date | undefined {
  const isOld = versions.some(({ number, state }) => number < current && state !== 'DESTROYED');
  if (!isOld) return undefined;
  if (record?.retiredAt && record.current === current) return destructionAt(record.retiredAt);
  const rotatedAt = rotationOf({ current, versions }, record);
  return rotatedAt && graceEnd(rotatedAt, graceMinutes);
}

function destructionAt(retiredAt: Date): Date {
  return new Date(retiredAt.getTime() + config().DROVER_SECRET_DESTROY_DAYS * dayMs);
}

/** What is said where nothing is due yet; undefined where something is. */
async function notDue(
  id: string,
  seen: Observation,
  record: SecretRecord | undefined,
  managed: ManagedSecret,
  operation: OperationContext,
): Promise<Outcome | undefined> {
  const dueAt = retirementOf(seen, record, managed);
  if (dueAt !== undefined && dueAt <= new Date()) return undefined;
  // Or `reconcile` would ask again and again.
  if (!operation.dryRun) await reschedule(operation, id, 'nextRetirement', dueAt ?? null);
  const message =
    dueAt === undefined
      ? `Nothing of ${id} is to be retired.`
      : `What the last rotation of ${id} replaced is due on ${dueAt.toISOString()}; nothing was done.`;
  return { changes: [], notes: [{ code: 'NOT_DUE_YET', message }] };
}

/** The first stage: version, then password, so that no enabled version is ever without its password. */
async function putOutOfUse(
  id: string,
  managed: ManagedSecret,
  seen: Observation,
  epoch: number,
  operation: OperationContext,
): Promise<Stage> {
  const changes: Change[] = [];
  const waiting = (note: Note): Stage => {
    return { changes, notes: [note], fields: { nextRetirement: new Date(Date.now() + againMs) } };
  };
  const replaced =
    managed.kind === 'postgres'
      ? await replacedCredentials(id, managed, seen, operation)
      : await replacedValues(id, managed, seen);
  if ('note' in replaced) return waiting(replaced.note);
  const { numbers, login, password } = replaced;
  if (login !== undefined && managed.kind === 'postgres') {
    const inUse = await freeLogin(id, managed, { user: login, password }, operation, changes);
    if (inUse) return waiting(inUse);
  }
  const { [alias.previous]: previous, ...aliases } = seen.secret.aliases;
  if (previous !== undefined) await updateSecret(seen.secret, { aliases });
  for (const number of numbers) {
    operation.assertHeld();
    await disableVersion(id, number);
    changes.push(disabled(id, number));
  }
  // Of all versions that were replaced: an attempt before this one may have disabled them and got no further.
  if (ownerOf(managed)) await revokeReplaced(id, seen, operation);
  if (login !== undefined && managed.kind === 'postgres') {
    operation.assertHeld();
    const change = { login, password: newPassword(), epoch, onlyIdle: true };
    try {
      await setPassword(scopeOf(id, managed), change, optionsOf(operation));
    } catch (error) {
      const { code, message } = classify(error);
      // It was taken into use in this moment.
      if (code === 'LOGIN_IN_USE') return waiting({ code: 'SESSIONS_OPEN', message });
      throw error;
    }
    changes.push({ action: 'alter', kind: 'login', name: login, detail: 'a password that nobody knows' });
  }
  const now = new Date();
  return {
    changes,
    notes: [],
    fields: { previous: null, retiredAt: now, nextRetirement: destructionAt(now) },
  };
}

/** @throws OperationError `CURRENT_BROKEN`: what is left may be the only key of the tenant that works */
async function replacedValues(id: string, managed: ManagedSecret, seen: Observation): Promise<Replaced> {
  if (ownerOf(managed) && !(await isCurrentAccepted(id, seen))) throw currentBroken(id);
  return { numbers: olderThanCurrent(seen) };
}

function olderThanCurrent({ current = 0, versions }: Observation): number[] {
  return versions
    .filter(({ number, state }) => number < current && state === 'ENABLED')
    .map(({ number }) => number);
}

/** What a rotation replaced, and its login, which is not in use any more. */
interface Replaced {
  readonly numbers: readonly number[];
  /** Undefined where there is one login only. */
  readonly login?: string;
  /** Of the newest of the versions. */
  readonly password?: string | undefined;
}

/**
 * What the last rotation of a database's secret replaced; or why nothing of it can be retired yet.
 *
 * @throws OperationError `CURRENT_BROKEN`: what is left may be all that works
 */
async function replacedCredentials(
  id: string,
  managed: PostgresSecret,
  seen: Observation,
  operation: OperationContext,
): Promise<Replaced | { readonly note: Note }> {
  const { usable, unusable } = await readCredentials(seen, managed, new Map());
  refuseUnusable(id, unusable);
  const current = usable.find(({ number }) => number === seen.current);
  if (current === undefined) throw currentBroken(id);
  const { username: user, password } = current.credential;
  if (!(await logsIn(managed, { user, password }, optionsOf(operation)))) throw currentBroken(id);
  if (managed.strategy === 'single-user') return { numbers: olderThanCurrent(seen) };
  const enabled = usable.map(({ number, credential }) => ({ number, login: credential.username }));
  const [first = '', second = ''] = managed.logins;
  const login = idleLogin({ enabled, current: seen.current, logins: [first, second] });
  const own = usable.filter(({ credential }) => credential.username === login);
  const newer = own.find(({ number }) => number > current.number);
  if (newer) return { note: unpublished(id, newer.number) };
  return { login, numbers: own.map(({ number }) => number), password: own[0]?.credential.password };
}

function unpublished(id: string, version: number): Note {
  return {
    code: 'VERSION_UNPUBLISHED',
    message: `Version ${version} of ${id} was added and is not the current one, so nothing is retired. Rotate the secret, which publishes it if it works, or disable it.`,
  };
}

/** What keeps a login from being retired; undefined where nothing does, or not any more. */
async function freeLogin(
  id: string,
  managed: PostgresSecret,
  { user, password }: { readonly user: string; readonly password: string | undefined },
  operation: OperationContext,
  changes: Change[],
): Promise<Note | undefined> {
  const end = mayFor('endSessions', id, managed);
  const scope = scopeOf(id, managed);
  const { ended, left } = await endLoginSessions(scope, user, end, optionsOf(operation));
  for (const { pid, database, application } of ended) {
    const detail = `ended ${pid}${application === '' ? '' : ` (${application})`}`;
    changes.push({ action: 'revoke', kind: 'session', name: database ?? '', detail });
  }
  if (left.length === 0) return undefined;
  const open =
    password === undefined ? left : await withAges(scope, left, { user, password }, optionsOf(operation));
  return {
    code: 'SESSIONS_OPEN',
    message: `${user} is still in use, and stays until it isn't: ${describeSessions(open)}. Have the application read its secret again.`,
  };
}

/** The second stage. */
async function destroy(id: string, { current = 0, versions }: Observation): Promise<Stage> {
  const changes: Change[] = [];
  for (const { number, state } of versions) {
    if (number >= current || state !== 'DISABLED') continue;
    await destroyVersion(id, number);
    changes.push({ action: 'alter', kind: 'secret version', name: `${id}/${number}`, detail: 'destroyed' });
  }
  return { changes, notes: [], fields: { nextRetirement: null } };
}

function plan(id: string, seen: Observation, record: SecretRecord | undefined): Outcome {
  const { current = 0, versions } = seen;
  const [state, detail] = record?.retiredAt ? ['DISABLED', 'destroyed'] : ['ENABLED', 'disabled'];
  return {
    changes: versions
      .filter((version) => version.number < current && version.state === state)
      .map(({ number }) => ({
        action: 'alter',
        kind: 'secret version',
        name: `${id}/${number}`,
        detail: detail ?? '',
      })),
    statements: [],
  };
}
