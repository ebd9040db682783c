import {
  type Claimed,
  type Holders,
  type ManifestPlace,
  type ManifestRecord,
  type ManifestText,
  mostTextBytes,
} from './model.ts';

export type ManifestEvent = 'OBJECT_FINALIZE' | 'OBJECT_DELETE';

/** Which generation an operation is about, and what became of it. */
export interface ManifestWish {
  readonly event: ManifestEvent;
  readonly generation: string;
  readonly operation: string;
}

export interface Begun {
  readonly kind: 'begun';
  readonly round: number;
  readonly forced: boolean;
  readonly before: readonly ManifestText[];
}

/** Something newer was begun, or it is done. */
export interface Late {
  readonly kind: 'late';
  readonly generation: string;
}

/**
 * Whether an operation may go on with a manifest, and how. Generations rise; a deletion comes after what it deletes.
 */
export function decideManifest(found: ManifestRecord | undefined, wish: ManifestWish): Begun | Late {
  if (found === undefined) return { kind: 'begun', round: 1, forced: false, before: [] };
  const isGone = found.state === 'deleted' || found.state === 'deleting';
  const [mine, known] = [BigInt(wish.generation), BigInt(found.generation)];
  const isLate = mine < known || (mine === known && isGone && wish.event === 'OBJECT_FINALIZE');
  if (isLate) return { kind: 'late', generation: found.generation };
  const isSame = mine === known && isGone === (wish.event === 'OBJECT_DELETE');
  if (isSame) {
    const goesOn = found.operation === wish.operation && !found.ended;
    return {
      kind: 'begun',
      round: goesOn ? found.round : found.round + 1,
      forced: found.forced,
      before: found.before,
    };
  }
  return { kind: 'begun', round: 1, forced: !found.settled, before: formerTexts(found) };
}

/** The newest last. What a whole run took care of is forgotten. */
export function formerTexts({
  state,
  generation,
  text,
  before,
}: Pick<ManifestRecord, 'state' | 'generation' | 'text' | 'before'>): ManifestText[] {
  if (state === 'deleted' || text === null) return [];
  const last = { generation, text, applied: state === 'applied' };
  // Whoever uploads the same again and again says no more by that.
  const others = before.filter((one) => one.text !== text);
  const texts = state === 'applied' ? [last] : [...others, last];
  let bytes = 0;
  const kept = texts.toReversed().filter((one) => {
    bytes += Buffer.byteLength(one.text);
    return bytes <= mostTextBytes;
  });
  return kept.reverse();
}

/** Something that a manifest speaks of, and another one does already. */
export interface ClaimConflict {
  readonly scope: readonly string[];
  readonly name: string;
  readonly holder: ManifestPlace;
}

export interface DecidedClaims {
  readonly conflicts: readonly ClaimConflict[];
  /** What the documents have to be, by {@link scopeKey}: those that change. */
  readonly changed: ReadonlyMap<string, { readonly scope: readonly string[]; readonly holders: Holders }>;
  /** Whose claims were taken over: their objects are gone. */
  readonly from: readonly ManifestPlace[];
}

export function scopeKey(scope: readonly string[]): string {
  return JSON.stringify(scope);
}

export function isSamePlace(a: ManifestPlace, b: ManifestPlace): boolean {
  return a.bucket === b.bucket && a.object === b.object;
}

/**
 * What becomes of claims when a manifest speaks of other things than before.
 *
 * @param documents who speaks of what, by {@link scopeKey}, of all scopes in `before` and `now`
 * @param isGone whether a holder's object is known to be gone
 */
export function decideClaims(
  me: ManifestPlace,
  before: readonly Claimed[],
  now: readonly Claimed[],
  documents: ReadonlyMap<string, Holders>,
  isGone: (holder: ManifestPlace) => boolean,
): DecidedClaims {
  const conflicts: ClaimConflict[] = [];
  const from = new Map<string, ManifestPlace>();
  const changed = new Map<string, { scope: readonly string[]; holders: Holders }>();
  const scopes = new Map([...before, ...now].map(({ scope }) => [scopeKey(scope), scope]));
  for (const [key, scope] of scopes) {
    const known = documents.get(key) ?? {};
    const wanted = new Set(namesIn(now, key));
    const holders = new Map(Object.entries(known).filter(([, holder]) => !isSamePlace(holder, me)));
    for (const name of wanted) {
      const holder = holders.get(name);
      if (holder && !isGone(holder)) conflicts.push({ scope, name, holder });
      else if (holder) from.set(JSON.stringify([holder.bucket, holder.object]), holder);
      if (!holder || isGone(holder)) holders.set(name, { bucket: me.bucket, object: me.object });
    }
    const differs =
      holders.size !== Object.keys(known).length ||
      [...holders].some(([name, holder]) => !Object.hasOwn(known, name) || !isSameAs(known[name], holder));
    if (differs) changed.set(key, { scope, holders: Object.fromEntries(holders) });
  }
  return { conflicts, changed, from: [...from.values()] };
}

/** What of a manifest's claims is still its own. */
export function heldClaims(
  me: ManifestPlace,
  claims: readonly Claimed[],
  documents: ReadonlyMap<string, Holders>,
): Claimed[] {
  return claims.map(({ scope, names }) => {
    const holders = documents.get(scopeKey(scope)) ?? {};
    const isMine = (name: string) => Object.hasOwn(holders, name) && isSameAs(holders[name], me);
    return { scope, names: names.filter(isMine) };
  });
}

function isSameAs(known: ManifestPlace | undefined, other: ManifestPlace): boolean {
  return known !== undefined && isSamePlace(known, other);
}

function namesIn(claims: readonly Claimed[], key: string): string[] {
  return claims.flatMap(({ scope, names }) => (scopeKey(scope) === key ? names : []));
}

/** What was sent before something was begun. */
export interface Sent {
  readonly sent: ManifestRecord['sent'];
  readonly grantedBy: ManifestRecord['grantedBy'];
}

/** Records of before this was written down say nothing of it. */
export function sentIn(found: ManifestRecord | undefined): Sent {
  return { sent: found?.sent ?? {}, grantedBy: found?.grantedBy ?? [] };
}
