import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { convergeGrants } from '../../../../shared/postgres/grants/converge.ts';
import type { WantedGrant } from '../../../../shared/postgres/grants/model.ts';
import { actingAdmin } from '../../../../shared/postgres/names.ts';
import {
  desired as desiredSchema,
  instance,
  type PreparedCluster,
  run,
  startPrepared,
} from '../../../support/postgres.ts';

const people = [...'abcdefgh'].map((letter) => `${letter}@acme.iam`);
const levels = ['owner', 'writer', 'reader'] as const;

/** Who has which level; nobody has two, so that each works by itself. */
type List = Readonly<Record<string, (typeof levels)[number]>>;

let cluster: PreparedCluster;
let client: pg.Client;
let epoch = 0;

beforeAll(async () => {
  cluster = await startPrepared();
  await cluster.open('app');
  await cluster.converge(desiredSchema('app', 'billing'));
  for (const name of people) await cluster.createLogin(name, 'iam');
  await run(
    cluster.superuserUrl('app'),
    'CREATE TABLE billing.invoices (id int)',
    'ALTER TABLE billing.invoices OWNER TO app__billing__owner',
    'GRANT SELECT ON billing.invoices TO app__billing__reader',
    'GRANT INSERT ON billing.invoices TO app__billing__writer',
    'CREATE TABLE kept (generation int, who text[], level text[])',
    'CREATE TABLE missed (generation int, who text, level text)',
    'CREATE TABLE looked (times int, took interval)',
  );
  client = new pg.Client({ connectionString: cluster.superuserUrl('app') });
  await client.connect();
});

afterAll(async () => {
  await client.end();
  await cluster.remove();
});

beforeEach(async () => {
  await client.query('TRUNCATE kept, missed, looked');
  await client.query(`INSERT INTO kept VALUES (0, '{}', '{}')`);
});

/**
 * Looks, each time in a transaction of its own, whether what is to be kept works, until told to stop. It has missed
 * something only where that was to be kept before and after the look: what is kept changes while it looks. The COMMIT in
 * front of the look makes PostgreSQL forget what it remembers of memberships from before it read what is kept.
 */
const watch = `
DO $$
DECLARE
  times   int := 0;
  began   timestamptz := clock_timestamp();
  before  kept;
  after   kept;
  missing text[];
BEGIN
  LOOP
    SELECT * INTO before FROM kept;
    EXIT WHEN before.generation < 0;
    COMMIT;
    SELECT coalesce(array_agg(k.who || ' ' || k.level), '{}') INTO missing
      FROM unnest(before.who, before.level) AS k (who, level)
     WHERE NOT CASE k.level
                 WHEN 'owner'  THEN pg_has_role(k.who, 'app__billing__owner', 'SET')
                 WHEN 'writer' THEN has_table_privilege(k.who, 'billing.invoices', 'INSERT')
                               AND has_table_privilege(k.who, 'billing.invoices', 'SELECT')
                 ELSE has_table_privilege(k.who, 'billing.invoices', 'SELECT')
               END;
    IF missing <> '{}' THEN
      COMMIT;
      SELECT * INTO after FROM kept;
      INSERT INTO missed
      SELECT before.generation, k.who, k.level
        FROM unnest(after.who, after.level) AS k (who, level)
       WHERE k.who || ' ' || k.level = ANY (missing) AND after.generation - before.generation < 2;
    END IF;
    times := times + 1;
    COMMIT;
  END LOOP;
  INSERT INTO looked VALUES (times, clock_timestamp() - began);
END $$`;

/** Watches over a connection of its own. */
async function whileWatching(work: () => Promise<void>): Promise<{ perSecond: number; missed: unknown[] }> {
  const watcher = new pg.Client({ connectionString: cluster.superuserUrl('app') });
  await watcher.connect();
  const watching = watcher.query(watch);
  try {
    await work();
  } finally {
    await client.query('UPDATE kept SET generation = -1');
    await watching;
    await watcher.end();
  }
  const missed = await client.query('SELECT * FROM missed');
  const looked = await client.query(
    'SELECT times / extract(epoch FROM took)::float AS per_second FROM looked',
  );
  return { perSecond: looked.rows[0].per_second, missed: missed.rows };
}

async function keep(list: List): Promise<void> {
  await client.query('UPDATE kept SET generation = generation + 1, who = $1, level = $2', [
    Object.keys(list),
    Object.values(list),
  ]);
}

async function makeExact(list: List): Promise<number> {
  epoch += 1;
  const grants = Object.entries(list).map(
    ([principal, role]): WantedGrant => ({ role, principal, present: true }),
  );
  const { statements } = await convergeGrants(
    cluster.pools,
    { instance, database: 'app' },
    [
      {
        database: 'app',
        schema: 'billing',
        grants,
        customRoles: [],
        surplus: 'revoke',
        undecided: [],
        fence: { epoch, outstanding: false },
      },
    ],
    { signal: new AbortController().signal, remainingMs: () => 60_000 },
  );
  return statements.length;
}

const anyOf = <T>(list: readonly T[]): T | undefined => list[Math.floor(Math.random() * list.length)];

/** Each keeps what he has, or gets something else, or nothing. */
function changed(list: List): List {
  const entries = people.map(
    (who) => [who, Math.random() < 0.6 ? list[who] : anyOf([...levels, undefined])] as const,
  );
  return Object.fromEntries(
    entries.filter((entry): entry is [string, List[string]] => entry[1] !== undefined),
  );
}

const both = (one: List, other: List): List =>
  Object.fromEntries(Object.entries(one).filter(([who, level]) => other[who] === level));

/** Wrongly granted by Drover's admin itself, so that it is mended: acting as the role, or passing it on. */
const byHand = ['INHERIT TRUE, SET TRUE', 'ADMIN TRUE'].map(
  (options) => (who: string) =>
    `GRANT app__billing__reader TO "${who}" WITH ${options} GRANTED BY ${actingAdmin('app', 'billing')}`,
);

test('what stays in a list works at every moment while the list changes', async () => {
  let list: List = { [people[0] ?? '']: 'reader', [people[1] ?? '']: 'writer', [people[2] ?? '']: 'owner' };
  await makeExact(list);
  let statements = 0;

  const { perSecond, missed } = await whileWatching(async () => {
    for (let change = 0; change < 100; change += 1) {
      const reader = anyOf(Object.keys(list).filter((who) => list[who] === 'reader'));
      const grant = anyOf(byHand);
      if (reader !== undefined && grant !== undefined && change % 5 === 0) await client.query(grant(reader));
      const next = changed(list);
      await keep(both(list, next));
      statements += await makeExact(next);
      list = next;
    }
  });

  expect(missed).toEqual([]);
  expect(perSecond).toBeGreaterThan(1000);
  expect(statements).toBeGreaterThan(100);
});

test('whoever looked would have seen what was taken away and given back', async () => {
  const list: List = { [people[0] ?? '']: 'reader', [people[1] ?? '']: 'writer' };
  await makeExact(list);

  const { missed } = await whileWatching(async () => {
    await keep(list);
    await makeExact({ [people[1] ?? '']: 'writer' });
    for (let seen = 0; seen === 0; ) {
      const { rows } = await client.query('SELECT count(*)::int AS seen FROM missed');
      seen = rows[0].seen;
    }
    await makeExact(list);
  });

  expect(missed).toContainEqual({ generation: 1, who: people[0], level: 'reader' });
});
