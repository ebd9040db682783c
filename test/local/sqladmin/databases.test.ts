import { expect, test } from 'vitest';
import { connected } from '../../support/postgres.ts';
import { main, refusalOf, useAdminApi } from './fixture.ts';

const cloud = useAdminApi();

const listed = async () => (await cloud.api.databases.list(main)).data.items?.map(({ name }) => name);
const make = async (name: string) =>
  cloud.ended((await cloud.api.databases.insert({ ...main, requestBody: { name } })).data);

test('databases are listed without the server’s own', async () => {
  await make('listed');

  expect(await listed()).toEqual(expect.arrayContaining(['listed', 'postgres']));
  expect(await listed()).not.toContain('cloudsqladmin');
  expect(await listed()).not.toContain('template1');
});

test('a database belongs to cloudsqlsuperuser', async () => {
  const operation = await make('made');

  const { data } = await cloud.api.databases.get({ ...main, database: 'made' });
  const owner = await connected(cloud.cluster.superuserUrl(), async (client) => {
    const { rows } = await client.query(
      `SELECT datdba::regrole::text AS owner FROM pg_database WHERE datname = 'made'`,
    );
    return rows[0].owner;
  });
  expect(operation).toMatchObject({ operationType: 'CREATE_DATABASE', status: 'DONE', targetId: 'main' });
  expect(data).toMatchObject({
    kind: 'sql#database',
    charset: 'UTF8',
    instance: 'main',
    project: 'acme-dev',
  });
  expect(owner).toBe('cloudsqlsuperuser');
});

test('a database that exists is refused', async () => {
  expect(await refusalOf(make('postgres'))).toEqual({
    status: 400,
    reason: 'invalid',
    message: expect.stringContaining('already exists'),
  });
});

test('a database is deleted, but not while somebody is in it', async () => {
  await make('busy');
  const remove = async () =>
    cloud.ended((await cloud.api.databases.delete({ ...main, database: 'busy' })).data);

  const refused = await connected(cloud.cluster.superuserUrl('busy'), remove);
  const removed = await remove();

  expect(refused.error?.errors?.[0]?.message).toContain('is being accessed by other users');
  expect(removed).not.toHaveProperty('error');
  expect(await listed()).not.toContain('busy');
});

test('a database that doesn’t exist is 404', async () => {
  const calls = [
    cloud.api.databases.get({ ...main, database: 'missing' }),
    cloud.api.databases.delete({ ...main, database: 'missing' }),
    cloud.api.databases.delete({ ...main, database: 'cloudsqladmin' }),
  ];
  for (const refusal of await Promise.all(calls.map(refusalOf)))
    expect(refusal).toMatchObject({ status: 404 });
});

test('a charset or collation answers 501 rather than being ignored', async () => {
  for (const more of [{ charset: 'LATIN1' }, { collation: 'de_DE.UTF8' }]) {
    const call = cloud.api.databases.insert({ ...main, requestBody: { name: 'other', ...more } });
    expect(await refusalOf(call)).toMatchObject({ status: 501 });
  }
});
