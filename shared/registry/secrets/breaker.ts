import type { DocumentReference, Firestore } from '@google-cloud/firestore';
import { hash } from '../../operation/canonical.ts';
import { withDates } from '../dates.ts';

/** What is counted: the rotations of one instance, or all of them. */
export const everywhere = 'everywhere';

/** Everywhere it takes so many times the failures of one instance. */
const everywhereFactor = 4;

const haltMinutes = 60;

const mostRemembered = 100;

/** Stops scheduled rotations where one after the other fails: `breakers/{hash}`. */
export interface Breaker {
  readonly scope: string;
  /** In a row. */
  readonly failures: number;
  /** Until then none is begun; after that one at a time, until one succeeds. */
  readonly haltedUntil: Date | null;
  readonly lastCode: string | null;
  /** Those that were counted last: one that is delivered again and again is one failure. */
  readonly operations: readonly string[];
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
 * How many rotations may be begun. After a halt one at a time is tried; those that have hung since before it don't count.
 *
 * @param most while nothing is wrong
 * @param running since when others are under way
 */
export function roomIn(
  breaker: Breaker | undefined,
  most: number,
  running: readonly Date[],
  now: Date,
): number {
  const halted = breaker?.haltedUntil;
  if (!halted) return most - running.length;
  return halted > now ? 0 : 1 - running.filter((since) => since > halted).length;
}

/** A scheduled rotation that failed, or an attempt at it. */
export interface Failure {
  readonly code: string;
  readonly operation: string;
  /** How many in a row halt an instance. */
  readonly limit: number;
}

/** A breaker after one more failure, and whether that is what halted it. */
export function afterFailure(
  found: Breaker | undefined,
  { scope, code, operation, limit, now }: Failure & { scope: string; now: Date },
): { readonly breaker: Breaker; readonly halts: boolean } {
  if (found?.operations.includes(operation)) return { breaker: found, halts: false };
  const failures = (found?.failures ?? 0) + 1;
  const most = scope === everywhere ? limit * everywhereFactor : limit;
  const wasHalted = found?.haltedUntil ? found.haltedUntil > now : false;
  const halts = failures >= most && !wasHalted;
  const haltedUntil = halts ? new Date(now.getTime() + haltMinutes * 60_000) : (found?.haltedUntil ?? null);
  const operations = [operation, ...(found?.operations ?? [])].slice(0, mostRemembered);
  return { breaker: { scope, failures, haltedUntil, lastCode: code, operations }, halts };
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
  failure: Failure,
): Promise<Breaker[]> {
  const refs = scopes.map((scope) => breakerRef(db, scope));
  return db.runTransaction(async (transaction) => {
    const found = await transaction.getAll(...refs);
    return refs.flatMap((ref, index) => {
      const before = found[index]?.exists ? (withDates(found[index].data()) as Breaker) : undefined;
      const scope = scopes[index] ?? everywhere;
      const { breaker, halts } = afterFailure(before, { scope, ...failure, now: new Date() });
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
