import type { DocumentReference, DocumentSnapshot, Transaction } from '@google-cloud/firestore';
import type { OperationContext } from '../../operation/definition.ts';
import { withDates } from '../dates.ts';
import {
  type Begun,
  type ClaimConflict,
  decideClaims,
  decideManifest,
  heldClaims,
  isSamePlace,
  type Late,
  type ManifestWish,
  type Sent,
  scopeKey,
  sentIn,
} from './decide.ts';
import {
  type Claimed,
  type ClaimsDocument,
  type Holders,
  type ManifestCounts,
  type ManifestPlace,
  type ManifestRecord,
  type ManifestState,
  manifestClaimsCollection,
  manifestsCollection,
} from './model.ts';

type Registry = Pick<OperationContext, 'registry'>;

/** The document of a manifest. */
export function manifestRef(
  operation: Registry,
  { bucket, object }: ManifestPlace,
): Promise<DocumentReference> {
  return operation.registry(manifestsCollection, bucket, object);
}

export function readManifestRecord(snapshot: DocumentSnapshot | undefined): ManifestRecord | undefined {
  const data = snapshot?.data();
  return data === undefined ? undefined : (withDates(data) as ManifestRecord);
}

/** What a generation asks for. */
export interface Beginning {
  readonly place: ManifestPlace;
  readonly wish: ManifestWish & { readonly event: 'OBJECT_FINALIZE' };
  readonly text: string;
  readonly claims: readonly Claimed[];
  /** What it no longer speaks of, and grants are taken back in: as far as nobody else speaks of it. */
  readonly revoking: readonly Claimed[];
}

/** What an operation may go on with. */
export interface BegunManifest extends Begun, Sent {
  /** Of `revoking`, what is still its own. */
  readonly held: readonly Claimed[];
}

/** Others speak of it, as far as is known. */
export interface Conflicting {
  readonly kind: 'conflict';
  readonly conflicts: readonly ClaimConflict[];
}

/**
 * Begins a generation of a manifest, or goes on with it: its text and its claims are written down before anything is done about
 * them. Nothing is written where something newer was begun or others speak of the same things.
 *
 * @param goneAs of holders whose objects are known to be gone, what {@link stampOf} said before that was found out: their claims
 *   are taken over, if that is still so
 * @throws OperationError `LEASE_LOST`
 */
export async function beginManifest(
  operation: Pick<OperationContext, 'registry' | 'transact'>,
  { place, wish, text, claims, revoking }: Beginning,
  goneAs: (holder: ManifestPlace) => string | undefined,
): Promise<BegunManifest | Late | Conflicting> {
  const ref = await manifestRef(operation, place);
  return operation.transact([ref], async (transaction, [snapshot]) => {
    const found = readManifestRecord(snapshot);
    const decision = decideManifest(found, wish);
    if (decision.kind === 'late') return decision;
    const former = found?.claims ?? [];
    const documents = await readClaims(operation, transaction, [...former, ...claims, ...revoking]);
    const holders = holdersOf(documents);
    const held = heldClaims(place, revoking, holders);
    const all = [...claims, ...held];
    const isGone = (holder: ManifestPlace) => goneAs(holder) !== undefined;
    const { conflicts, changed, from } = decideClaims(place, former, all, holders, isGone);
    if (conflicts.length > 0) return { kind: 'conflict', conflicts };
    const records = await readRecords(operation, transaction, from);
    const back = from.filter((holder, at) => stampOf(records[at]) !== goneAs(holder));
    if (back.length > 0) {
      // Uploaded again since it was looked for.
      const isBack = ({ holder }: ClaimConflict) => back.some((one) => isSamePlace(one, holder));
      const again = decideClaims(place, former, all, holders, () => false).conflicts;
      return { kind: 'conflict', conflicts: again.filter(isBack) };
    }
    const forced = decision.forced || records.some((record) => record?.settled === false);
    const sent = sentIn(found);
    writeClaims(transaction, documents, changed);
    transaction.set(ref, {
      ...place,
      generation: wish.generation,
      state: 'applying',
      operation: wish.operation,
      round: decision.round,
      ended: false,
      settled: false,
      forced,
      text,
      before: decision.before,
      claims: all,
      ...sent,
      counts: null,
      changedAt: new Date(),
    } satisfies ManifestRecord);
    return { ...decision, ...sent, forced, held };
  });
}

/** Who speaks of what, as it is just now: for a dry run. */
export async function findConflicts(
  operation: Registry,
  place: ManifestPlace,
  claims: readonly Claimed[],
): Promise<readonly ClaimConflict[]> {
  const refs = await claimRefs(operation, claims);
  const [first] = refs.values();
  if (first === undefined) return [];
  const snapshots = await first.ref.firestore.getAll(...[...refs.values()].map(({ ref }) => ref));
  const documents = new Map([...refs.keys()].map((key, at) => [key, readHolders(snapshots[at])]));
  return decideClaims(place, [], claims, documents, () => false).conflicts;
}

/** A deletion that was begun. */
export interface BegunDeletion extends Begun, Sent {
  /** As it was before. */
  readonly record: ManifestRecord;
  /** What of its claims nobody has taken over. */
  readonly held: readonly Claimed[];
}

/**
 * Begins to take back what a manifest granted whose object is gone. Its claims stay until that is done.
 *
 * @returns undefined where nothing of it was ever begun
 */
export async function beginDeletion(
  operation: Pick<OperationContext, 'registry' | 'transact'>,
  place: ManifestPlace,
  wish: ManifestWish & { readonly event: 'OBJECT_DELETE' },
): Promise<BegunDeletion | Late | undefined> {
  const ref = await manifestRef(operation, place);
  return operation.transact([ref], async (transaction, [snapshot]) => {
    const found = readManifestRecord(snapshot);
    if (found === undefined) return undefined;
    const decision = decideManifest(found, wish);
    if (decision.kind === 'late') return decision;
    const documents = await readClaims(operation, transaction, found.claims);
    const held = heldClaims(place, found.claims, holdersOf(documents));
    const sent = sentIn(found);
    if (found.state === 'deleted') return { ...decision, ...sent, record: found, held: [] };
    transaction.set(ref, {
      ...found,
      generation: wish.generation,
      state: 'deleting',
      operation: wish.operation,
      round: decision.round,
      ended: false,
      settled: false,
      forced: decision.forced,
      before: decision.before,
      changedAt: new Date(),
    } satisfies ManifestRecord);
    return { ...decision, ...sent, record: found, held };
  });
}

/** What a run came to. */
export interface ManifestEnd {
  readonly generation: string;
  readonly state: Exclude<ManifestState, 'applying'>;
  readonly counts: ManifestCounts;
  /** What it speaks of from now on. */
  readonly claims: readonly Claimed[];
}

/**
 * Writes down that a run came to its end, with nothing left on its way.
 *
 * @returns whether it did; else something newer was begun meanwhile
 */
export async function endManifest(
  operation: Pick<OperationContext, 'id' | 'registry' | 'transact'>,
  place: ManifestPlace,
  { generation, state, counts, claims }: ManifestEnd,
): Promise<boolean> {
  const ref = await manifestRef(operation, place);
  return operation.transact([ref], async (transaction, [snapshot]) => {
    const found = readManifestRecord(snapshot);
    if (found?.generation !== generation || found.operation !== operation.id) return false;
    const isDone = state === 'applied' || state === 'deleted';
    const documents = await readClaims(operation, transaction, found.claims);
    const holders = holdersOf(documents);
    // What somebody else has taken over meanwhile isn't taken back.
    const kept = heldClaims(place, claims, holders);
    writeClaims(
      transaction,
      documents,
      decideClaims(place, found.claims, kept, holders, () => false).changed,
    );
    transaction.set(ref, {
      ...found,
      state,
      counts,
      ended: true,
      settled: true,
      sent: {},
      ...(isDone ? { forced: false, before: [] } : {}),
      ...(state === 'deleted' ? { text: null } : {}),
      claims: kept,
      changedAt: new Date(),
    } satisfies ManifestRecord);
    return true;
  });
}

/** Another one for each time that something is begun about a manifest. */
export function stampOf(record: ManifestRecord | undefined): string {
  return record === undefined ? '' : JSON.stringify([record.generation, record.operation, record.round]);
}

interface ClaimsAt {
  readonly ref: DocumentReference;
  readonly holders: Holders;
}

async function claimRefs(
  operation: Registry,
  claims: readonly Claimed[],
): Promise<Map<string, Pick<ClaimsAt, 'ref'>>> {
  const scopes = new Map(claims.map(({ scope }) => [scopeKey(scope), scope]));
  const refs = [...scopes].map(async ([key, scope]) => {
    const ref = await operation.registry(manifestClaimsCollection, ...scope);
    return [key, { ref }] as const;
  });
  return new Map(await Promise.all(refs));
}

async function readClaims(
  operation: Registry,
  transaction: Transaction,
  claims: readonly Claimed[],
): Promise<ReadonlyMap<string, ClaimsAt>> {
  const refs = [...(await claimRefs(operation, claims))];
  if (refs.length === 0) return new Map();
  const snapshots = await transaction.getAll(...refs.map(([, { ref }]) => ref));
  return new Map(refs.map(([key, { ref }], at) => [key, { ref, holders: readHolders(snapshots[at]) }]));
}

function readHolders(snapshot: DocumentSnapshot | undefined): Holders {
  return (snapshot?.data() as ClaimsDocument | undefined)?.holders ?? {};
}

function holdersOf(documents: ReadonlyMap<string, ClaimsAt>): ReadonlyMap<string, Holders> {
  return new Map([...documents].map(([key, { holders }]) => [key, holders]));
}

function writeClaims(
  transaction: Transaction,
  documents: ReadonlyMap<string, ClaimsAt>,
  changed: ReadonlyMap<string, ClaimsDocument>,
): void {
  for (const [key, document] of changed) {
    const ref = documents.get(key)?.ref;
    if (ref === undefined) continue;
    if (Object.keys(document.holders).length === 0) transaction.delete(ref);
    else transaction.set(ref, document);
  }
}

/** Of those whose claims are taken over: what they asked for may still be on its way, to things that are another one's now. */
async function readRecords(
  operation: Registry,
  transaction: Transaction,
  places: readonly ManifestPlace[],
): Promise<(ManifestRecord | undefined)[]> {
  if (places.length === 0) return [];
  const refs = await Promise.all(places.map((place) => manifestRef(operation, place)));
  return (await transaction.getAll(...refs)).map(readManifestRecord);
}
