import type { DocumentReference, Firestore } from '@google-cloud/firestore';
import { hash } from '../../operation/canonical.ts';
import { withDates } from '../dates.ts';

/** What is counted: the rotations of one instance, or all of them. */
export const everywhere = 'everywhere';

/** Everywhere it takes so many times the failures of one instance. */
const everywhereFactor = 4;

const haltMinutes = 60;

/** Stops scheduled rotations where one after the other fails: `breakers/{hash}`. */
export interface Breaker {
  readonly scope: string;
  /** In a row. */
  readonly failures: number;
  /** Until then none is begun; after that one at a time, until one succeeds. */
  readonly haltedUntil: Date | null;
  readonly lastCode: string | null;
}

export const breakersCollection = 'breakers';

function breakerRef(db: Firestore, scope: string): DocumentReference {
  return db.collection(breakersCollection).doc(hash('rotate-secret', scope).slice(0, 40));
}

/** The scopes that a secret's rotations count in. */
export function scopesOf(instance: string | null): string[] {
  return instance === null ? [everywhere] : [instance, everywhere];
}

/**
 * How many rotations may be begun.
 *
 * @param most while nothing is wrong
 */
export function allowedBy(breaker: Breaker | undefined, most: number, now: Date): number {
  if (!breaker?.haltedUntil) return most;
  return breaker.haltedUntil > now ? 0 : 1;
}

/** A breaker after one more failure, and whether that is what halted it. */
export function afterFailure(
  found: Breaker | undefined,
  { scope, code, limit, now }: { scope: string; code: string; limit: number; now: Date },
): { readonly breaker: Breaker; readonly halts: boolean } {
  const failures = (found?.failures ?? 0) + 1;
  const most = scope === everywhere ? limit * everywhereFactor : limit;
  const wasHalted = found?.haltedUntil ? found.haltedUntil > now : false;
  const halts = failures >= most && !wasHalted;
  const haltedUntil = halts ? new Date(now.getTime() + haltMinutes * 60_000) : (found?.haltedUntil ?? null);
  return { breaker: { scope, failures, haltedUntil, lastCode: code }, halts };
}

export async function readBreakers(
  db: Firestore,
  scopes: readonly string[],
): Promise<ReadonlyMap<string, Breaker>> {
  if (scopes.length === 0) return new Map();
  const found = await db.getAll(...scopes.map((scope) => breakerRef(db, scope)));
  const breakers = found.flatMap((one) => (one.exists ? [withDates(one.data()) as Breaker] : []));
  return new Map(breakers.map((one) => [one.scope, one]));
}

/** Counts a failure in each scope. @returns the breakers that it halted */
export async function countFailure(
  db: Firestore,
  scopes: readonly string[],
  { code, limit }: { readonly code: string; readonly limit: number },
): Promise<Breaker[]> {
  const refs = scopes.map((scope) => breakerRef(db, scope));
  return db.runTransaction(async (transaction) => {
    const found = await transaction.getAll(...refs);
    return refs.flatMap((ref, index) => {
      const before = found[index]?.exists ? (withDates(found[index].data()) as Breaker) : undefined;
      const scope = scopes[index] ?? everywhere;
      const { breaker, halts } = afterFailure(before, { scope, code, limit, now: new Date() });
      transaction.set(ref, breaker);
      return halts ? [breaker] : [];
    });
  });
}

/** Something succeeded: what failed before is no series any more. */
export async function countSuccess(db: Firestore, scopes: readonly string[]): Promise<void> {
  const failed = await readBreakers(db, scopes);
  await Promise.all([...failed.keys()].map((scope) => breakerRef(db, scope).delete()));
}
