import { OperationError } from '../../operation/errors.ts';
import type { Change } from '../../operation/outcome.ts';
import { parseMarker } from '../marker.ts';
import { actingAdmin } from '../names.ts';
import { adminOf } from '../offboard/principal.ts';
import { Script } from '../offboard/script.ts';
import type { Pools } from '../pools.ts';
import { againWhereTaken, retryConcurrentChanges } from '../retry.ts';
import { identifier, type Sql, sql } from '../sql.ts';
import type { Target } from '../target.ts';
import { changeInTransaction } from '../transaction.ts';
import { Fenced } from './converge.ts';

export interface DropSchemaOptions {
  readonly pools: Pools;
  readonly signal: AbortSignal;
  readonly remainingMs: () => number;
  /** Of the attempt: a schema that carries a newer one is somebody else's by now. */
  readonly epoch: number;
  /** Throws where the operation may be another worker's by now. Called under the schema's lock, before anything is dropped. */
  readonly assertHeld?: () => void;
}

interface InspectedRole {
  readonly name: string;
  readonly comment: string;
  /** The acting admin that may drop it; null where none may. */
  readonly admin: string | null;
}

interface Inspected {
  readonly serverVersion: number;
  readonly exists: boolean;
  readonly roles: readonly InspectedRole[];
  /** What is elsewhere and would go with it. */
  readonly dependents: readonly string[];
}

/**
 * Drops a schema of Drover's with all that is in it, and the roles that were made for it. What is gone is dropped.
 *
 * @throws Fenced
 * @throws OperationError `SCHEMA_NOT_MANAGED`, `DEPENDENTS_EXIST`, `ROLE_OUT_OF_REACH`
 */
export async function dropSchema(
  target: Target,
  schema: string,
  { pools, signal, remainingMs, epoch, assertHeld }: DropSchemaOptions,
): Promise<readonly Change[]> {
  const acting = actingAdmin(target.database, schema);
  const inspection = inspect(target.database, schema);
  const run = (plan: (found: Inspected, script: Script) => void) =>
    retryConcurrentChanges(signal, () =>
      againWhereTaken(() =>
        pools.withConnection(target, { signal }, (client) =>
          changeInTransaction(
            client,
            { acting, lock: schema, timeoutMs: remainingMs(), inspection },
            (result) => {
              const found = (result.rows[0] as { inspected: Inspected }).inspected;
              refuse(target, schema, found, epoch);
              const script = new Script(acting, found.serverVersion);
              plan(found, script);
              assertHeld?.();
              return { changes: script.changes, statements: script.statements() };
            },
          ),
        ),
      ),
    );
  const emptied = await run((found, script) => planEmptying(target, schema, found, script));
  // Not with the rest: for that the admin is made a member of the roles, and is one until the transaction's end.
  const dropped = await run(({ roles }, script) => planRoles(roles, script));
  return [...emptied.changes, ...dropped.changes];
}

function refuse({ database }: Target, schema: string, found: Inspected, epoch: number): void {
  const place = `${database}.${schema}`;
  const owner = found.roles.map(({ comment }) => parseMarker(comment)).find((one) => one?.level === 'owner');
  if (owner?.epoch !== undefined && owner.epoch > epoch) throw new Fenced(owner.epoch);
  if (found.exists && owner === undefined) {
    throw new OperationError(
      'SCHEMA_NOT_MANAGED',
      `The schema ${place} is not Drover's, so it is not dropped.`,
      {
        details: { schema: place },
      },
    );
  }
  if (found.dependents.length > 0) {
    throw new OperationError(
      'DEPENDENTS_EXIST',
      `What is elsewhere depends on ${place}, or belongs to its roles, and would be dropped with it: ${found.dependents.join(', ')}. Drop, change or hand that over first.`,
      { details: { schema: place, dependents: found.dependents } },
    );
  }
  const lost = found.roles.find(({ admin }) => admin === null);
  if (lost === undefined) return;
  throw new OperationError(
    'ROLE_OUT_OF_REACH',
    `Drover may not drop the role ${lost.name}: none of its admins is an admin of that.`,
    { details: { role: lost.name } },
  );
}

function planEmptying({ database }: Target, schema: string, found: Inspected, script: Script): void {
  const { acting } = script;
  const roles = found.roles.filter(({ admin }) => admin !== null);
  for (const { name, admin } of roles) if (admin) script.lend(name, admin, acting);
  if (found.exists) {
    // It tells what goes with it, which is what was asked for.
    script.run(acting, sql`DROP SCHEMA ${identifier(schema)} CASCADE`, {
      action: 'revoke',
      kind: 'schema',
      name: `${database}.${schema}`,
      detail: 'dropped',
    });
  }
  // Default privileges, and rights on the database itself.
  for (const { name } of roles) script.run(acting, sql`DROP OWNED BY ${identifier(name)}`);
}

function planRoles(roles: readonly InspectedRole[], script: Script): void {
  for (const { name, admin } of roles) {
    if (admin === null) continue;
    const change = { action: 'revoke', kind: 'role', name, detail: 'dropped' } as const;
    script.run(admin, sql`DROP ROLE ${identifier(name)}`, change);
  }
}

/**
 * The schema, the roles whose comments say that they are its, and what would be lost outside of it: what depends on it,
 * followed through pg_depend as DROP … CASCADE does, and what the roles own elsewhere, which DROP OWNED drops.
 */
function inspect(database: string, schema: string): Sql {
  const mark = JSON.stringify({ managedBy: 'drover', database, schema }).slice(0, -1);
  return sql`
WITH RECURSIVE settings AS (
  SELECT current_setting('server_version_num')::int AS version
), target AS (
  SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = ${schema}
), dependent AS (
  SELECT 'pg_catalog.pg_namespace'::regclass::oid AS classid, oid AS objid FROM target
   UNION
  SELECT n.classid, n.objid
    FROM dependent
    JOIN LATERAL (
      SELECT d.classid, d.objid FROM pg_catalog.pg_depend d
       WHERE d.refclassid = dependent.classid AND d.refobjid = dependent.objid AND d.deptype <> 'x'
       UNION ALL
      SELECT d.refclassid, d.refobjid FROM pg_catalog.pg_depend d
       WHERE d.classid = dependent.classid AND d.objid = dependent.objid AND d.deptype = 'i'
    ) n ON true
   WHERE n.classid <> 'pg_catalog.pg_namespace'::regclass
), role AS (
  SELECT r.rolname AS name, s.description AS comment, ${adminOf(sql`r`)} AS admin
    FROM pg_catalog.pg_shdescription s
    JOIN pg_catalog.pg_roles r ON r.oid = s.objoid
   WHERE s.classoid = 'pg_catalog.pg_authid'::regclass
     AND starts_with(s.description, ${mark})
), lost AS (
  SELECT d.classid, d.objid, false AS owned FROM dependent d
   UNION
  SELECT s.classid, s.objid, true
    FROM role
    JOIN pg_catalog.pg_roles r ON r.rolname = role.name
    JOIN pg_catalog.pg_shdepend s ON s.refclassid = 'pg_catalog.pg_authid'::regclass AND s.refobjid = r.oid
    JOIN pg_catalog.pg_database b ON b.oid = s.dbid AND b.datname = current_database()
   WHERE s.deptype = 'o'
     AND s.classid NOT IN ('pg_catalog.pg_default_acl'::regclass, 'pg_catalog.pg_user_mapping'::regclass)
), outside AS (
  SELECT DISTINCT o.type || ' ' || o.identity AS what
    FROM lost l
   CROSS JOIN LATERAL pg_catalog.pg_identify_object(l.classid, l.objid, 0) o
    LEFT JOIN pg_catalog.pg_constraint c ON l.classid = 'pg_catalog.pg_constraint'::regclass AND c.oid = l.objid
    LEFT JOIN pg_catalog.pg_trigger t
      ON l.classid = 'pg_catalog.pg_trigger'::regclass AND t.oid = l.objid AND NOT t.tgisinternal
    LEFT JOIN pg_catalog.pg_rewrite w
      ON l.classid = 'pg_catalog.pg_rewrite'::regclass AND w.oid = l.objid AND w.rulename <> '_RETURN'
    LEFT JOIN pg_catalog.pg_policy p ON l.classid = 'pg_catalog.pg_policy'::regclass AND p.oid = l.objid
    LEFT JOIN pg_catalog.pg_attrdef a ON l.classid = 'pg_catalog.pg_attrdef'::regclass AND a.oid = l.objid
    LEFT JOIN pg_catalog.pg_class r ON r.oid = coalesce(t.tgrelid, w.ev_class, p.polrelid, a.adrelid)
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(c.connamespace, r.relnamespace)
   CROSS JOIN LATERAL (
     -- All of them quoted. What is in no schema and not owned, such as a publication's list, is nobody's loss.
     SELECT coalesce(o.schema, quote_ident(n.nspname),
                     CASE WHEN o.type = 'schema' THEN o.name WHEN l.owned THEN '' END) AS name
   ) place
   WHERE place.name <> quote_ident(${schema}) AND place.name !~ '^pg_(toast|temp|catalog)'
   LIMIT 20
)
SELECT jsonb_build_object(
  'serverVersion', (SELECT version FROM settings),
  'exists', EXISTS (SELECT FROM target),
  'roles', coalesce((SELECT jsonb_agg(to_jsonb(role) ORDER BY name) FROM role), '[]'),
  'dependents', coalesce((SELECT jsonb_agg(what ORDER BY what) FROM outside), '[]')) AS inspected`;
}

/** Whether there is a schema of this name in a database. */
export function schemaExists(
  target: Target,
  schema: string,
  { pools, signal }: Pick<DropSchemaOptions, 'pools' | 'signal'>,
): Promise<boolean> {
  const { text } = sql`
    SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = ${schema}) AS found`;
  return pools.withConnection(target, { signal }, async (client) => {
    const { rows } = await client.query<{ found: boolean }>(text);
    return rows[0]?.found === true;
  });
}
