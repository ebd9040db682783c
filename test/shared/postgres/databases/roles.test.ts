import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, dropDatabase } from '../../../../shared/postgres/databases/database.ts';
import { dropRolesOf } from '../../../../shared/postgres/databases/roles.ts';
import { formatMarker } from '../../../../shared/postgres/marker.ts';
import { identifier, sql } from '../../../../shared/postgres/sql.ts';
import {
  connected,
  desired,
  instance,
  type PreparedCluster,
  run,
  startPrepared,
} from '../../../support/postgres.ts';

let cluster: PreparedCluster;

beforeAll(async () => {
  cluster = await startPrepared();
});
afterAll(() => cluster.remove());

const options = () => ({
  pools: cluster.pools,
  signal: new AbortController().signal,
  remainingMs: () => 60_000,
});
const place = (database: string) => ({ instance, database });

/** A database of Drover's with a schema and its roles. */
async function make(database: string): Promise<string[]> {
  await createDatabase(place(database), 'tenant-acme', false, options());
  await cluster.converge(desired(database, 'app'));
  return rolesOf(database);
}
const drop = (database: string) => dropDatabase(place(database), 'tenant-acme', false, options());
const dropRoles = (database: string) => dropRolesOf(place(database), options());

/** Roles whose comments say that they are a database's. */
function rolesOf(database: string): Promise<string[]> {
  return connected(cluster.superuserUrl(), async (client) => {
    const { rows } = await client.query<{ name: string; comment: string }>(
      `SELECT rolname AS name, shobj_description(oid, 'pg_authid') AS comment FROM pg_roles ORDER BY 1`,
    );
    const isOf = (comment: string | null) =>
      comment?.startsWith('{') === true && JSON.parse(comment).database === database;
    return rows.filter(({ comment }) => isOf(comment)).map(({ name }) => name);
  });
}

const gone = (names: readonly string[]) =>
  names.map((name) => ({ action: 'revoke', kind: 'role', name, detail: 'dropped' }));

describe('the roles of a database', () => {
  it('go once it is gone, with all members, and those of others stay', async () => {
    const roles = await make('acme');
    const others = await Promise.all(['acme_2', 'ACME'].map(make));
    expect(roles).toContain('acme__app__owner');
    expect(roles.length).toBeGreaterThanOrEqual(4);
    expect(await rolesOf('acme_2')).toEqual(others[0]);
    await cluster.createLogin('ann', 'password');
    await run(cluster.superuserUrl(), 'GRANT acme__app__reader, acme_2__app__reader TO ann');

    expect(await dropRoles('acme')).toEqual([]);
    expect(await rolesOf('acme')).toEqual(roles);

    await drop('acme');
    expect(await dropRoles('acme')).toEqual(gone(roles));
    expect(await rolesOf('acme')).toEqual([]);
    expect(await dropRoles('acme')).toEqual([]);
    expect([await rolesOf('acme_2'), await rolesOf('ACME')]).toEqual(others);
  });

  it('go all or none, and the next attempt goes on', async () => {
    const roles = await make('half');
    await createDatabase(place('user'), 'tenant-acme', false, options());
    // Nobody foresaw it: a role of one database with a right in another.
    await run(
      cluster.superuserUrl('user'),
      'CREATE TABLE t (id int)',
      'GRANT SELECT ON t TO half__app__reader',
    );
    await drop('half');
    await expect(dropRoles('half')).rejects.toMatchObject({ code: '2BP01' });
    expect(await rolesOf('half')).toEqual(roles);
    await run(cluster.superuserUrl('user'), 'DROP TABLE t');
    expect(await dropRoles('half')).toEqual(gone(roles));
    await drop('user');
  });

  it.each([`it's "odd"`, 'back\\slash', '🐘 %_'])('go of a database that is called %j', async (name) => {
    const roles = await make(name);
    expect(roles.length).toBeGreaterThanOrEqual(4);
    await drop(name);
    expect(await dropRoles(name)).toEqual(gone(roles));
    expect(await rolesOf(name)).toEqual([]);
  });

  it('are dropped once where two do it at once', async () => {
    const roles = await make('twice');
    await drop('twice');
    const changes = await Promise.all([dropRoles('twice'), dropRoles('twice'), dropRoles('twice')]);
    expect(changes.flat()).toEqual(gone(roles));
  });

  it('stay where they are nobody’s of Drover’s: a comment can be anybody’s', async () => {
    const comment = formatMarker({ managedBy: 'drover', database: 'theirs', level: 'monitor' });
    await run(
      cluster.superuserUrl(),
      'CREATE ROLE theirs__monitor',
      sql`COMMENT ON ROLE ${identifier('theirs__monitor')} IS ${comment}`.text,
    );
    expect(await dropRoles('theirs')).toEqual([]);
    expect(await rolesOf('theirs')).toEqual(['theirs__monitor']);
  });
});
