import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWorld, type World } from './fixture.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
  await world.schema('app', 'other');
});
afterAll(() => world?.close());

interface Uncovered {
  readonly what: string;
  /** As the superuser; `odd` is the schema. */
  readonly made: readonly string[];
  readonly told: readonly string[];
}

const own = (statement: string) => [`SET ROLE app__odd__owner`, statement, 'RESET ROLE'];

const uncovered: readonly Uncovered[] = [
  {
    what: 'an operator',
    made: own('CREATE OPERATOR odd.===> (LEFTARG = int, RIGHTARG = int, FUNCTION = pg_catalog.int4pl)'),
    told: ['operator odd.===>(integer,integer)'],
  },
  {
    what: 'an operator class and its family',
    made: [
      `CREATE OPERATOR CLASS odd.numbers FOR TYPE int USING btree AS OPERATOR 1 pg_catalog.<, FUNCTION 1 pg_catalog.btint4cmp(int, int)`,
    ],
    told: [
      'operator class odd.numbers for access method btree',
      'operator family odd.numbers for access method btree',
    ],
  },
  {
    what: 'a collation',
    made: own(`CREATE COLLATION odd.german (provider = icu, locale = 'de')`),
    told: ['collation odd.german'],
  },
  {
    what: 'text search',
    made: [
      ...own('CREATE TEXT SEARCH CONFIGURATION odd.words (COPY = pg_catalog.english)'),
      ...own('CREATE TEXT SEARCH DICTIONARY odd.stems (TEMPLATE = pg_catalog.simple)'),
    ],
    told: ['text search configuration odd.words', 'text search dictionary odd.stems'],
  },
  {
    what: 'a conversion',
    made: own(`CREATE CONVERSION odd.latin FOR 'LATIN1' TO 'UTF8' FROM pg_catalog.iso8859_1_to_utf8`),
    told: ['conversion odd.latin'],
  },
  {
    what: 'a foreign table',
    made: [
      'CREATE EXTENSION IF NOT EXISTS file_fdw',
      'CREATE SERVER files FOREIGN DATA WRAPPER file_fdw',
      `CREATE FOREIGN TABLE odd.far (line text) SERVER files OPTIONS (filename '/x')`,
    ],
    told: ['foreign table odd.far'],
  },
  {
    what: 'a function that only a superuser can make',
    made: [
      `CREATE FUNCTION odd.inside(int, int) RETURNS int LANGUAGE internal AS 'int4pl'`,
      'ALTER FUNCTION odd.inside OWNER TO app__odd__owner',
    ],
    told: ['function odd.inside(integer,integer)'],
  },
  {
    what: 'a cast',
    made: [
      ...own('CREATE TYPE odd.pair AS (a int, b int)'),
      ...own(`CREATE FUNCTION odd.sum(odd.pair) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1.a + $1.b'`),
      ...own('CREATE CAST (odd.pair AS int) WITH FUNCTION odd.sum(odd.pair)'),
    ],
    told: ['cast from odd.pair to integer'],
  },
  {
    what: 'an event trigger',
    made: [
      ...own(`CREATE FUNCTION odd.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'`),
      'CREATE EVENT TRIGGER watch ON ddl_command_start EXECUTE FUNCTION odd.on_ddl()',
    ],
    told: ['event trigger watch'],
  },
  {
    what: 'a publication',
    made: [...own('CREATE TABLE odd.sent (id int)'), 'CREATE PUBLICATION news FOR TABLE odd.sent'],
    told: ['publication of table odd.sent in publication news'],
  },
  {
    what: 'a publication of the schema',
    made: ['CREATE PUBLICATION all_news FOR TABLES IN SCHEMA odd'],
    told: ['publication of schema odd in publication all_news'],
  },
  { what: 'a base type', made: ['CREATE TYPE odd.shell'], told: ['type odd.shell'] },
  {
    what: 'what belongs to somebody else',
    made: [
      'CREATE TABLE odd.foreign_table (id serial PRIMARY KEY)',
      'CREATE TYPE odd.foreign_type AS (a int)',
    ],
    told: ['sequence odd.foreign_table_id_seq', 'table odd.foreign_table', 'type odd.foreign_type'],
  },
  {
    what: 'what needs a type of another schema',
    made: [
      `CREATE TYPE other.kind AS ENUM ('a')`,
      'GRANT USAGE ON SCHEMA other TO app__odd__owner',
      ...own('CREATE TABLE odd.kinds (kind other.kind)'),
    ],
    told: ['table odd.kinds'],
  },
  {
    what: 'a view of a table of another schema',
    made: [
      'CREATE TABLE other.base (id int)',
      'GRANT USAGE ON SCHEMA other TO app__odd__owner',
      ...own('CREATE VIEW odd.of_other AS SELECT * FROM other.base'),
    ],
    told: ['view odd.of_other'],
  },
  { what: 'large objects', made: own('SELECT pg_catalog.lo_create(0)'), told: ['1 large objects'] },
];

test.each(uncovered)('$what is named, and nothing is archived', async ({ made, told }) => {
  await world.schema('app', 'odd');
  for (const schema of ['odd', 'other']) {
    await world.query('app', `GRANT USAGE, CREATE ON SCHEMA ${schema} TO cloudsqladmin`);
  }
  try {
    await world.statements('app', made);

    const archiving = world.archive('app', ['odd'], 'odd');

    await expect(archiving).rejects.toMatchObject({ code: 'ARCHIVE_INCOMPLETE', retryable: false });
    const error = await archiving.catch((thrown) => thrown);
    expect(error.details.objects.map(({ object }: { object: string }) => object)).toEqual(told);
    for (const object of told) expect(error.message).toContain(object);
    expect(await world.objects('odd/')).toEqual([]);
  } finally {
    await world.statements('app', [
      'DROP PUBLICATION IF EXISTS news, all_news',
      'DROP SCHEMA odd CASCADE',
      'DROP SCHEMA other CASCADE',
      'CREATE SCHEMA other',
      'SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata',
    ]);
  }
});

test('asked for, the rest is archived and what is missing is listed', async () => {
  await world.schema('app', 'partial');
  await world.as(
    'app',
    'partial',
    'CREATE TABLE partial.kept (id int)',
    'CREATE OPERATOR partial.===> (LEFTARG = int, RIGHTARG = int, FUNCTION = pg_catalog.int4pl)',
  );

  const { manifest } = await world.archive('app', ['partial'], 'partial', { allowIncomplete: true });

  expect(manifest.tables.map(({ table }) => table)).toEqual(['kept']);
  expect(manifest.omitted).toEqual([
    { object: 'operator partial.===>(integer,integer)', reason: 'operators are not archived', minor: false },
  ]);
});

test('an extension’s own objects are no part of it, but that it is needed', async () => {
  await world.schema('app', 'extended');
  await world.statements('app', [
    'CREATE SCHEMA tools',
    'CREATE EXTENSION citext SCHEMA tools',
    'GRANT USAGE ON SCHEMA tools TO PUBLIC',
  ]);
  await world.as('app', 'extended', 'CREATE TABLE extended.names (name tools.citext PRIMARY KEY)');

  const { manifest } = await world.archive('app', ['extended'], 'extended');
  await world.schema('plain', 'extended');
  await expect(world.restore('extended', 'plain')).rejects.toMatchObject({
    code: 'RESTORE_NOT_POSSIBLE',
    details: { problems: ['there is no extension citext, which belongs into the schema tools'] },
  });
  await world.statements('plain', [
    'CREATE SCHEMA tools',
    'CREATE EXTENSION citext SCHEMA tools',
    'GRANT USAGE ON SCHEMA tools TO PUBLIC',
  ]);
  await world.restore('extended', 'plain');

  expect(manifest.extensions).toContainEqual(expect.objectContaining({ name: 'citext', schema: 'tools' }));
});
