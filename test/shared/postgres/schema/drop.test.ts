import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { formatMarker } from '../../../../shared/postgres/marker.ts';
import { roleName } from '../../../../shared/postgres/names.ts';
import type { Pools } from '../../../../shared/postgres/pools.ts';
import { Fenced } from '../../../../shared/postgres/schema/converge.ts';
import { dropSchema, schemaExists } from '../../../../shared/postgres/schema/drop.ts';
import { identifier, sql } from '../../../../shared/postgres/sql.ts';
import { desired, instance, type PreparedCluster, startPrepared } from '../../../support/postgres.ts';
import { difference, type Fact, readCatalog } from './catalog.ts';

let cluster: PreparedCluster;
let observer: pg.Client;

beforeAll(async () => {
  cluster = await startPrepared();
  await cluster.open('app');
  observer = new pg.Client(cluster.superuserUrl('app'));
  await observer.connect();
  await superuser('CREATE SCHEMA outside', 'CREATE ROLE bob LOGIN');
  // With the first one come roles of the database.
  await make('first');
});
afterAll(async () => {
  await observer.end();
  await cluster.remove();
});

const superuser = async (...statements: readonly string[]) => {
  for (const statement of statements) await observer.query(statement);
};
const catalog = (): Promise<Fact[]> => readCatalog(observer);

const place = { instance, database: 'app' };
const options = (epoch: number) => ({
  pools: cluster.pools,
  signal: new AbortController().signal,
  remainingMs: () => 60_000,
  epoch,
});
const drop = (name: string, epoch = 1) => dropSchema(place, name, options(epoch));
const make = (name: string, epoch = 1) =>
  cluster.converge(desired('app', name), { fence: { epoch, outstanding: false } });

const levels = ['owner', 'writer', 'reader', 'analyst'] as const;
const roles = (name: string) => levels.map((level) => roleName('app', name, level)).sort();
const gone = (name: string) => [
  { action: 'revoke', kind: 'schema', name: `app.${name}`, detail: 'dropped' },
  ...roles(name).map((role) => ({ action: 'revoke', kind: 'role', name: role, detail: 'dropped' })),
];

let count = 0;
let schema: string;
let before: Fact[];
beforeEach(async () => {
  count += 1;
  schema = `tenant_${count}`;
  before = await catalog();
});

/** As somebody who is the schema's owner. */
async function owner(...statements: readonly string[]): Promise<void> {
  await superuser(`SET ROLE app__${schema}__owner`);
  try {
    await superuser(...statements);
  } finally {
    await superuser('RESET ROLE');
  }
}

describe('a schema of Drover’s', () => {
  it('goes with all that is in it and all that was made for it', async () => {
    await make(schema);
    await owner(
      `CREATE TYPE ${schema}.mood AS ENUM ('good')`,
      `CREATE TABLE ${schema}.customers (id serial PRIMARY KEY, mood ${schema}.mood)`,
      `CREATE TABLE ${schema}.orders (id int GENERATED ALWAYS AS IDENTITY, customer int REFERENCES ${schema}.customers)`,
      `CREATE VIEW ${schema}.happy AS SELECT * FROM ${schema}.customers WHERE mood = 'good'`,
      `CREATE FUNCTION ${schema}.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
      `CREATE TRIGGER touch BEFORE UPDATE ON ${schema}.orders FOR EACH ROW EXECUTE FUNCTION ${schema}.touch()`,
      `ALTER TABLE ${schema}.orders ENABLE ROW LEVEL SECURITY`,
      `CREATE POLICY mine ON ${schema}.orders TO app__${schema}__reader USING (true)`,
      `CREATE TABLE ${schema}.parts (id int) PARTITION BY RANGE (id)`,
      `CREATE TABLE ${schema}.part PARTITION OF ${schema}.parts DEFAULT`,
    );
    await superuser(
      `CREATE TABLE ${schema}.of_bob (id int)`,
      `ALTER TABLE ${schema}.of_bob OWNER TO bob`,
      `GRANT app__${schema}__reader TO bob`,
      `ALTER DEFAULT PRIVILEGES FOR ROLE app__${schema}__owner GRANT SELECT ON TABLES TO bob`,
      `CREATE PUBLICATION all_of_it FOR TABLE ${schema}.orders, TABLES IN SCHEMA ${schema}`,
    );

    expect(await drop(schema)).toEqual(gone(schema));
    await superuser('DROP PUBLICATION all_of_it');
    expect(difference(before, await catalog())).toEqual([]);
    expect(await schemaExists(place, schema, options(1))).toBe(false);
  });

  it('goes with its custom roles', async () => {
    await make(schema);
    const role = `app__${schema}__support`;
    const mark = formatMarker({ managedBy: 'drover', database: 'app', schema, level: 'support', version: 1 });
    await superuser(
      `SET ROLE drover_admin_00`,
      `CREATE ROLE ${role}`,
      sql`COMMENT ON ROLE ${identifier(role)} IS ${mark}`.text,
      'RESET ROLE',
    );
    expect((await drop(schema)).map(({ name }) => name)).toContain(role);
    expect(difference(before, await catalog())).toEqual([]);
  });

  it.each(['CamelCase', 'order', '_x', `x${'y'.repeat(62)}`])('may be called %s', async (name) => {
    await make(name);
    await superuser(
      `CREATE TABLE "${name}".orders (id serial PRIMARY KEY, other int REFERENCES "${name}".orders)`,
    );
    expect((await drop(name)).map((change) => change.name)).toEqual([`app.${name}`, ...roles(name)]);
    expect(difference(before, await catalog())).toEqual([]);
  });

  it('goes alone: those whose names begin or end as its own stay', async () => {
    const others = [`${schema}_2`, `x_${schema}`];
    for (const other of others) await make(other);
    const prior = await catalog();
    await make(schema);
    await drop(schema);
    expect(difference(prior, await catalog())).toEqual([]);
    for (const other of others) await drop(other);
    expect(difference(before, await catalog())).toEqual([]);
  });

  it('may refer to what is outside', async () => {
    await superuser(
      'CREATE TABLE outside.currencies (code text PRIMARY KEY)',
      'GRANT ALL ON SCHEMA outside TO PUBLIC',
    );
    const prior = await catalog();
    await make(schema);
    await superuser(
      `CREATE TABLE ${schema}.prices (currency text REFERENCES outside.currencies)`,
      `CREATE VIEW ${schema}.codes AS SELECT code FROM outside.currencies`,
    );
    await drop(schema);
    expect(difference(prior, await catalog())).toEqual([]);
    await superuser('DROP TABLE outside.currencies', 'REVOKE ALL ON SCHEMA outside FROM PUBLIC');
  });
});

describe('a schema that is gone, or partly', () => {
  it('is dropped again without effect', async () => {
    await make(schema);
    await drop(schema);
    expect(await drop(schema)).toEqual([]);
    expect(await drop('never_there')).toEqual([]);
  });

  it('is dropped with the roles that are left', async () => {
    await make(schema);
    await superuser(`DROP SCHEMA ${schema} CASCADE`);
    expect(await drop(schema)).toEqual(gone(schema).slice(1));
    expect(difference(before, await catalog())).toEqual([]);
  });

  it('is dropped by the next attempt where this one came half way', async () => {
    await make(schema);
    let uses = 0;
    const pools: Pools = {
      ...cluster.pools,
      withConnection: (...given) => {
        uses += 1;
        if (uses === 2) throw new Error('killed');
        return cluster.pools.withConnection(...given);
      },
    };
    await expect(dropSchema(place, schema, { ...options(1), pools })).rejects.toThrow('killed');
    expect(await schemaExists(place, schema, options(1))).toBe(false);
    expect(await drop(schema)).toEqual(gone(schema).slice(1));
    expect(difference(before, await catalog())).toEqual([]);
  });

  it('is dropped once where several do it at once', async () => {
    await make(schema);
    const changes = await Promise.all([drop(schema), drop(schema), drop(schema)]);
    expect(changes.flat()).toEqual(expect.arrayContaining(gone(schema)));
    expect(changes.flat()).toHaveLength(gone(schema).length);
    expect(difference(before, await catalog())).toEqual([]);
  });
});

describe('a schema that is somebody else’s', () => {
  it('is not dropped', async () => {
    await superuser(`CREATE SCHEMA ${schema} AUTHORIZATION bob`);
    await expect(drop(schema)).rejects.toMatchObject({ code: 'SCHEMA_NOT_MANAGED', retryable: false });
    await superuser(`COMMENT ON SCHEMA ${schema} IS '{"managedBy":"drover"}'`);
    await expect(drop(schema)).rejects.toMatchObject({ code: 'SCHEMA_NOT_MANAGED' });
    expect(await schemaExists(place, schema, options(1))).toBe(true);
    await superuser(`DROP SCHEMA ${schema}`);
  });

  it('is not dropped by the number of an older attempt', async () => {
    await make(schema, 5);
    const made = await catalog();
    const late = drop(schema, 4);
    await expect(late).rejects.toBeInstanceOf(Fenced);
    await expect(late).rejects.toMatchObject({ code: 'FENCED', retryable: true, epoch: 5 });
    expect(difference(made, await catalog())).toEqual([]);
    expect(await drop(schema, 5)).toEqual(gone(schema));
  });
});

describe('what others have by it', () => {
  const dependents: readonly (readonly [string, string, readonly string[]])[] = [
    ['a view', 'view outside.dependent', ['CREATE VIEW outside.dependent AS SELECT id FROM S.things']],
    [
      'a materialized view of a view',
      'materialized view outside.dependent',
      ['CREATE MATERIALIZED VIEW outside.dependent AS TABLE S.all_things'],
    ],
    [
      'a foreign key',
      'table constraint fk on outside.dependent',
      ['CREATE TABLE outside.dependent (id int CONSTRAINT fk REFERENCES S.things)'],
    ],
    [
      'a function with one of its types',
      'function outside.dependent(S.mood)',
      [`CREATE FUNCTION outside.dependent(S.mood) RETURNS int LANGUAGE sql AS 'SELECT 1'`],
    ],
    [
      'a function with a table’s row',
      'function outside.dependent(S.things)',
      [`CREATE FUNCTION outside.dependent(S.things) RETURNS int LANGUAGE sql AS 'SELECT 1'`],
    ],
    [
      'a column of one of its types',
      'table outside.dependent',
      ['CREATE TABLE outside.dependent (mood S.mood)'],
    ],
    [
      'a domain over one of its types',
      'type outside.dependent',
      ['CREATE DOMAIN outside.dependent AS S.mood'],
    ],
    [
      'a check in a domain',
      'domain constraint fits on outside.dependent',
      ['CREATE DOMAIN outside.dependent AS int CONSTRAINT fits CHECK (S.fits(VALUE))'],
    ],
    [
      'a check on a table',
      'table constraint fits on outside.dependent',
      ['CREATE TABLE outside.dependent (id int CONSTRAINT fits CHECK (S.fits(id)))'],
    ],
    [
      'a trigger',
      'trigger touch on outside.dependent',
      [
        'CREATE TABLE outside.dependent (id int)',
        'CREATE TRIGGER touch BEFORE INSERT ON outside.dependent FOR EACH ROW EXECUTE FUNCTION S.touch()',
      ],
    ],
    [
      'a policy',
      'policy mine on outside.dependent',
      [
        'CREATE TABLE outside.dependent (id int)',
        'CREATE POLICY mine ON outside.dependent USING (S.fits(id))',
      ],
    ],
    [
      'a default',
      'default value for outside.dependent.id',
      [`CREATE TABLE outside.dependent (id int DEFAULT nextval('S.things_id_seq'))`],
    ],
    [
      'a rule',
      'rule copy on outside.dependent',
      [
        'CREATE TABLE outside.dependent (id int)',
        'CREATE RULE copy AS ON INSERT TO outside.dependent DO ALSO INSERT INTO S.things VALUES (NEW.id)',
      ],
    ],
    [
      'an index with one of its functions',
      'index outside.dependent_fits_idx',
      ['CREATE TABLE outside.dependent (id int)', 'CREATE INDEX ON outside.dependent (S.fits(id))'],
    ],
    [
      'a partition of one of its tables',
      'table outside.dependent',
      ['CREATE TABLE outside.dependent PARTITION OF S.parts DEFAULT'],
    ],
    [
      'a child of one of its tables',
      'table outside.dependent',
      ['CREATE TABLE outside.dependent () INHERITS (S.things)'],
    ],
  ];

  const used = 'used';
  const here = (text: string) => text.replaceAll('S.', `${used}.`);
  beforeAll(async () => {
    await make(used);
    await superuser(
      ...[
        'CREATE TABLE S.things (id serial PRIMARY KEY)',
        `CREATE TYPE S.mood AS ENUM ('good')`,
        `CREATE FUNCTION S.fits(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true'`,
        `CREATE FUNCTION S.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
        'CREATE TABLE S.parts (id int) PARTITION BY RANGE (id)',
        'CREATE VIEW S.all_things AS TABLE S.things',
      ].map(here),
    );
  });

  it.each(dependents)('is not dropped with it: %s', async (_, told, statements) => {
    await superuser(...statements.map(here));
    const made = await catalog();
    const refused = await drop(used).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: 'DEPENDENTS_EXIST',
      retryable: false,
      message: expect.stringContaining(here(told)),
      details: { schema: `app.${used}`, dependents: expect.arrayContaining([here(told)]) },
    });
    // What nobody knows of, such as how a view is kept.
    expect(String(refused)).not.toMatch(/_RETURN|RI_ConstraintTrigger/);
    expect(difference(made, await catalog())).toEqual([]);
    await superuser('DROP SCHEMA outside CASCADE', 'CREATE SCHEMA outside');
  });

  it('is all that stands against it', async () => {
    expect(await drop(used)).toEqual(gone(used));
  });

  it.each([
    ['a table', 'table outside.precious', 'CREATE TABLE outside.precious ()', 'DROP TABLE outside.precious'],
    ['a schema', 'schema "Precious"', 'CREATE SCHEMA "Precious"', 'DROP SCHEMA "Precious"'],
    ['a large object', 'large object 4711', 'SELECT lo_create(4711)', 'SELECT lo_unlink(4711)'],
  ])('is not dropped with its roles, which own it: %s', async (kind, told, create, remove) => {
    await make(schema);
    const object = kind.replace('a ', '').toUpperCase();
    const name = told.replace(/^(?:table|schema|large object) /, '');
    await superuser(create, `ALTER ${object} ${name} OWNER TO app__${schema}__owner`);
    await expect(drop(schema)).rejects.toMatchObject({
      code: 'DEPENDENTS_EXIST',
      message: expect.stringContaining(told),
      details: { dependents: [told] },
    });
    expect(await schemaExists(place, schema, options(1))).toBe(true);
    await superuser(remove);
    expect(await drop(schema)).toEqual(gone(schema));
  });

  it('is not dropped where its roles have what Drover can’t take from them: that is told', async () => {
    await make(schema);
    await superuser(`GRANT USAGE ON SCHEMA outside TO app__${schema}__reader`);
    const made = await catalog();
    await expect(drop(schema)).rejects.toMatchObject({
      code: 'NOT_DONE',
      retryable: false,
      message: expect.stringContaining('"outside"'),
    });
    expect(difference(made, await catalog())).toEqual([]);
    await superuser(`REVOKE USAGE ON SCHEMA outside FROM app__${schema}__reader`);
    expect(await drop(schema)).toEqual(gone(schema));
  });
});
