import { classify } from '../../shared/operation/classify.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Change, Note } from '../../shared/operation/outcome.ts';
import { compareGrants } from '../../shared/postgres/grants/converge.ts';
import type { Pools } from '../../shared/postgres/pools.ts';
import { convergeSchema } from '../../shared/postgres/schema/converge.ts';
import type { Target } from '../../shared/postgres/target.ts';
import type { WantedDatabase, WantedSchema } from './wanted.ts';

/** One schema, or the database's own roles, that isn't as it should be. */
export interface Difference {
  /** Undefined for the database's own roles. */
  readonly schema: string | undefined;
  readonly changes: readonly Change[];
  readonly notes: readonly Note[];
  /** What would mend it. */
  readonly statements: readonly string[];
}

/** What differs between a database and the registry. Nothing is changed. */
export async function findDifferences(
  target: Target,
  wanted: WantedDatabase,
  operation: Pick<OperationContext, 'pools' | 'signal' | 'remainingMs'>,
): Promise<Difference[]> {
  const plans = await compareGrants(operation.pools, target, wanted.grants, operation);
  const grants = wanted.grants.flatMap(({ schema }, index): Difference[] => {
    const plan = plans[index];
    // A schema that isn't there is its own difference, below.
    if (plan === undefined) return [];
    return [
      {
        schema,
        changes: plan.steps.flatMap(({ changes }) => changes),
        notes: plan.notes,
        statements: plan.steps.map((step) => step.sql.text),
      },
    ];
  });
  const schemas: Difference[] = [];
  for (const one of wanted.schemas)
    schemas.push(await compareSchema(operation.pools, target, one, operation));
  // A statement that only keeps our own books is no difference.
  return [...schemas, ...grants].filter(({ changes, notes }) => changes.length + notes.length > 0);
}

async function compareSchema(
  pools: Pools,
  target: Target,
  { desired }: WantedSchema,
  options: Pick<OperationContext, 'signal' | 'remainingMs'>,
): Promise<Difference> {
  const { schema } = desired;
  try {
    const { steps } = await convergeSchema(pools, target, desired, { ...options, fence: undefined });
    const changes = steps.flatMap(({ change }) => (change ? [change] : []));
    // Its notes are about what nobody here can mend, and were told when the schema was made.
    return {
      schema,
      changes,
      notes: [],
      statements: changes.length > 0 ? steps.map((step) => step.sql.text) : [],
    };
  } catch (error) {
    const { retryable, code, message, details } = classify(error);
    if (options.signal.aborted || (retryable && code !== 'LOCK_TIMEOUT')) throw error;
    // Somebody is at it: it is compared the next time.
    if (retryable) return { schema, changes: [], notes: [], statements: [] };
    const statements = details?.['statements'];
    const note = {
      code,
      message,
      ...(Array.isArray(statements) ? { statements: statements as string[] } : {}),
    };
    return { schema, changes: [], notes: [note], statements: [] };
  }
}
