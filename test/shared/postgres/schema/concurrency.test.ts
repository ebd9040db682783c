import { afterAll, beforeAll, expect, test } from 'vitest';
import { connected, desired, type PreparedCluster, startPrepared } from '../../../support/postgres.ts';

const databases = Array.from({ length: 16 }, (_, index) => `app_${index}`);
let cluster: PreparedCluster;

beforeAll(async () => {
  cluster = await startPrepared();
  for (const database of [...databases, 'shared', 'locked']) await cluster.open(database);
  await connected(cluster.superuserUrl(), (client) =>
    client.query('ALTER DATABASE locked OWNER TO drover_admin'),
  );
});

afterAll(() => cluster.remove());

const stepsLeft = async (database: string, schema: string) =>
  (await cluster.converge(desired(database, schema))).steps.length;

test('sixteen databases of one instance are changed at once and nobody hears of the others', async () => {
  const outcomes = await Promise.allSettled(
    databases.map((database) => cluster.converge(desired(database, 'billing'))),
  );

  expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([]);
  for (const database of databases) expect(await stepsLeft(database, 'billing')).toBe(0);
});

test('twenty changes of one schema at once are one change', async () => {
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, () => cluster.converge(desired('shared', 'billing'))),
  );

  expect(outcomes.filter(({ steps }) => steps.length > 0)).toHaveLength(1);
  expect(await stepsLeft('shared', 'billing')).toBe(0);
});

test('schemas that all make the roles of their database and lock it at once all succeed', async () => {
  const schemas = Array.from({ length: 20 }, (_, index) => `tenant_${index}`);

  const outcomes = await Promise.allSettled(
    schemas.map((schema) => cluster.converge(desired('locked', schema, { lockDatabase: true }))),
  );

  expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([]);
  for (const schema of schemas) expect(await stepsLeft('locked', schema)).toBe(0);
});
