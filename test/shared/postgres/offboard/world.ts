import pg from 'pg';
import { localPassword } from '../../../../local/postgres/cloudsql.ts';
import { closePrincipal } from '../../../../shared/postgres/offboard/close.ts';
import { offboardInDatabase } from '../../../../shared/postgres/offboard/database.ts';
import { dropPrincipal } from '../../../../shared/postgres/offboard/drop.ts';
import { type Offboarded, together } from '../../../../shared/postgres/offboard/model.ts';
import { schemaRoles } from '../../../../shared/postgres/schema/inspect.ts';
import { identifier, sql } from '../../../../shared/postgres/sql.ts';
import {
  connected,
  desired,
  functionLogin,
  instance,
  type PreparedCluster,
  run,
} from '../../../support/postgres.ts';
import { type Fact, readCatalog } from '../schema/catalog.ts';

/** A name that has to be quoted wherever it stands. */
export const pat = "pat.o'hara@acme.com";

export const databases = ['app', 'other'] as const;

export const billing = schemaRoles('app', 'billing');

const name = identifier(pat).text;
const { owner, reader, writer, monitor, acting } = billing;

/** Whoever is there beside the principal: bob owns a schema, the others have what somebody granted them. */
const others = ['bob', 'carol', 'dave', 'erin'];

/** Makes two databases with a schema that Drover manages, and people. */
export async function settle(cluster: PreparedCluster): Promise<void> {
  for (const database of databases) await cluster.open(database);
  await cluster.converge(desired('app', 'billing'));
  for (const other of others) await cluster.createLogin(other, 'iam');
  await run(
    cluster.superuserUrl('app'),
    'CREATE SCHEMA bobs AUTHORIZATION bob',
    'SET ROLE bob',
    'CREATE TABLE bobs.notes (id int, note text)',
    'ALTER TABLE bobs.notes ENABLE ROW LEVEL SECURITY',
    'GRANT USAGE ON SCHEMA bobs TO carol, dave',
    'GRANT SELECT ON bobs.notes TO carol WITH GRANT OPTION',
    'RESET ROLE',
    `SET ROLE ${owner}`,
    'CREATE TABLE billing.invoices (id int, note text, paid bool)',
    'ALTER TABLE billing.invoices ENABLE ROW LEVEL SECURITY',
    'CREATE FUNCTION billing.total() RETURNS int LANGUAGE sql RETURN 1',
    'CREATE SEQUENCE billing.numbers',
    'CREATE POLICY everybody ON billing.invoices USING (true)',
    'RESET ROLE',
    'CREATE FOREIGN DATA WRAPPER wrapper',
    'CREATE SERVER elsewhere FOREIGN DATA WRAPPER wrapper',
    'CREATE ROLE clerks',
    'GRANT clerks TO bob WITH ADMIN OPTION',
  );
}

/** Creates the principal as Drover makes its logins, or as Cloud SQL's Admin API does. */
export async function hire(cluster: PreparedCluster, maker: 'drover' | 'api', login = pat): Promise<void> {
  if (maker === 'api') return cluster.createLogin(login, 'iam');
  await run(
    cluster.url(functionLogin, localPassword),
    'SET ROLE drover_admin_03',
    sql`CREATE ROLE ${identifier(login)} LOGIN PASSWORD ${localPassword}`.text,
  );
}

/** Gives the principal everything that Drover can take back on every version, and lets it make things. */
export async function busy(cluster: PreparedCluster): Promise<void> {
  const app = cluster.superuserUrl('app');
  await run(
    cluster.url(functionLogin, localPassword),
    `SET ROLE ${acting}`,
    `GRANT ${reader}, ${writer} TO ${name}`,
    'RESET ROLE',
    'SET ROLE drover_admin',
    `GRANT ${monitor} TO ${name}`,
    'RESET ROLE',
    'SET ROLE drover_admin_05',
    'CREATE ROLE seniors',
    `GRANT seniors TO ${name} WITH ADMIN OPTION`,
  );
  await run(app, `SET ROLE ${name}`, 'GRANT seniors TO dave');
  await run(
    app,
    `SET ROLE ${owner}`,
    `GRANT USAGE, CREATE ON SCHEMA billing TO ${name}`,
    `GRANT SELECT ON billing.invoices TO ${name} WITH GRANT OPTION`,
    `GRANT UPDATE (note, paid), REFERENCES (id) ON billing.invoices TO ${name}`,
    `GRANT EXECUTE ON FUNCTION billing.total() TO ${name}`,
    `GRANT USAGE ON SEQUENCE billing.numbers TO ${name}`,
    `ALTER DEFAULT PRIVILEGES IN SCHEMA billing GRANT INSERT ON TABLES TO ${name}`,
    `ALTER DEFAULT PRIVILEGES GRANT SELECT ON SEQUENCES TO ${name} WITH GRANT OPTION`,
    'ALTER DEFAULT PRIVILEGES GRANT SELECT ON SEQUENCES TO dave',
    `CREATE POLICY only_pat ON billing.invoices TO ${name} USING (true)`,
    `CREATE POLICY pat_and_dave ON billing.invoices TO ${name}, dave USING (true)`,
    'RESET ROLE',
    'SET ROLE bob',
    `ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ${name}, dave`,
    'RESET ROLE',
    `CREATE USER MAPPING FOR ${name} SERVER elsewhere`,
    `GRANT USAGE ON FOREIGN SERVER elsewhere TO ${name}`,
    `SET ROLE ${name}`,
    'GRANT SELECT ON billing.invoices TO dave',
    `ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO dave`,
    ...objects('billing'),
    'RESET ROLE',
    `REVOKE USAGE ON FOREIGN SERVER elsewhere FROM ${name}`,
  );
  for (const database of databases) {
    await run(
      cluster.superuserUrl(database),
      `GRANT CREATE ON DATABASE ${database} TO ${name}`,
      'GRANT CREATE ON SCHEMA public TO PUBLIC',
      `SET ROLE ${name}`,
      'CREATE SCHEMA pats',
      ...objects('pats'),
      'CREATE EXTENSION pgcrypto SCHEMA pats',
      'CREATE PUBLICATION pats',
      'CREATE TABLE public.loose (id serial, note text)',
      `INSERT INTO public.loose (note) VALUES ('kept')`,
      'GRANT SELECT ON public.loose TO dave WITH GRANT OPTION',
      'SELECT lo_create(4711)',
      'GRANT SELECT ON LARGE OBJECT 4711 TO dave',
      'RESET ROLE',
      `REVOKE CREATE ON DATABASE ${database} FROM ${name}`,
      'REVOKE CREATE ON SCHEMA public FROM PUBLIC',
    );
  }
}

/** What only somebody else granted, so that from 16 on only somebody else can take it back. */
export async function entangle(cluster: PreparedCluster): Promise<void> {
  await run(
    cluster.superuserUrl('app'),
    'SET ROLE bob',
    `GRANT clerks TO ${name}`,
    `GRANT USAGE ON SCHEMA bobs TO ${name}`,
    `GRANT SELECT ON bobs.notes TO ${name} WITH GRANT OPTION`,
    `GRANT UPDATE (note) ON bobs.notes TO ${name}`,
    `CREATE POLICY only_pat ON bobs.notes TO ${name} USING (true)`,
    'RESET ROLE',
    'SET ROLE carol',
    `GRANT SELECT ON bobs.notes TO ${name}`,
    'RESET ROLE',
    `SET ROLE ${name}`,
    'GRANT SELECT ON bobs.notes TO dave',
    'RESET ROLE',
    'SET ROLE cloudsqlsuperuser',
    `GRANT CONNECT, CREATE ON DATABASE app TO ${name}`,
    'GRANT CREATE ON SCHEMA public TO PUBLIC',
    `SET ROLE ${name}`,
    'CREATE FUNCTION public.loose_function() RETURNS int LANGUAGE sql RETURN 1',
    'RESET ROLE',
    'REVOKE CREATE ON SCHEMA public FROM PUBLIC',
    `GRANT ${name} TO erin`,
  );
}

/** One of each class of objects, with a privilege that its owner gave to dave. */
function objects(schema: string): string[] {
  return [
    'CREATE TABLE $.things (id serial PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, note text)',
    `INSERT INTO $.things (note) VALUES ('kept')`,
    'GRANT SELECT ON $.things TO dave',
    'GRANT UPDATE (note) ON $.things TO dave',
    'CREATE INDEX ON $.things (note)',
    'CREATE STATISTICS $.figures ON id, note FROM $.things',
    'CREATE TABLE $.parts (id int) PARTITION BY RANGE (id)',
    'CREATE TABLE $.part_1 PARTITION OF $.parts FOR VALUES FROM (0) TO (9)',
    'CREATE VIEW $."a view" AS SELECT * FROM $.things',
    'CREATE MATERIALIZED VIEW $.stored AS SELECT * FROM $.things',
    'CREATE SEQUENCE $.counter',
    `CREATE FUNCTION $."odd name"(a text, VARIADIC b int[]) RETURNS int LANGUAGE sql RETURN 1`,
    'CREATE PROCEDURE $.act(a int) LANGUAGE sql BEGIN ATOMIC SELECT 1; END',
    'CREATE AGGREGATE $.total(int) (sfunc = int4pl, stype = int)',
    `CREATE TYPE $.mood AS ENUM ('good')`,
    'CREATE TYPE $.pair AS (a int, b int)',
    'CREATE TYPE $.span AS RANGE (subtype = float8)',
    'CREATE DOMAIN $.positive AS int CHECK (value > 0)',
    'CREATE COLLATION $.plain FROM "C"',
    'CREATE OPERATOR $.+ (function = int4pl, leftarg = int, rightarg = int)',
    'CREATE TEXT SEARCH DICTIONARY $.words (template = simple)',
    'CREATE TEXT SEARCH CONFIGURATION $.search (copy = pg_catalog.simple)',
    `CREATE CONVERSION $.convert FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1`,
    'CREATE FOREIGN TABLE $.distant (id int) SERVER elsewhere',
  ]
    .filter((text) => schema === 'billing' || !text.includes('SERVER'))
    .map((text) => text.replaceAll('$', schema));
}

/** All of it, as a caller does it. */
export async function offboard(
  cluster: Pick<PreparedCluster, 'pools'>,
  { principal = pat, dryRun = false, signal = new AbortController().signal } = {},
): Promise<Offboarded & { readonly parts: readonly (readonly [database: string, part: Offboarded])[] }> {
  const options = { signal, remainingMs: () => 60_000, dryRun };
  const target = (database: string) => ({ instance, database });
  const parts: (readonly [string, Offboarded])[] = [];
  parts.push(['app', await closePrincipal(cluster.pools, target('app'), principal, options)]);
  for (const database of databases) {
    parts.push([database, await offboardInDatabase(cluster.pools, target(database), principal, options)]);
  }
  const last = await dropPrincipal(cluster.pools, target('app'), principal, {
    ...options,
    offboarded: databases,
  });
  parts.push(['app', last]);
  return { ...together(...parts.map(([, part]) => part)), parts };
}

/** Everything about rights in both databases; the catalog's usual facts, and those that they don't tell of. */
export function snapshot(cluster: PreparedCluster): Promise<Record<string, Fact[]>> {
  return collect(cluster, async (client) => [
    ...(await readCatalog(client)),
    ...(await client.query(more)).rows,
  ]);
}

/** The contents of what the principal made. */
export function contents(cluster: PreparedCluster): Promise<Record<string, unknown[]>> {
  return collect(cluster, async (client) => {
    const { rows } = await client.query(
      `SELECT n.nspname, relname, relkind,
              CASE WHEN relkind IN ('r', 'v', 'm', 'S')
                   THEN query_to_xml(format('SELECT * FROM %s', c.oid::regclass), true, true, '')::text END AS rows
         FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE n.nspname !~ '^(pg_|information_schema)' AND relkind <> 'i'
        ORDER BY 1, 2`,
    );
    return rows;
  });
}

const more = `
SELECT 'owner' AS area, i.type || ' ' || i.identity AS about, i.schema AS schema, r.rolname::text AS who,
       '' AS what, '' AS grantor
  FROM pg_shdepend d
  JOIN pg_roles r ON r.oid = d.refobjid
 CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, 0) i
 WHERE d.deptype = 'o' AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
   AND d.classid NOT IN ('pg_class'::regclass, 'pg_default_acl'::regclass, 'pg_auth_members'::regclass,
                         'pg_user_mapping'::regclass)
 UNION ALL
SELECT 'privilege', 'policy ' || polname, polrelid::regclass::text, coalesce(r.rolname, 'PUBLIC')::text, '', ''
  FROM pg_policy CROSS JOIN unnest(polroles) u LEFT JOIN pg_roles r ON r.oid = u
 UNION ALL
SELECT 'privilege', 'large object ' || m.oid, NULL, g.rolname::text, privilege_type, b.rolname::text
  FROM pg_largeobject_metadata m CROSS JOIN aclexplode(lomacl) JOIN pg_roles g ON g.oid = grantee JOIN pg_roles b ON b.oid = grantor
 ORDER BY 1, 2, 3, 4, 5, 6`;

async function collect<T>(
  cluster: PreparedCluster,
  read: (client: pg.Client) => Promise<T[]>,
): Promise<Record<string, T[]>> {
  const all: Record<string, T[]> = {};
  for (const database of databases) all[database] = await connected(cluster.superuserUrl(database), read);
  return all;
}

/**
 * What a catalog is to be like once the principal is gone: what it owned is others', with all that others have of it; what
 * it had, and what it passed on of that, is nobody's.
 */
export function without(before: readonly Fact[]): Fact[] {
  const owners = new Map(
    before
      .filter(({ area, who }) => area === 'owner' && who === pat)
      .map(({ about, schema }) => [about, schema === 'billing' ? owner : 'drover_admin']),
  );
  const heir = (about: string) =>
    owners.get(about) ?? owners.get(about.replace(/^column (.*)\..*$/, 'relation $1'));
  return before.flatMap((fact) => {
    const { area, about, who, grantor } = fact;
    const replacement = area === 'owner' || area === 'privilege' ? heir(about) : undefined;
    if (replacement === undefined) return isAbout(fact, pat) ? [] : [fact];
    const replace = (role: string) => (role === pat ? replacement : role);
    return [{ ...fact, who: replace(who), grantor: replace(grantor) }];
  });
}

/** The same where only Drover's own grants, and what was passed on of them, could be taken back. */
export function withoutOurs(before: readonly Fact[]): Fact[] {
  return before.filter(({ area, about, who, grantor }) => {
    if (area === 'default') return !(who === pat && about.startsWith(owner));
    if (who === pat) return grantor !== owner && !/^drover_admin/.test(grantor);
    return !(grantor === pat && ['seniors', 'relation billing.invoices'].includes(about));
  });
}

function isAbout({ area, about, who, grantor }: Fact, role: string): boolean {
  if (area === 'role' || area === 'membership' || area === 'default') {
    if (about === role || about.startsWith(`${role} `)) return true;
  }
  return who === role || grantor === role;
}

/** Facts in an order that doesn't depend on names that were replaced. */
export function inOrder(
  facts: Record<string, readonly Fact[]>,
  change = (some: readonly Fact[]) => [...some],
): string[] {
  return Object.entries(facts).flatMap(([database, some]) =>
    change(some)
      .map((fact) => `${database} ${JSON.stringify(fact)}`)
      .sort(),
  );
}

/** Has somebody above all rights run what the notes say, where they say it. */
export async function obey(
  cluster: PreparedCluster,
  { parts }: Awaited<ReturnType<typeof offboard>>,
): Promise<void> {
  for (const [database, { notes }] of parts) {
    await run(cluster.superuserUrl(database), ...notes.flatMap(({ statements }) => statements ?? []));
  }
}

/** Sessions of the principal: idle, acting as another, and in a transaction with a lock on what it owns. */
export async function logIn(cluster: PreparedCluster): Promise<pg.Client[]> {
  const sessions: pg.Client[] = [];
  for (const [database, ...statements] of [
    ['app'],
    ['app', `SET ROLE ${writer}`],
    ['app', 'BEGIN', 'LOCK TABLE billing.things'],
    ['other', 'BEGIN', 'SELECT note FROM pats.things'],
  ] as const) {
    const client = new pg.Client({
      connectionString: cluster.url(pat, localPassword, database),
      application_name: `pat ${sessions.length}`,
    });
    client.on('error', () => undefined);
    await client.connect();
    for (const statement of statements) await client.query(statement);
    sessions.push(client);
  }
  return sessions;
}
