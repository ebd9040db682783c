import { type BigQueryRequest, callBigQuery } from '../gcp/bigquery.ts';
import type { Change, Note } from '../operation/outcome.ts';

/** What bringing something to what it should be came to. */
export interface Converged {
  readonly changes: readonly Change[];
  readonly notes: readonly Note[];
  /** In a dry run: the calls that would be made. */
  readonly statements: readonly string[];
}

export interface ConvergeOptions {
  readonly signal: AbortSignal;
  /** Reads, and says what would be written. */
  readonly dryRun?: boolean;
  /** Called right before something is written; throws where another worker may be at it. */
  readonly assertHeld?: () => void;
}

export const nothing: Converged = { changes: [], notes: [], statements: [] };

export function together(parts: readonly Converged[]): Converged {
  return {
    changes: parts.flatMap(({ changes }) => changes),
    notes: parts.flatMap(({ notes }) => notes),
    statements: parts.flatMap(({ statements }) => statements),
  };
}

/** Makes a change by one call, or says how it would be made. */
export async function write(
  request: BigQueryRequest,
  change: Change,
  { signal, dryRun = false, assertHeld }: ConvergeOptions,
): Promise<Converged> {
  if (dryRun) return plan(request, change);
  assertHeld?.();
  await callBigQuery(request, signal);
  return { changes: [change], notes: [], statements: [] };
}

/** What a call would come to. */
export function plan(request: BigQueryRequest, ...changes: readonly Change[]): Converged {
  return { changes, notes: [], statements: [statementOf(request)] };
}

function statementOf({ method, path, query, body }: BigQueryRequest): string {
  const address = query ? `${path}?${new URLSearchParams(query)}` : path;
  return [method, address, ...(body ? [JSON.stringify(body)] : [])].join(' ');
}
