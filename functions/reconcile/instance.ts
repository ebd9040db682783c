import { classify } from '../../shared/operation/classify.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import { OperationError } from '../../shared/operation/errors.ts';
import type { Change, Note, Outcome } from '../../shared/operation/outcome.ts';
import { compareDatabase, noteCheck } from './drift.ts';
import { databasesToCompare, dueSets } from './due.ts';
import { takeBackDue } from './expiry.ts';

/** Databases of one instance that are worked on at the same time. */
const concurrency = 16;

/** For one database: one that doesn't answer must not use up the others' time. */
const databaseTimeoutMs = 120_000;

/** When a database that couldn't be compared is looked at again. */
const retryMinutes = 5;

/** When one that was dropped is looked for again. */
const goneMinutes = 24 * 60;

/** What came of one database. */
interface Part {
  readonly changes: readonly Change[];
  readonly notes: readonly Note[];
}

/**
 * Takes back what is due in an instance, and then compares its databases with the registry. A database that can't be
 * reached is noted and comes again; it delays no other.
 */
export async function reconcileInstance(
  instance: string,
  all: boolean,
  operation: OperationContext,
): Promise<Outcome> {
  const due = Map.groupBy(await dueSets(instance), ({ database }) => database);
  const expired = await forEach([...due], operation, async ([database, sets], limited) =>
    operation.dryRun ? nothing : takeBackDue({ instance, database }, sets, limited),
  );
  const compared = await forEach(
    await databasesToCompare(instance, all),
    operation,
    async (record, limited) => {
      try {
        // Should it take long or end this process, the next minute must not begin it again.
        if (!operation.dryRun) await noteCheck(record, { problem: null }, retryMinutes);
        return await compareDatabase(record, limited);
      } catch (error) {
        const target = { instance, database: record.database };
        const { code } = classify(error);
        const minutes = code === 'DATABASE_NOT_FOUND' ? goneMinutes : retryMinutes;
        if (!operation.signal.aborted) await noteCheck(target, { problem: code }, minutes);
        throw error;
      }
    },
  );
  const parts = [...expired, ...compared];
  const notes = parts.flatMap((part) => part.notes);
  const unreachable = notes.filter(({ code }) => code === 'DATABASE_UNREACHABLE').length;
  return {
    changes: parts.flatMap(({ changes }) => changes),
    notes,
    summary: { expiring: due.size, compared: compared.length, unreachable },
    ...(unreachable > 0 ? { partial: true } : {}),
  };
}

function tooSlow(): OperationError {
  const seconds = databaseTimeoutMs / 1000;
  return new OperationError('DEADLINE_EXCEEDED', `Not done within ${seconds} s`, { retryable: true });
}

const nothing: Part = { changes: [], notes: [] };

/** A few at a time, each with a limit of its own; what one throws is a note about it. */
async function forEach<T extends { database: string } | readonly [string, unknown]>(
  list: readonly T[],
  operation: OperationContext,
  work: (one: T, limited: OperationContext) => Promise<Part>,
): Promise<Part[]> {
  const queue = [...list];
  const parts: Part[] = [];
  const worker = async () => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      const name = 'database' in one ? one.database : one[0];
      const timeout = new AbortController();
      const timer = setTimeout(() => timeout.abort(tooSlow()), databaseTimeoutMs);
      const limited = { ...operation, signal: AbortSignal.any([operation.signal, timeout.signal]) };
      try {
        parts.push(await work(one, limited));
      } catch (error) {
        operation.signal.throwIfAborted();
        const { code, message } = classify(error);
        if (code === 'LEASE_LOST') throw error;
        operation.log.log('WARNING', 'database left for later', { database: name, code, problem: message });
        parts.push({
          changes: [],
          notes: [{ code: 'DATABASE_UNREACHABLE', message: `${name}: ${code}: ${message}` }],
        });
      } finally {
        clearTimeout(timer);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, list.length) }, worker));
  return parts;
}
