import pg from 'pg';
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { ClusterOptions } from '../../../../local/postgres/cluster.ts';
import type { LoginOptions, LoginScope } from '../../../../shared/postgres/logins/change.ts';
import { type DesiredLogins, ensureLogins } from '../../../../shared/postgres/logins/ensure.ts';
import { formatLoginMarker } from '../../../../shared/postgres/logins/marker.ts';
import { identifier, sql } from '../../../../shared/postgres/sql.ts';
import { desired, instance, type PreparedCluster, startPrepared } from '../../../support/postgres.ts';

export let cluster: PreparedCluster;
let observer: pg.Client;
const sessions: pg.Client[] = [];

export const scope: LoginScope = { instance, database: 'app', schema: 'billing', secret: 'app-billing' };
export const writer = 'app__billing__writer';
export const owner = 'app__billing__owner';

/** A cluster for the tests of a file, with the schema `billing` and its roles; {@link newLogin} keeps them apart. */
export function useLogins(options: Pick<ClusterOptions, 'settings' | 'onLog'> = {}): void {
  beforeAll(async () => {
    cluster = await startPrepared(options);
    await cluster.open('app');
    await cluster.converge(desired('app', 'billing', { levels: ['owner', 'writer'] }));
    observer = new pg.Client(cluster.superuserUrl('app'));
    await observer.connect();
    await superuser(
      'CREATE TABLE billing.invoices (total int)',
      `ALTER TABLE billing.invoices OWNER TO ${owner}`,
    );
    await superuser(`GRANT SELECT, INSERT ON billing.invoices TO ${writer}`);
  });
  afterEach(async () => {
    await Promise.all(sessions.splice(0).map((session) => session.end()));
  });
  afterAll(async () => {
    await observer.end();
    await cluster.remove();
  });
}

/** One after the other, as somebody above all rights. */
export async function superuser(...statements: readonly string[]): Promise<void> {
  for (const statement of statements) await observer.query(statement);
}

export const options = (): LoginOptions => ({
  pools: cluster.pools,
  signal: new AbortController().signal,
  remainingMs: () => 60_000,
});

let names = 0;

/** A name that no other test of the file uses. */
export function newName(): string {
  names += 1;
  return `login_${names}`;
}

export const ensure = (logins: readonly string[], more: Partial<DesiredLogins> = {}) =>
  ensureLogins({ scope, logins, adopted: undefined, actAs: undefined, epoch: 1, ...more }, options());

/** A login of the secret, with the rights of the schema's writers, and without a password. */
export async function newLogin(name = newName()): Promise<string> {
  await ensure([name]);
  await superuser(`GRANT ${writer} TO ${name}`);
  return name;
}

/** A role that others made, and with the marker that is said. */
export async function foreignLogin(
  attributes: string,
  marker: { readonly secret: string; readonly epoch?: number } | undefined,
): Promise<string> {
  const name = newName();
  await superuser(`CREATE ROLE ${name} LOGIN ${attributes}`);
  if (marker) {
    const comment = formatLoginMarker({ managedBy: 'drover', epoch: 1, ...marker });
    await superuser(sql`COMMENT ON ROLE ${identifier(name)} IS ${comment}`.text);
  }
  return name;
}

/** All that could change of a login. */
export async function stateOf(name: string): Promise<{ verifier: string | null; comment: string | null }> {
  const { rows } = await observer.query(
    `SELECT rolpassword AS verifier, shobj_description(oid, 'pg_authid') AS comment
       FROM pg_authid WHERE rolname = $1`,
    [name],
  );
  return rows[0];
}

/** A session of an application, until the test ends. */
export async function logIn(user: string, password: string, application = 'billing-api'): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: cluster.url(user, password, 'app'),
    application_name: application,
  });
  client.on('error', () => undefined);
  await client.connect();
  sessions.push(client);
  return client;
}
