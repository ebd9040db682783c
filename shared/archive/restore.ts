import type pg from 'pg';
import { OperationError } from '../operation/errors.ts';
import { withCopySession } from '../postgres/copy-session.ts';
import { type OwnerLoginOptions, withOwnerLogin } from '../postgres/logins/owner-login.ts';
import { roleName } from '../postgres/names.ts';
import type { Pools } from '../postgres/pools.ts';
import { identifier, qualified, sql } from '../postgres/sql.ts';
import { isServerError } from '../postgres/sqlstate.ts';
import type { Target } from '../postgres/target.ts';
import { begin } from '../postgres/transaction.ts';
import { copyIn } from './copy.ts';
import { objectAt } from './definitions.ts';
import { type InspectedDestination, inspectDestination, refuseDestination } from './destination.ts';
import { grantStatements, policyStatements, type RoleOf } from './grants.ts';
import type { Manifest } from './manifest.ts';
import { openArchive } from './open.ts';
import { refuseOldNames } from './rename.ts';
import { actAs, exactValues } from './session.ts';

export interface RestoreRequest {
  /** `gs://bucket/prefix/` */
  readonly source: string;
  readonly target: Target;
  /** Other names for schemas of the archive. */
  readonly rename?: Readonly<Record<string, string>>;
}

export type RestoreOptions = OwnerLoginOptions;

export interface Restored {
  readonly manifest: Manifest;
  readonly tables: number;
  readonly rows: number;
  /** What the archive has for roles that this database doesn't have. */
  readonly leftOut: readonly string[];
}

/**
 * Makes schemas what they were when they were archived: in schemas of Drover's that are there and empty, in the same
 * database or another, under the same names or others. All of it in one transaction, as the owners of the schemas.
 *
 * What an archive has is run by a login that may become nothing but these owners.
 *
 * A schema gets another name only in a database of Drover's own, and where nothing has its old one in a text that PostgreSQL doesn't change, as a function's
 * body is.
 *
 * @throws OperationError `ARCHIVE_NOT_FOUND`, `ARCHIVE_DAMAGED`, `ARCHIVE_TOO_NEW`; `RESTORE_NOT_EMPTY`,
 *   `RESTORE_NOT_POSSIBLE` with every reason, `RESTORE_NAME_IN_TEXT`; what Cloud Storage or PostgreSQL refuses
 */
export async function restoreSchemas(
  pools: Pools,
  { source, target, rename = {} }: RestoreRequest,
  options: RestoreOptions,
): Promise<Restored> {
  const { signal, remainingMs } = options;
  const archive = await openArchive(source, signal);
  const { manifest } = archive;
  const names = new Map(manifest.schemas.map(({ name }) => [name, rename[name] ?? name]));
  const nameOf = (schema: string) => names.get(schema) ?? schema;
  const owner = (schema: string) => roleName(target.database, nameOf(schema), 'owner');
  const roleOf: RoleOf = (grantee) =>
    grantee === 'PUBLIC' ? grantee : roleName(target.database, nameOf(grantee.schema), grantee.level);

  const schemas = [...names.values()];
  const inspection = inspectDestination(manifest, names, roleOf);
  const examine = (found: InspectedDestination) => refuseDestination(manifest, target, names, found);
  const renames = [...names].some(([archived, own]) => archived !== own);
  const owned = { target, schemas, renames, purpose: 'restore', before: { inspection, examine } } as const;
  const restore = async (client: pg.ClientBase): Promise<Restored> => {
    const acting = roleName(target.database, schemas[0] ?? '', 'owner');
    const inspected = await begin(client, { acting, lock: schemas, timeoutMs: remainingMs(), inspection });
    const found = (inspected.rows[0] as { inspected: InspectedDestination }).inspected;
    examine(found);
    const leftOut: string[] = [];
    const known = new Set(found.roles);
    const access = { roleOf, has: (role: string) => known.has(role), leftOut };
    await client.query(exactValues.text);
    await renameAll(client, target, names, 'to the archive’s');

    const run = async (schema: string, statements: readonly { readonly text: string }[]) => {
      if (statements.length === 0) return;
      await actAs(client, owner(schema));
      for (const { text } of statements) await client.query(text);
    };
    const define = async (phase: Manifest['definitions'][number]['phase']) => {
      for (const { part, text } of archive.definitions.filter(({ part }) => part.phase === phase)) {
        await actAs(client, owner(part.schema));
        await client.query(text).catch((error: unknown) => {
          throw withObject(error, text);
        });
      }
    };
    const grant = async (phase: Manifest['grants'][number]['phase']) => {
      for (const group of manifest.grants.filter((one) => one.phase === phase)) {
        await run(group.schema, grantStatements(group, manifest, access));
      }
    };

    for (const { name, comment } of manifest.schemas) {
      if (comment !== null) await run(name, [sql`COMMENT ON SCHEMA ${identifier(name)} IS ${comment}`]);
    }
    await grant('schema');
    await define('before-data');
    for (const { table, object } of archive.tables) {
      await actAs(client, owner(table.schema));
      await copyIn(client, table, object, signal);
    }
    for (const { schema, name, lastValue, isCalled } of manifest.sequences) {
      const sequence = qualified(schema, name).text;
      await run(schema, [sql`SELECT pg_catalog.setval(${sequence}::regclass, ${lastValue}, ${isCalled})`]);
    }
    await grant('before-data');
    await define('after-data');
    await grant('after-data');
    for (const policy of manifest.policies) await run(policy.schema, policyStatements(policy, access));
    await define('refresh');
    for (const { schema, table } of manifest.tables)
      await run(schema, [sql`ANALYZE ${qualified(schema, table)}`]);

    await renameAll(client, target, names, 'to their own');
    await refuseOldNames(client, target, names);
    if (renames) await refuseMoreSchemas(client, schemas);
    await commit(client);
    return {
      manifest,
      tables: manifest.tables.length,
      rows: manifest.tables.reduce((sum, { rows }) => sum + rows, 0),
      leftOut: [...new Set(leftOut)],
    };
  };
  return withOwnerLogin(pools, owned, options, (login) =>
    withCopySession(pools, target, { signal, as: login }, restore),
  );
}

/**
 * While they are restored, schemas have the names that they had when they were archived: so every statement of the archive
 * can be taken as it is, and PostgreSQL itself does the renaming.
 */
async function renameAll(
  client: pg.ClientBase,
  target: Target,
  names: ReadonlyMap<string, string>,
  direction: 'to the archive’s' | 'to their own',
): Promise<void> {
  for (const [archived, own] of names) {
    if (archived === own) continue;
    await actAs(client, roleName(target.database, own, 'owner'));
    const [from, to] = direction === 'to their own' ? [archived, own] : [own, archived];
    await client.query(sql`ALTER SCHEMA ${identifier(from)} RENAME TO ${identifier(to)}`.text);
  }
}

/**
 * To rename a schema its owner may create some, and so may the archive's code.
 *
 * @throws OperationError `RESTORE_NOT_POSSIBLE`
 */
async function refuseMoreSchemas(client: pg.ClientBase, schemas: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    sql`SELECT nspname AS name FROM pg_catalog.pg_namespace
         WHERE pg_catalog.pg_has_role(session_user, nspowner, 'MEMBER') AND nspname NOT IN (${[...schemas]})`
      .text,
  );
  if (rows.length === 0) return;
  const problems = [`it makes schemas that it isn't one of: ${rows.map(({ name }) => name).join(', ')}`];
  throw new OperationError('RESTORE_NOT_POSSIBLE', `The archive can't be restored: ${problems.join('; ')}.`, {
    details: { problems },
  });
}

async function commit(client: pg.ClientBase): Promise<void> {
  const { command } = await client.query('COMMIT');
  if (command !== 'COMMIT') throw new Error(`COMMIT ended as ${command}`);
}

/** Says which object of a file with many a statement that failed was about. */
function withObject(error: unknown, text: string): unknown {
  if (!isServerError(error)) return error;
  const position = 'position' in error ? Number(error.position) : Number.NaN;
  const object = Number.isNaN(position) ? undefined : objectAt(text, position);
  if (object !== undefined) error.message += ` (in: ${object})`;
  return error;
}
