import { getSecret } from '../../shared/gcp/secrets.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import { OperationError } from '../../shared/operation/errors.ts';
import type { Outcome } from '../../shared/operation/outcome.ts';
import { identifier } from '../../shared/postgres/sql.ts';
import type { SecretEvent, SecretRecord } from '../../shared/registry/secrets/model.ts';
import {
  readSecretRecord,
  reschedule,
  secretRef,
  settleChange,
} from '../../shared/registry/secrets/store.ts';
import type { ManagedSecret } from '../../shared/secrets/managed.ts';
import { readManaged } from '../../shared/secrets/managed.ts';
import { type Observation, observe, readCredentials, refuseUnusable } from '../../shared/secrets/observe.ts';
import { rotateSingleUser } from '../../shared/secrets/rotate-single-user.ts';
import { rotateTwoUser } from '../../shared/secrets/rotate-two-user.ts';
import { rotateValue } from '../../shared/secrets/rotate-value.ts';
import { type Rotated, type Rotation, refuseAliases } from '../../shared/secrets/rotation.ts';
import { dueAt, graceEnd, rotationOf } from '../../shared/secrets/schedule.ts';
import { idleLogin } from '../../shared/secrets/two-user.ts';
import { afterTheOther, attemptChange } from './attempt.ts';
import { authorizeManaged, refuseMismatch, withSettings } from './managed.ts';
import type { RotateSecretMessage } from './message.ts';

/** Action rotate: another credential. */
export async function rotateSecret(
  message: RotateSecretMessage,
  operation: OperationContext,
): Promise<Outcome> {
  const { secret: id, kind, strategy, scheduled } = message;
  const found = await getSecret(id);
  const known = readManaged(found);
  refuseMismatch(id, known, { kind, strategy });
  const managed = withSettings(known, message);
  authorizeManaged(message, managed);
  refuseAliases(found);
  try {
    if (operation.dryRun) return await plan(id, managed, await observe(id), message, operation);
    return await attemptChange(operation, id, managed, async (begun) => {
      // Not before: until it was begun, others may have changed the secret.
      const seen = await observe(id);
      return rotateAt({ ...begun, id, managed, seen, force: message.force, action: 'rotate' }, operation);
    });
  } catch (error) {
    if (error instanceof InGrace && scheduled) return recently(id, error.until, operation);
    throw scheduled ? afterTheOther(error) : error;
  }
}

export interface RotationStart {
  readonly id: string;
  readonly managed: ManagedSecret;
  readonly seen: Observation;
  readonly epoch: number;
  readonly record: SecretRecord;
  readonly force: boolean;
  readonly action: SecretEvent['action'];
}

/** Rotates, and says in the registry what is so now and what is to be done when. */
export async function rotateAt(start: RotationStart, operation: OperationContext): Promise<Outcome> {
  const { id, managed, record, action } = start;
  const rotation = {
    ...start,
    operation,
    cache: new Map(),
    changes: [],
    beforeBreaking: () => refuseInGrace(start, record),
  };
  const rotated = await rotateByStrategy(rotation);
  const { current, momentMs } = rotated;
  // An attempt that is resumed after the aliases were moved doesn't see any more where they were.
  const former = record.current !== null && record.current !== current ? record.current : null;
  const previous = rotated.previous ?? former;
  const now = new Date();
  const actor = operation.asked.claimedActor;
  await settleChange(operation, id, {
    event: { action, version: current, ...(actor === undefined ? {} : { actor }) },
    managed,
    fields: {
      current,
      previous,
      rotatedAt: now,
      retiredAt: null,
      nextRotation: dueAt(now, managed.policy, Math.random()),
      nextRetirement: previous === null ? null : graceEnd(now, managed.graceMinutes),
      failures: 0,
    },
  });
  return {
    changes: rotation.changes,
    summary: { version: current, ...(momentMs > 0 ? { momentMs: Math.ceil(momentMs) } : {}) },
  };
}

function rotateByStrategy(rotation: Rotation): Promise<Rotated> {
  const { managed } = rotation;
  if (managed.kind !== 'postgres') return rotateValue(Object.assign(rotation, { managed }));
  const ofDatabase = Object.assign(rotation, { managed });
  return managed.strategy === 'two-user' ? rotateTwoUser(ofDatabase) : rotateSingleUser(ofDatabase);
}

/** Until when what the last rotation replaced has to go on working; undefined where nothing has. */
function graceOf(
  { current, previous, versions }: Observation,
  record: SecretRecord | undefined,
  { graceMinutes }: ManagedSecret,
): Date | undefined {
  if (previous === undefined && (record?.previous ?? null) === null) return undefined;
  const rotatedAt = rotationOf({ current, versions }, record);
  if (rotatedAt === undefined) return undefined;
  const until = graceEnd(rotatedAt, graceMinutes);
  return until > new Date() ? until : undefined;
}

/** Thrown before what applications may still use would stop working. */
class InGrace extends OperationError {
  readonly until: Date;

  constructor(id: string, until: Date) {
    super(
      'GRACE_PERIOD',
      `What the last rotation of ${id} replaced has to go on working until ${until.toISOString()}: applications may still use it. Wait, or say "force": true, which breaks those.`,
      { details: { name: id, until: until.toISOString() } },
    );
    this.until = until;
  }
}

/** @throws InGrace */
function refuseInGrace(
  { id, managed, seen, force }: Pick<RotationStart, 'id' | 'managed' | 'seen' | 'force'>,
  record: SecretRecord | undefined,
): void {
  const until = force ? undefined : graceOf(seen, record, managed);
  if (until !== undefined) throw new InGrace(id, until);
}

async function recently(id: string, until: Date, operation: OperationContext): Promise<Outcome> {
  if (!operation.dryRun) await reschedule(operation, id, 'nextRotation', until);
  const message = `${id} was rotated a short while ago (its grace period ends at ${until.toISOString()}); nothing was done.`;
  return { changes: [], notes: [{ code: 'ROTATED_RECENTLY', message }] };
}

/** What a rotation would do, as far as can be said without doing it. */
async function plan(
  id: string,
  managed: ManagedSecret,
  seen: Observation,
  { force }: RotateSecretMessage,
  operation: OperationContext,
): Promise<Outcome> {
  const record = readSecretRecord(await (await secretRef(operation, id)).get());
  refuseInGrace({ id, managed, seen, force }, record);
  const add = { action: 'create', kind: 'secret version', name: id } as const;
  const move = { action: 'alter', kind: 'secret', name: id, detail: 'current is the new version' } as const;
  if (managed.kind !== 'postgres') return { changes: [add, move], statements: [] };
  const { usable, unusable } = await readCredentials(seen, managed, new Map());
  refuseUnusable(id, unusable);
  const enabled = usable.map(({ number, credential }) => ({ number, login: credential.username }));
  const [first = '', second = first] = managed.logins;
  const login =
    managed.strategy === 'two-user'
      ? idleLogin({ enabled, current: seen.current, logins: [first, second] })
      : first;
  const stale = enabled.filter((version) => version.login === login && managed.strategy === 'two-user');
  return {
    changes: [
      ...stale.map(({ number }) => ({
        action: 'alter' as const,
        kind: 'secret version',
        name: `${id}/${number}`,
        detail: 'disabled',
      })),
      { action: 'alter', kind: 'login', name: login, detail: 'another password' },
      add,
      move,
    ],
    statements: [`ALTER ROLE ${identifier(login).text} PASSWORD '<a SCRAM-SHA-256 verifier>'`],
  };
}
