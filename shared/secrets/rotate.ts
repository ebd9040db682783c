import type { OperationContext } from '../operation/definition.ts';
import { OperationError } from '../operation/errors.ts';
import type { Outcome } from '../operation/outcome.ts';
import type { SecretEvent, SecretRecord } from '../registry/secrets/model.ts';
import { settleChange } from '../registry/secrets/store.ts';
import type { ManagedSecret } from './managed.ts';
import type { Observation } from './observe.ts';
import { rotateSingleUser } from './rotate-single-user.ts';
import { rotateTwoUser } from './rotate-two-user.ts';
import { rotateValue } from './rotate-value.ts';
import type { Rotated, Rotation } from './rotation.ts';
import { dueAt, graceEnd, rotationOf } from './schedule.ts';

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
export class InGrace extends OperationError {
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
export function refuseInGrace(
  { id, managed, seen, force }: Pick<RotationStart, 'id' | 'managed' | 'seen' | 'force'>,
  record: SecretRecord | undefined,
): void {
  const until = force ? undefined : graceOf(seen, record, managed);
  if (until !== undefined) throw new InGrace(id, until);
}
