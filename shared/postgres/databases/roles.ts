import type { Change } from '../../operation/outcome.ts';
import { actingAdmin } from '../names.ts';
import { adminOf } from '../offboard/principal.ts';
import { Script } from '../offboard/script.ts';
import { againWhereTaken, retryConcurrentChanges } from '../retry.ts';
import { identifier, sql } from '../sql.ts';
import type { Target } from '../target.ts';
import { changeInTransaction } from '../transaction.ts';
import { type DatabaseOptions, maintenanceDatabase } from './database.ts';

interface Inspected {
  readonly serverVersion: number;
  readonly roles: readonly { readonly name: string; readonly admin: string }[];
}

/** Drops the roles that were made for a database, once it is gone: their comments say whose they are. */
export async function dropRolesOf(
  { instance, database }: Target,
  { pools, signal, remainingMs }: DatabaseOptions,
): Promise<readonly Change[]> {
  const acting = actingAdmin(database, undefined);
  const mark = JSON.stringify({ managedBy: 'drover', database }).slice(0, -1);
  const inspection = sql`
WITH settings AS (
  SELECT current_setting('server_version_num')::int AS version
), role AS (
  SELECT r.rolname AS name, ${adminOf(sql`r`)} AS admin
    FROM pg_catalog.pg_shdescription s
    JOIN pg_catalog.pg_roles r ON r.oid = s.objoid
   WHERE s.classoid = 'pg_catalog.pg_authid'::regclass AND starts_with(s.description, ${`${mark},`})
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = ${database})
)
SELECT jsonb_build_object(
  'serverVersion', (SELECT version FROM settings),
  'roles', coalesce((SELECT jsonb_agg(to_jsonb(role) ORDER BY name) FROM role WHERE admin IS NOT NULL), '[]'))
  AS inspected`;
  const place = { instance, database: maintenanceDatabase };
  const options = { acting, lock: `database ${database}`, timeoutMs: remainingMs(), inspection };
  const { changes } = await retryConcurrentChanges(signal, () =>
    againWhereTaken(() =>
      pools.withConnection(place, { signal }, (client) =>
        changeInTransaction(client, options, (result) => {
          const found = (result.rows[0] as { inspected: Inspected }).inspected;
          const script = new Script(acting, found.serverVersion);
          for (const { name, admin } of found.roles) {
            const change = { action: 'revoke', kind: 'role', name, detail: 'dropped' } as const;
            script.run(admin, sql`DROP ROLE ${identifier(name)}`, change);
          }
          return { changes: script.changes, statements: script.statements() };
        }),
      ),
    ),
  );
  return changes;
}
