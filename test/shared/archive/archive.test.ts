import { afterAll, beforeAll, expect, test } from 'vitest';
import { readFacts } from './catalog.ts';
import { startWorld, type World } from './fixture.ts';
import { fillWithEverything, proveRoundTrip, readRows } from './round-trip.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.close());

const fill = (database: string, schema: string) => fillWithEverything(world, database, schema);
const rowsOf = (database: string, schema: string) => readRows(world, database, schema);

test('a schema with everything comes back as it was, in another database', () =>
  proveRoundTrip(world, 'billing', 109));

test('a schema that was dropped comes back under the same name', async () => {
  await fill('app', 'lost');
  const facts = await readFacts(world, 'app', 'lost');
  const rows = await rowsOf('app', 'lost');
  await world.archive('app', ['lost'], 'lost');
  await world.query('app', 'DROP SCHEMA lost CASCADE');
  await world.schema('app', 'lost');

  await world.restore('lost', 'app');

  expect(await readFacts(world, 'app', 'lost')).toEqual(facts);
  expect(await rowsOf('app', 'lost')).toEqual(rows);
});

test('a generated value that is not kept is computed anew', async () => {
  await world.schema('app', 'generated');
  await world.as(
    'app',
    'generated',
    'CREATE TABLE generated.numbers (n int, twice int GENERATED ALWAYS AS (n * 2) STORED, last text)',
    `INSERT INTO generated.numbers (n, last) VALUES (1, 'a'), (21, 'b')`,
  );

  const { manifest } = await world.archive('app', ['generated'], 'generated');
  await world.schema('generations', 'generated');
  await world.restore('generated', 'generations');

  expect(manifest.tables.map(({ columns }) => columns)).toEqual([['n', 'last']]);
  expect(await rowsOf('generations', 'generated')).toEqual([
    { name: 'generated.numbers t', rows: ['(1,2,a)', '(21,42,b)'] },
  ]);
});

test('schemas that use each other come back together, each as its owner’s', async () => {
  await world.schema('app', 'base');
  await world.schema('app', 'front');
  await world.as(
    'app',
    'base',
    `CREATE TYPE base.colour AS ENUM ('red', 'blue')`,
    'CREATE TABLE base.things (id int PRIMARY KEY, colour base.colour)',
    `INSERT INTO base.things VALUES (1, 'red'), (2, 'blue')`,
    'GRANT USAGE ON SCHEMA base TO app__front__owner',
    'GRANT SELECT, REFERENCES ON base.things TO app__front__owner',
  );
  await world.as(
    'app',
    'front',
    'CREATE TABLE front.orders (thing int REFERENCES base.things, colour base.colour)',
    `INSERT INTO front.orders VALUES (2, 'blue')`,
    'CREATE MATERIALIZED VIEW front.coloured AS SELECT * FROM base.things',
    'GRANT USAGE ON SCHEMA front TO app__base__owner',
    'GRANT SELECT ON front.orders TO app__base__owner',
  );
  await world.as('app', 'base', 'CREATE VIEW base.ordered AS SELECT * FROM front.orders');

  const { manifest } = await world.archive('app', ['front', 'base'], 'together');
  await world.schema('together', 'base');
  await world.schema('together', 'front');
  await world.restore('together', 'together');

  for (const schema of ['base', 'front']) {
    expect(await readFacts(world, 'together', schema)).toEqual(await readFacts(world, 'app', schema));
    expect(await rowsOf('together', schema)).toEqual(await rowsOf('app', schema));
  }
  expect(manifest.omitted).toEqual([]);
});

test('what roles outside the schemas have is told, and neither archived nor a reason not to archive', async () => {
  await world.schema('app', 'shared');
  await world.cluster.createLogin('alice', 'password');
  await world.as(
    'app',
    'shared',
    'CREATE TABLE shared.plans (id int)',
    'ALTER TABLE shared.plans ENABLE ROW LEVEL SECURITY',
    'GRANT SELECT ON shared.plans TO alice',
    'CREATE POLICY hers ON shared.plans TO alice USING (true)',
    'CREATE POLICY ours ON shared.plans TO alice, app__shared__reader USING (true)',
  );

  const { manifest } = await world.archive('app', ['shared'], 'shared');
  await world.schema('sharing', 'shared');
  await world.restore('shared', 'sharing');

  expect(manifest.omitted).toEqual([
    {
      object: 'table shared.plans',
      reason: 'it grants SELECT to alice, which is no role of these schemas',
      minor: true,
    },
    {
      object: 'policy hers on table shared.plans',
      reason: 'it is for alice, which is no role of these schemas',
      minor: true,
    },
    {
      object: 'policy ours on table shared.plans',
      reason: 'it is for alice, which is no role of these schemas',
      minor: true,
    },
  ]);
  expect(
    await world.query('sharing', 'SELECT polname, polroles::regrole[]::text AS roles FROM pg_policy'),
  ).toEqual([{ polname: 'ours', roles: '{sharing__shared__reader}' }]);
});

test('rows are there as well that row level security keeps from their owner, and it stays in force', async () => {
  await world.schema('app', 'forced');
  await world.as(
    'app',
    'forced',
    'CREATE TABLE forced.secrets (id int)',
    'INSERT INTO forced.secrets SELECT generate_series(1, 10)',
    'ALTER TABLE forced.secrets ENABLE ROW LEVEL SECURITY',
    'ALTER TABLE forced.secrets FORCE ROW LEVEL SECURITY',
    'CREATE POLICY few ON forced.secrets USING (id < 3)',
  );

  const { manifest } = await world.archive('app', ['forced'], 'forced');

  expect(manifest.tables.map(({ rows }) => rows)).toEqual([10]);
  const forced = await world.query(
    'app',
    `SELECT relforcerowsecurity FROM pg_class WHERE relname = 'secrets'`,
  );
  expect(forced).toEqual([{ relforcerowsecurity: true }]);
});
