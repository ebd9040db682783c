import type { OperationContext } from '../../../shared/operation/definition.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { isServerError } from '../../../shared/postgres/sqlstate.ts';
import { formatTarget } from '../../../shared/postgres/target.ts';
import type { TablePlace } from './target.ts';

/**
 * How long the table of a schema may take. It is its owner's, who may have put code on it that never ends: others' images must not have
 * to wait for that. Tests are less patient.
 */
export const patience = {
  /** Of a statement, which PostgreSQL ends then. Code can hide from that. */
  statementMs: 10_000,
  /** Of all that is done with one connection: a transaction, of a few statements and a look at the bucket. */
  wholeMs: 60_000,
  /** So often an operation finds a table too slow until it fails for good: with the pauses between, over a quarter of an hour. */
  attempts: 8,
};

/** How often operations found a table too slow in this process, by their ids; those that it did so last come last. */
const counts = new Map<string, number>();
const mostCounts = 1000;

type Waiting = Pick<OperationContext, 'id' | 'signal' | 'remainingMs'>;

/**
 * Has something done with a table, within {@link patience}.
 *
 * @param work is given what ends it
 * @throws OperationError `TABLE_TOO_SLOW`: retryable, and permanent for an operation that keeps meeting it
 */
export async function withPatience<T>(
  place: TablePlace,
  { id, signal, remainingMs }: Waiting,
  work: (options: { readonly signal: AbortSignal; readonly begun: () => void }) => Promise<T>,
): Promise<T> {
  const { wholeMs } = patience;
  // Where it has less, it is the operation's own time that is over.
  const isPatient = remainingMs() > wholeMs;
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const begun = () => {
    clearTimeout(timer);
    timer = setTimeout(() => controller.abort(tooLong), wholeMs);
  };
  try {
    return await work({ signal: AbortSignal.any([signal, controller.signal]), begun });
  } catch (error) {
    const isCancelled = error === tooLong || (isServerError(error) && error.code === '57014');
    throw isCancelled && isPatient && !signal.aborted ? tooSlow(place, id, error) : error;
  } finally {
    clearTimeout(timer);
  }
}

const tooLong = new OperationError('DEADLINE_EXCEEDED', 'A transaction took too long, and was broken off', {
  retryable: true,
});

function tooSlow({ target, schema, table }: TablePlace, id: string, cause: unknown): OperationError {
  const count = (counts.get(id) ?? 0) + 1;
  counts.delete(id);
  counts.set(id, count);
  for (const oldest of counts.keys()) {
    if (counts.size <= mostCounts) break;
    counts.delete(oldest);
  }
  return new OperationError(
    'TABLE_TOO_SLOW',
    `${formatTarget(target)}: a statement on ${schema}.${table} took longer than ${patience.statementMs / 1000} s: look for a policy, ` +
      'trigger or lock on it that waits, and replay the message',
    { retryable: count < patience.attempts, details: { schema, table }, cause },
  );
}
