import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CloudSqlCluster, createCloudSqlCluster } from '../../../local/postgres/cloudsql.ts';
import { adminShards } from '../../../shared/postgres/names.ts';
import { connected, convergeAs, desired, poolsAs } from '../../support/postgres.ts';
import { readCatalog } from './schema/catalog.ts';

let cluster: CloudSqlCluster;
const first = 'create-schema@acme-dev.iam';
const later = `grant-roles@acme-dev.iam`;

beforeAll(async () => {
  cluster = await createCloudSqlCluster();
  await cluster.createLogin(first, 'iam');
  await cluster.createLogin(later, 'iam');
  await cluster.createDatabase('app');
});

afterAll(() => cluster.remove());

const catalog = () => connected(cluster.superuserUrl('app'), readCatalog);

async function convergeWith(login: string, schema: string) {
  const pools = poolsAs(cluster, login);
  try {
    return await convergeAs(pools, desired('app', schema));
  } finally {
    await pools.close(0);
  }
}

test('an instance is prepared once, again without any effect, and for logins that come later', async () => {
  await expect(convergeWith(first, 'billing')).rejects.toMatchObject({
    code: 'INSTANCE_NOT_PREPARED',
    retryable: false,
    cause: { code: '22023' },
  });

  await cluster.prepare([first]);
  await cluster.allowCreating('app');
  const once = await catalog();
  expect((await convergeWith(first, 'billing')).steps.length).toBeGreaterThan(0);
  await expect(convergeWith(later, 'billing')).rejects.toMatchObject({
    code: 'INSTANCE_NOT_PREPARED',
    cause: { code: '42501' },
  });

  const before = await catalog();
  await cluster.prepare([first]);
  await cluster.prepare([]);
  expect(await catalog()).toEqual(before);
  expect(before.length).toBeGreaterThan(once.length);

  await cluster.prepare([first, later]);
  expect((await convergeWith(later, 'billing')).steps).toEqual([]);
  expect((await convergeWith(later, 'orders')).steps.length).toBeGreaterThan(0);
  expect((await convergeWith(first, 'orders')).steps).toEqual([]);
});

test('what one login made another can change', async () => {
  await convergeWith(first, 'shared');
  const pools = poolsAs(cluster, later);

  const { steps } = await convergeAs(pools, desired('app', 'shared', { comment: 'changed' }));

  await pools.close(0);
  expect(steps.map(({ change }) => change?.action)).toEqual(['comment', undefined]);
});

test('a login has no power of its own but by acting as an admin', async () => {
  const { url } = cluster;
  await expect(
    connected(url(first, 'drover-local', 'app'), (client) => client.query('CREATE SCHEMA own')),
  ).rejects.toMatchObject({ code: '42501' });
});

test('there are as many acting admins as the names need', () => {
  const text = readFileSync(new URL('../../../shared/postgres/prepare.sql', import.meta.url), 'utf8');
  expect(text.match(/FOR n IN 0\.\.(\d+) LOOP/g)).toEqual(
    Array.from({ length: 2 }, () => `FOR n IN 0..${adminShards - 1} LOOP`),
  );
});
