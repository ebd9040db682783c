import { accessReport } from '../../../../shared/postgres/access/access.ts';
import { listQuery, whoQuery } from '../../../../shared/postgres/access/query.ts';
import type { AccessReport, ManagedAccess } from '../../../../shared/postgres/access/report.ts';
import { type AccessRows, readAccessRows } from '../../../../shared/postgres/access/rows.ts';
import { formatMarker } from '../../../../shared/postgres/marker.ts';
import { schemaRoles } from '../../../../shared/postgres/schema/inspect.ts';
import { identifier, type Sql } from '../../../../shared/postgres/sql.ts';
import { connected, desired, type PreparedCluster, run } from '../../../support/postgres.ts';

export const database = 'app';

/** Names that have to be quoted. */
export const oddName = `d'Arc "joan" 🦒`;

export const roles = (schema: string) => schemaRoles(database, schema);

/** As somebody who has no right to anything: every login may read these catalogs. */
export async function rowsOf(cluster: PreparedCluster, query: Sql, from = database): Promise<AccessRows> {
  return connected(cluster.url('nobody_special', 'secret', from), async (client) => {
    await client.query(`SELECT set_config('search_path', '', false)`);
    return readAccessRows(await client.query(query.text));
  });
}

export async function who(cluster: PreparedCluster, schema?: string): Promise<AccessReport> {
  return accessReport(await rowsOf(cluster, whoQuery(schema)));
}

export async function list(cluster: PreparedCluster, principal: string): Promise<AccessReport> {
  return accessReport(await rowsOf(cluster, listQuery([principal])));
}

/** What matters most about a principal's access by Drover's roles, one line for each way. */
export function lines(accesses: readonly ManagedAccess[], principal: string): string[] {
  return accesses
    .filter((access) => access.principal === principal)
    .map(({ levels, can, how, setRole, admin, path }) =>
      [
        `${levels.join('+')}: ${can.join(', ')}`,
        setRole === null ? how : `${how} ${setRole}`,
        ...(admin ? ['admin'] : []),
        path.slice(1).join(' > '),
      ].join(' | '),
    );
}

/** Two schemas and people who have access to them in every way that PostgreSQL 15 knows, too. */
export async function populate(cluster: PreparedCluster): Promise<void> {
  const { reader, writer, acting } = roles('billing');
  const as = (role: string, ...statements: readonly string[]) => [
    `SET ROLE ${role}`,
    ...statements,
    'RESET ROLE',
  ];
  const odd = identifier(oddName).text;
  await cluster.open(database);
  await cluster.createLogin('alice@acme.com', 'iam');
  await run(
    cluster.superuserUrl(),
    `CREATE ROLE nobody_special LOGIN PASSWORD 'secret'`,
    ...['bob', 'carol', 'dora', 'adam', 'mallory', 'rita', 'sam', 'ghost', odd].map(
      (name) => `CREATE ROLE ${name} LOGIN`,
    ),
    'CREATE ROLE norah LOGIN NOINHERIT',
    'CREATE ROLE team_x',
    'CREATE ROLE team_y',
    'GRANT team_x TO bob',
    'GRANT team_y TO carol',
    'GRANT pg_read_all_data TO rita',
    'GRANT cloudsqladmin TO sam',
  );
  await cluster.converge(desired(database, 'billing', { owner: 'dora' }));
  await cluster.converge(desired(database, 'shop'));
  await run(
    cluster.superuserUrl(database),
    ...as(
      acting,
      `GRANT ${reader} TO "alice@acme.com"`,
      `GRANT ${writer} TO team_x`,
      `GRANT ${reader} TO adam WITH ADMIN OPTION`,
      `GRANT ${writer} TO norah`,
      `GRANT ${reader} TO ghost`,
    ),
    // Who calls himself one of Drover's roles is still who can log in.
    `COMMENT ON ROLE ghost IS '${formatMarker({ managedBy: 'drover', database, schema: 'billing', level: 'reader' })}'`,
    'CREATE ROLE app__billing__auditor',
    `COMMENT ON ROLE app__billing__auditor IS '${formatMarker({ managedBy: 'drover', database, schema: 'billing', level: 'auditor', version: 1 })}'`,
    `GRANT ${reader} TO app__billing__auditor`,
    'GRANT app__billing__auditor TO carol',
    ...as(
      roles('billing').owner,
      'CREATE TABLE billing.invoice (id int, amount int)',
      'CREATE TABLE billing."odd ""one"" 🐘" ()',
      'CREATE TABLE billing.open ()',
      'GRANT TRUNCATE ON ALL TABLES IN SCHEMA billing TO app__billing__auditor',
      'GRANT USAGE ON SCHEMA billing TO team_y',
      'GRANT SELECT, INSERT ON billing.invoice, billing.open TO team_y',
      `GRANT SELECT ON billing."odd ""one"" 🐘" TO ${odd} WITH GRANT OPTION`,
      `GRANT UPDATE (amount) ON billing.invoice TO ${odd}`,
      'GRANT SELECT ON billing.open TO PUBLIC',
    ),
    'CREATE TABLE billing.stray (id serial)',
    'ALTER TABLE billing.stray OWNER TO mallory',
    `CREATE FUNCTION billing.answer() RETURNS int LANGUAGE sql RETURN 42`,
    'ALTER FUNCTION billing.answer() OWNER TO mallory',
  );
}
