import type { Firestore } from '@google-cloud/firestore';
import { config } from '../../shared/config.ts';
import { firestore } from '../../shared/gcp/firestore.ts';
import { publish } from '../../shared/gcp/pubsub.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Change, Note } from '../../shared/operation/outcome.ts';
import { attribute } from '../../shared/operation/request.ts';
import { withDates } from '../../shared/registry/dates.ts';
import { hasEnded } from '../../shared/registry/grants/store.ts';
import { operationDocumentId, operationsCollection } from '../../shared/registry/operations.ts';
import { everywhere, readBreakers } from '../../shared/registry/secrets/breaker.ts';
import { type SecretRecord, secretsCollection } from '../../shared/registry/secrets/model.ts';
import { chooseRotations, type DueSecret } from './wave.ts';

/** Of one kind in one tick; the rest has its turn in the next. */
const mostPerTick = 500;

type Known = Pick<SecretRecord, 'secret' | 'instance' | 'open' | 'epoch' | 'nextRotation' | 'nextRetirement'>;

const fields = ['secret', 'instance', 'open', 'epoch', 'nextRotation', 'nextRetirement'];

/** Publishes what is to be done about secrets: rotations that are due, and what can be put out of use. */
export async function publishDueSecrets(
  operation: OperationContext,
): Promise<{ changes: Change[]; notes: Note[]; summary: Record<string, number> }> {
  const db = await firestore();
  const now = new Date();
  const [rotations, retirements] = await Promise.all([
    dueBy(db, 'nextRotation', now),
    dueBy(db, 'nextRetirement', now),
  ]);
  const wave = rotations.length === 0 ? { chosen: [], halted: [] } : await chooseFrom(db, rotations, now);
  const retiring = await withoutEnded(db, retirements, (one) => retirementId(one, now));
  const messages = [
    ...wave.chosen.map((one) => ({
      data: { secret: one.secret, scheduled: true },
      id: rotationId(one, now),
    })),
    ...retiring.map((one) => ({
      data: { secret: one.secret, action: 'retire' },
      id: retirementId(one, now),
    })),
  ];
  if (!operation.dryRun) {
    const sending = messages.map(({ data, id }) =>
      publish('rotate-secret', Buffer.from(JSON.stringify(data)), { [attribute.operationId]: id }),
    );
    await Promise.all(sending);
  }
  return {
    changes: messages.map(({ data }) => ({
      action: 'create',
      kind: 'message',
      name: `${'action' in data ? 'retire' : 'rotate'} ${data.secret}`,
    })),
    notes: wave.halted.map(({ scope, haltedUntil, lastCode }) => ({
      code: 'ROTATIONS_HALTED',
      message: `Scheduled rotations ${scope === everywhere ? 'everywhere' : `on ${scope}`} are halted until ${haltedUntil?.toISOString()}: several failed in a row, the last with ${lastCode}.`,
    })),
    summary: { rotations: wave.chosen.length, retirements: retiring.length },
  };
}

async function dueBy(db: Firestore, field: 'nextRotation' | 'nextRetirement', now: Date): Promise<Known[]> {
  const query = db.collection(secretsCollection).where(field, '<=', now).orderBy(field).limit(mostPerTick);
  const { docs } = await query.select(...fields).get();
  return docs.map((document) => withDates(document.data()) as Known);
}

/** A second message about the same is known by its id; one that failed for good may come again the next day. */
function rotationId({ secret, epoch, nextRotation }: Known, now: Date): string {
  return `${secret}@${nextRotation?.toISOString()}.${epoch}.${dayOf(now)}`;
}

function retirementId({ secret, epoch, nextRetirement }: Known, now: Date): string {
  return `${secret}.retire@${nextRetirement?.toISOString()}.${epoch}.${dayOf(now)}`;
}

function dayOf(now: Date): string {
  return now.toISOString().slice(0, 10);
}

/** What ended without moving the secret's date, refused by the policy say, must not take the place of others. */
async function withoutEnded(
  db: Firestore,
  secrets: readonly Known[],
  idOf: (secret: Known) => string,
): Promise<Known[]> {
  if (secrets.length === 0) return [];
  const operations = secrets.map((one) =>
    db
      .collection(operationsCollection)
      .doc(operationDocumentId('rotate-secret', { operationId: idOf(one), dryRun: false })),
  );
  const records = await db.getAll(...operations);
  return secrets.filter((_, index) => !records[index]?.exists || !hasEnded(records[index]));
}

async function chooseFrom(db: Firestore, all: readonly Known[], now: Date) {
  const due = await withoutEnded(db, all, (one) => rotationId(one, now));
  const since = db.collection(secretsCollection).where('open.since', '>', new Date(0));
  const { docs } = await since.select(...fields).get();
  const open = docs.map((document) => withDates(document.data()) as Known);
  const running = await stillOpen(db, open);
  const scopes = [everywhere, ...new Set(due.flatMap(({ instance }) => instance ?? []))];
  return chooseRotations({
    due: due.map((one): DueSecret & Known => ({ ...one, running: running.has(one.secret) })),
    running: open
      .filter(({ secret }) => running.has(secret))
      .map((one) => ({ ...one, since: one.open?.since ?? now })),
    breakers: await readBreakers(db, scopes),
    limits: { all: config().DROVER_ROTATIONS_AT_A_TIME, instance: config().DROVER_ROTATIONS_PER_INSTANCE },
    now,
  });
}

/** A worker that was given up left its secret open: that one is nobody's any more. */
async function stillOpen(db: Firestore, open: readonly Known[]): Promise<Set<string>> {
  if (open.length === 0) return new Set();
  const operations = open.map((one) => db.collection(operationsCollection).doc(one.open?.operation ?? ''));
  const records = await db.getAll(...operations);
  return new Set(
    open.filter((_, index) => records[index] && !hasEnded(records[index])).map(({ secret }) => secret),
  );
}
