import type pg from 'pg';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { keptLogins } from '../../../shared/postgres/logins/kept-login.ts';
import { asOwner } from '../../../shared/postgres/logins/owner-transaction.ts';
import { isServerError } from '../../../shared/postgres/sqlstate.ts';
import { type EnsuredSchema, ensureSchema, isManagedSchema } from '../../../shared/schemas/ensure.ts';
import { createTable, inspectTable, tableMarker } from './definition.ts';
import { withPatience } from './patience.ts';
import { roomOf } from './room.ts';
import type { TablePlace } from './target.ts';

/** Tables that this process knows to be there. */
const known = new Set<string>();

/** Who makes a table, one after the other: the second finds it there. */
const making = new Map<string, ReturnType<typeof roomOf>>();

const asItIs: EnsuredSchema = { exists: true, changes: [], notes: [], statements: [] };

/**
 * Makes the table where it isn't there, and its schema. It costs nothing once this process has seen it.
 *
 * @returns in a dry run, it may not exist
 * @throws OperationError `TABLE_TAKEN`, `TENANT_NOT_ACTIVE` for a tenant without its schema; what keeps the schema from being made
 */
export async function ensureTable(place: TablePlace, operation: OperationContext): Promise<EnsuredSchema> {
  const key = keyOf(place);
  if (known.has(key)) return asItIs;
  const room = making.get(key) ?? roomOf(1);
  making.set(key, room);
  return room.run(1, operation.signal, async () => {
    if (known.has(key)) return asItIs;
    const made = await makeTable(place, operation);
    if (made.exists) known.add(key);
    return made;
  });
}

async function makeTable(place: TablePlace, operation: OperationContext): Promise<EnsuredSchema> {
  const { schema, table } = place;
  const made = await schemaFor(place, operation);
  if (made.exists && (await findTable(place, operation))) return made;
  const statements = createTable(schema, table);
  const changes = [...made.changes, { action: 'create', kind: 'table', name: `${schema}.${table}` } as const];
  if (operation.dryRun) {
    const texts = statements.map(({ text }) => text.trim());
    return { ...made, exists: false, changes, statements: [...made.statements, ...texts] };
  }
  const isMade = await withOwner(place, operation, (client) =>
    asOwner(client, scopeOf(place, operation), inspectTable(schema, table), async ({ rows }) => {
      if (isOurs(place, rows[0])) return false;
      for (const { text } of statements) await client.query(text);
      return true;
    }),
  );
  return isMade ? { ...made, changes } : made;
}

async function schemaFor(place: TablePlace, operation: OperationContext): Promise<EnsuredSchema> {
  const { target, schema, tenant } = place;
  if (tenant === undefined) return ensureSchema(place, operation, async () => undefined);
  if (await isManagedSchema(target, schema, operation)) return asItIs;
  throw new OperationError(
    'TENANT_NOT_ACTIVE',
    `The tenant ${tenant} has no schema ${schema} in ${target.database}: bootstrap it again, and replay the message.`,
    { details: { tenant } },
  );
}

/**
 * Whether there is the table. The catalog is asked only, and so no code of its owner's is run.
 *
 * @throws OperationError `TABLE_TAKEN`
 */
export async function findTable(
  place: TablePlace,
  { pools, signal }: Pick<OperationContext, 'pools' | 'signal'>,
): Promise<boolean> {
  const { target, schema, table } = place;
  const { text } = inspectTable(schema, table);
  return pools.withConnection(target, { signal }, async (client) => {
    const { rows } = await client.query<Relation>(text);
    return isOurs(place, rows[0]);
  });
}

interface Relation {
  readonly kind: string;
  readonly comment: string | null;
}

function isOurs({ schema, table }: TablePlace, found: Relation | undefined): boolean {
  if (found === undefined) return false;
  if (found.kind === 'r' && found.comment === tableMarker) return true;
  throw new OperationError(
    'TABLE_TAKEN',
    `Schema ${schema} has ${table} already, which Drover did not make: name another table in the route, or rename it`,
    { details: { schema, taken: [table] } },
  );
}

/**
 * Has something done with the table, over a connection of a login that is a member of the schema's owner and of nothing else:
 * whoever owns the schema may have put code of their own on it.
 *
 * @param use is called again where there is no such table, though there was: made anew, it may be there. The owner's code can say so,
 *   too, so it is a transaction and nothing else
 * @throws OperationError `TABLE_TOO_SLOW`, as `withPatience`
 */
export async function withTable<T>(
  place: TablePlace,
  operation: OperationContext,
  use: (client: pg.ClientBase, made: EnsuredSchema) => Promise<T>,
): Promise<T> {
  for (let again = false; ; again = true) {
    const made = await ensureTable(place, operation);
    try {
      return await withOwner(place, operation, (client) => use(client, made));
    } catch (error) {
      if (!isMissing(error)) throw error;
      known.delete(keyOf(place));
      if (again) throw error;
    }
  }
}

/** {@link withTable} where there is one; nothing is made. */
export async function withTableIfThere<T>(
  place: TablePlace,
  operation: OperationContext,
  use: (client: pg.ClientBase) => Promise<T>,
): Promise<T | undefined> {
  try {
    if (!known.has(keyOf(place)) && !(await findTable(place, operation))) return undefined;
    return await withOwner(place, operation, use);
  } catch (error) {
    if (!isMissing(error)) throw error;
    known.delete(keyOf(place));
    if (await findTable(place, operation)) throw error;
    return undefined;
  }
}

function withOwner<T>(
  place: TablePlace,
  operation: OperationContext,
  use: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  const { target, schema } = place;
  const { pools, log } = operation;
  return withPatience(place, operation, ({ signal, begun }) =>
    keptLogins.withLogin(pools, { target, schema }, { signal, log }, (login) =>
      pools.withConnection(target, { signal, as: login }, (client) => {
        begun();
        return use(client);
      }),
    ),
  );
}

const missing: ReadonlySet<string> = new Set(['42P01', '3F000']);

/** PostgreSQL says that there is no such table or schema; or there isn't even a role that owns it. */
function isMissing(error: unknown): boolean {
  if (error instanceof OperationError) return error.code === 'INSTANCE_NOT_PREPARED';
  return isServerError(error) && missing.has(error.code);
}

/** Of what concerns the table itself. */
function scopeOf({ target, schema, table }: TablePlace, operation: OperationContext) {
  return { database: target.database, schema, lock: `media ${schema}.${table}`, operation };
}

function keyOf({ target, schema, table }: TablePlace): string {
  return JSON.stringify([target.instance, target.database, schema, table]);
}
