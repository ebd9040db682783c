import type { OperationContext } from '../operation/definition.ts';
import type { Change, Note } from '../operation/outcome.ts';
import { roleName } from '../postgres/names.ts';
import { convergeSchema } from '../postgres/schema/converge.ts';
import type { DesiredSchema } from '../postgres/schema/model.ts';
import { sql } from '../postgres/sql.ts';
import type { Target } from '../postgres/target.ts';
import { schemasCollection } from '../registry/databases.ts';
import { type IntentDocument, Superseded } from '../registry/intents.ts';
import { applySchema } from './apply.ts';

/** A schema that there is now, and what was done for that. */
export interface EnsuredSchema {
  /** Only in a dry run it may not. */
  readonly exists: boolean;
  readonly changes: readonly Change[];
  readonly notes: readonly Note[];
  /** Of a dry run. */
  readonly statements: readonly string[];
}

const asItIs: EnsuredSchema = { exists: true, changes: [], notes: [], statements: [] };

/**
 * Makes the schema where it isn't there, as `create-schema` would. One that is there is left as it is: what it should be,
 * other messages say.
 *
 * @param before is called before anything is made; what it throws keeps it from being made
 * @throws OperationError where it can't be made
 */
export async function ensureSchema(
  { target, schema }: { readonly target: Target; readonly schema: string },
  operation: OperationContext,
  before: () => Promise<unknown>,
): Promise<EnsuredSchema> {
  const { pools, dryRun } = operation;
  const exists = await isManagedSchema(target, schema, operation);
  const ref = await operation.registry(schemasCollection, target.instance, target.database, schema);
  const known = (await ref.get()).data() as IntentDocument | undefined;
  if (exists && (dryRun || known?.applied)) return asItIs;
  await before();
  const desired: DesiredSchema = {
    database: target.database,
    schema,
    levels: ['writer', 'reader', 'analyst'],
    adopt: false,
    lockDatabase: false,
  };
  if (dryRun) {
    const { steps, notes } = await convergeSchema(pools, target, desired, { ...operation, fence: undefined });
    const changes = steps.flatMap(({ change }) => (change ? [change] : []));
    return { exists, changes, notes, statements: steps.map(({ sql: { text } }) => text) };
  }
  try {
    const { converged } = await applySchema(target, desired, operation);
    const changes = converged.steps.flatMap(({ change }) => (change ? [change] : []));
    return { exists: true, changes, notes: converged.notes, statements: [] };
  } catch (error) {
    // Who wanted something else of the schema later has made it; else there is to be none.
    if (error instanceof Superseded && (await isManagedSchema(target, schema, operation))) return asItIs;
    throw error;
  }
}

/** Whether there is such a schema, and its owner is the role that Drover makes for it. */
export function isManagedSchema(
  target: Target,
  schema: string,
  { pools, signal }: Pick<OperationContext, 'pools' | 'signal'>,
): Promise<boolean> {
  const { text } = sql`
    SELECT FROM pg_catalog.pg_namespace
     WHERE nspname = ${schema}
       AND pg_catalog.pg_get_userbyid(nspowner) = ${roleName(target.database, schema, 'owner')}`;
  return pools.withConnection(target, { signal }, async (client) => {
    const { rowCount } = await client.query(text);
    return rowCount === 1;
  });
}
