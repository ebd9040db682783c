import pg from 'pg';
import { OperationError } from '../operation/errors.ts';
import { rejection } from './rejection.ts';
import type { Session } from './session.ts';
import { formatTarget, type Target } from './target.ts';

/** What a borrower may say about the connection it has. */
export interface Loan {
  /** The session's state is unknown, or it was changed for good: close it instead of lending it again. */
  discard(): void;
}

export type Use<T> = (client: pg.ClientBase, loan: Loan) => Promise<T>;

export interface LoanOutcome<T> {
  readonly fate: 'keep' | 'discard';
  /** Returns what the borrower returned or throws what it threw. */
  result(): T;
}

/**
 * Lets a borrower use a session, and judges what has become of it. Only a session without a transaction is lent again,
 * and after an error only if it was one that code knows to handle: PostgreSQL's, or ours.
 *
 * @param signal ends the loan at once: the socket is closed, so that the server rolls back
 */
export async function lend<T>(
  session: Session,
  target: Target,
  signal: AbortSignal,
  use: Use<T>,
): Promise<LoanOutcome<T>> {
  let discarded = false;
  const discard = () => {
    discarded = true;
  };
  const aborted = rejection(signal);
  try {
    const value = await Promise.race([use(session, { discard }), aborted]);
    if (session.getTransactionStatus() !== 'I') throw leftOpen(target);
    return { fate: discarded ? 'discard' : 'keep', result: () => value };
  } catch (error) {
    const keep = !signal.aborted && !discarded && isKnown(error) && (await isClean(session, aborted));
    if (signal.aborted) {
      session.destroy();
      return failed('discard', signal.reason);
    }
    return failed(keep ? 'keep' : 'discard', explain(error, session, target));
  }
}

/** The outcome where the borrower had gone before there was anything to lend. */
export function unused(signal: AbortSignal): LoanOutcome<never> {
  return failed('keep', signal.reason);
}

function failed(fate: LoanOutcome<never>['fate'], error: unknown): LoanOutcome<never> {
  return {
    fate,
    result() {
      throw error;
    },
  };
}

function isKnown(error: unknown): boolean {
  return error instanceof pg.DatabaseError || error instanceof OperationError;
}

/** Whether nothing is left of what the borrower began: pipelined statements may still be under way behind the failed one. */
async function isClean(session: Session, aborted: Promise<never>): Promise<boolean> {
  try {
    await Promise.race([session.query(''), aborted]);
    return session.getTransactionStatus() === 'I';
  } catch {
    return false;
  }
}

/** A lost connection shows in node-postgres as errors without a code, or as whatever statement came after. */
function explain(error: unknown, session: Session, target: Target): unknown {
  const lost = session.failure !== undefined || session.ended;
  if (!lost || isKnown(error)) return error;
  const because = session.failure ?? error;
  return new OperationError(
    'CONNECTION_LOST',
    `The connection to ${formatTarget(target)} was lost: ${because instanceof Error ? because.message : String(because)}`,
    { retryable: true, cause: because },
  );
}

function leftOpen(target: Target): Error {
  return new Error(`A transaction on ${formatTarget(target)} was neither committed nor rolled back`);
}
