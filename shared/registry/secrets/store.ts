import type { DocumentReference, DocumentSnapshot } from '@google-cloud/firestore';
import type { OperationContext } from '../../operation/definition.ts';
import { OperationError } from '../../operation/errors.ts';
import type { ManagedSecret } from '../../secrets/managed.ts';
import { againAt, dueAt } from '../../secrets/schedule.ts';
import { withDates } from '../dates.ts';
import { hasEnded } from '../grants/store.ts';
import { operationsCollection } from '../operations.ts';
import { mostHistory, type SecretEvent, type SecretRecord, secretsCollection } from './model.ts';

/** The document of a secret. */
export function secretRef(
  operation: Pick<OperationContext, 'registry'>,
  secret: string,
): Promise<DocumentReference> {
  return operation.registry(secretsCollection, secret);
}

export function readSecretRecord(snapshot: DocumentSnapshot | undefined): SecretRecord | undefined {
  const data = snapshot?.data();
  return data === undefined ? undefined : (withDates(data) as SecretRecord);
}

const fresh = {
  epoch: 0,
  open: null,
  current: null,
  previous: null,
  rotatedAt: null,
  retiredAt: null,
  nextRotation: null,
  nextRetirement: null,
  failures: 0,
  last: null,
  history: [],
} satisfies Partial<SecretRecord>;

/** The fields that say what a secret is: as the secret itself says it. */
function identityOf(secret: string, managed: ManagedSecret) {
  const { kind, graceMinutes, policy } = managed;
  const nothing = { strategy: null, instance: null, database: null, schema: null, role: null, logins: [] };
  if (managed.kind !== 'postgres') return { secret, kind, graceMinutes, policy, ...nothing };
  const { strategy, instance, database, schema, role, logins } = managed;
  return { secret, kind, graceMinutes, policy, strategy, instance, database, schema, role, logins };
}

export interface Begun {
  readonly ref: DocumentReference;
  /** The number of this attempt. */
  readonly epoch: number;
  readonly record: SecretRecord;
  /** What this operation has come to before. */
  readonly settled?: SecretEvent;
}

/**
 * Begins a change to a secret, or goes on with one, under a number of its own. One at a time: another operation that has
 * not ended stands against it.
 *
 * @param atLeast the number that was found on a login, where it refused this operation's
 * @throws OperationError `ROTATION_UNDER_WAY`, `LEASE_LOST`
 */
export async function beginChange(
  operation: OperationContext,
  secret: string,
  managed: ManagedSecret,
  atLeast = 0,
): Promise<Begun> {
  const ref = await secretRef(operation, secret);
  return operation.transact([ref], async (transaction, [snapshot]) => {
    const found = readSecretRecord(snapshot);
    const open = found?.open;
    // It came to its end in an attempt before this one, whatever others are at since.
    const settled = found?.history.find((one) => one.operation === operation.id && one.code === undefined);
    if (found && settled) return { ref, epoch: found.epoch, record: found, settled };
    if (open && open.operation !== operation.id) {
      const other = await transaction.get(ref.firestore.collection(operationsCollection).doc(open.operation));
      if (!hasEnded(other)) throw underWay(secret, open.operation);
    }
    const isResumed = open?.operation === operation.id;
    const record: SecretRecord = {
      ...fresh,
      ...found,
      ...identityOf(secret, managed),
      epoch: Math.max(found?.epoch ?? 0, atLeast) + 1,
      open: isResumed ? open : { operation: operation.id, since: new Date() },
    };
    transaction.set(ref, record);
    return { ref, epoch: record.epoch, record };
  });
}

function underWay(secret: string, other: string): OperationError {
  return new OperationError(
    'ROTATION_UNDER_WAY',
    `Another operation is changing the secret ${secret} (${other}). Look at it first: drover operations ${other}`,
    { details: { name: secret, operation: other } },
  );
}

/** Ends a change that came to nothing, so that another one may begin. */
export async function endChange(operation: OperationContext, ref: DocumentReference): Promise<void> {
  await operation.transact([ref], async (transaction, [snapshot]) => {
    if (readSecretRecord(snapshot)?.open?.operation === operation.id) transaction.update(ref, { open: null });
  });
}

/** What an operation has come to. */
export interface Settled {
  readonly event: Omit<SecretEvent, 'at' | 'operation'>;
  readonly managed: ManagedSecret;
  readonly fields: Partial<
    Pick<
      SecretRecord,
      'current' | 'previous' | 'rotatedAt' | 'retiredAt' | 'nextRotation' | 'nextRetirement' | 'failures'
    >
  >;
}

/** A record that was made anew, for the registry was lost, has no date yet. */
function scheduled(
  found: SecretRecord | undefined,
  { policy }: ManagedSecret,
  rotatedAt: Date | null = null,
) {
  if (policy === null) return null;
  return found?.nextRotation ?? dueAt(rotatedAt ?? found?.rotatedAt ?? new Date(), policy, Math.random());
}

/** Ends a change in the registry: what is so now, and what is to be done when. */
export async function settleChange(
  operation: OperationContext,
  secret: string,
  { event, managed, fields }: Settled,
): Promise<void> {
  const ref = await secretRef(operation, secret);
  await operation.transact([ref], async (transaction, [snapshot]) => {
    const found = readSecretRecord(snapshot);
    const entry: SecretEvent = { at: new Date(), operation: operation.id, ...event };
    const isOthers = found?.open && found.open.operation !== operation.id;
    const record: SecretRecord = {
      ...fresh,
      ...found,
      ...identityOf(secret, managed),
      ...fields,
      nextRotation: fields.nextRotation ?? scheduled(found, managed, fields.rotatedAt),
      open: isOthers ? found.open : null,
      last: entry,
      history: [entry, ...(found?.history ?? [])].slice(0, mostHistory),
    };
    transaction.set(ref, record);
  });
}

/**
 * Writes down that something failed for good. What a schedule asked for is asked for again some days later.
 *
 * @param scheduled nobody else will ask again
 */
export async function recordFailure(
  operation: OperationContext,
  secret: string,
  event: Omit<SecretEvent, 'at' | 'operation'>,
  scheduled: boolean,
): Promise<void> {
  const ref = await secretRef(operation, secret);
  await operation.transact([ref], async (transaction, [snapshot]) => {
    const found = readSecretRecord(snapshot);
    if (found === undefined) return;
    const now = new Date();
    const entry: SecretEvent = { at: now, operation: operation.id, ...event };
    const failures = found.failures + 1;
    const again = againAt(now, failures);
    transaction.set(ref, {
      ...found,
      failures,
      ...(scheduled && found.nextRotation && found.nextRotation <= now ? { nextRotation: again } : {}),
      ...(event.action === 'retire' && found.nextRetirement ? { nextRetirement: again } : {}),
      last: entry,
      history: [entry, ...found.history].slice(0, mostHistory),
    });
  });
}

/** Moves what is due of a secret to another time, or says that nothing is. */
export async function reschedule(
  operation: OperationContext,
  secret: string,
  field: 'nextRotation' | 'nextRetirement',
  at: Date | null,
): Promise<void> {
  const ref = await secretRef(operation, secret);
  await operation.transact([ref], async (transaction, [snapshot]) => {
    if (snapshot?.exists) transaction.update(ref, { [field]: at });
  });
}
