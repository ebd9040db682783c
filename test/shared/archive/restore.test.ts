import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Manifest } from '../../../shared/archive/manifest.ts';
import { crc32c } from '../../../shared/gcp/crc32c.ts';
import { deleteObject, findObject } from '../../../shared/gcp/storage/objects.ts';
import { readObject } from '../../../shared/gcp/storage/read.ts';
import { writeObject } from '../../../shared/gcp/storage/write.ts';
import { bucket, place, startWorld, type World } from './fixture.ts';

const signal = new AbortController().signal;

let world: World;
beforeAll(async () => {
  world = await startWorld();
  await world.schema('app', 'shop');
  await world.as(
    'app',
    'shop',
    'CREATE TABLE shop.orders (id int PRIMARY KEY, what text)',
    `INSERT INTO shop.orders SELECT n, 'order ' || n FROM generate_series(1, 1000) n`,
    'CREATE TABLE shop.people (name text)',
    `INSERT INTO shop.people VALUES ('Ada')`,
    'CREATE VIEW shop.few AS SELECT * FROM shop.orders WHERE id < 10',
  );
  await world.schema('target', 'shop');
});
afterAll(() => world?.close());

let count = 0;
let prefix: string;
beforeEach(async () => {
  prefix = `shop-${++count}`;
  await world.archive('app', ['shop'], prefix);
});

const write = (object: string, content: string | Buffer) =>
  writeObject({ bucket, name: `${prefix}/${object}` }, content, {
    signal,
    contentType: 'application/octet-stream',
  });

const read = async (object: string): Promise<Buffer> => {
  const found = await findObject({ bucket, name: `${prefix}/${object}` }, signal);
  if (found === undefined) throw new Error(`there is no ${object}`);
  return readObject(found, signal);
};

const changeManifest = async (change: (manifest: Manifest) => unknown) => {
  const manifest = JSON.parse((await read('manifest.json')).toString()) as Manifest;
  await write('manifest.json', JSON.stringify(change(manifest) ?? manifest));
};

/** Writes an object that the manifest agrees with. */
const replace = async (object: string, content: Buffer) => {
  await write(object, content);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32c(content));
  await changeManifest((manifest) => {
    const entry = [...manifest.tables, ...manifest.definitions].find((one) => one.object === object);
    Object.assign(entry ?? {}, { bytes: content.length, crc32c: checksum.toString('base64') });
  });
};

const contents = () =>
  world.query(
    'target',
    `SELECT relname FROM pg_class WHERE relnamespace = 'shop'::regnamespace
      UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'shop'::regnamespace`,
  );

interface Damage {
  readonly what: string;
  readonly harm: () => Promise<unknown>;
  readonly code: string;
  readonly message: RegExp;
}

const orders = 'data/shop.orders.copy.gz';
const people = 'data/shop.people.copy.gz';
const before = 'definitions/01-shop.before-data.sql';

const damages: readonly Damage[] = [
  {
    what: 'has no manifest',
    harm: () => deleteObject({ bucket, name: `${prefix}/manifest.json` }, signal),
    code: 'ARCHIVE_NOT_FOUND',
    message: /was not finished/,
  },
  {
    what: 'has a manifest that is not JSON',
    harm: () => write('manifest.json', '{'),
    code: 'ARCHIVE_DAMAGED',
    message: /manifest\.json is not JSON/,
  },
  {
    what: 'has another manifest',
    harm: () => changeManifest(({ tables: _, ...rest }) => rest),
    code: 'ARCHIVE_DAMAGED',
    message: /tables/,
  },
  {
    what: 'is of a newer format',
    harm: () => changeManifest((manifest) => ({ ...manifest, formatVersion: 2 })),
    code: 'ARCHIVE_TOO_NEW',
    message: /format 2/,
  },
  {
    what: 'lacks a table’s rows',
    harm: () => deleteObject({ bucket, name: `${prefix}/${people}` }, signal),
    code: 'ARCHIVE_DAMAGED',
    message: /shop\.people\.copy\.gz is not there/,
  },
  {
    what: 'has other rows than it had',
    harm: () => write(orders, gzipSync('1\tother\n')),
    code: 'ARCHIVE_DAMAGED',
    message: /shop\.orders\.copy\.gz has \d+ bytes with CRC32C/,
  },
  {
    what: 'has other definitions than it had',
    harm: async () => write(before, (await read(before)).toString().replace('text', 'TEXT')),
    code: 'ARCHIVE_DAMAGED',
    message: /before-data\.sql has \d+ bytes with CRC32C/,
  },
  {
    what: 'has rows that gzip did not write',
    harm: () => replace(people, Buffer.from('Ada\n')),
    code: 'ARCHIVE_DAMAGED',
    message: /shop\.people\.copy\.gz is not what gzip writes/,
  },
  {
    what: 'has rows that end too early',
    harm: async () => replace(orders, (await read(orders)).subarray(0, -20)),
    code: 'ARCHIVE_DAMAGED',
    message: /shop\.orders\.copy\.gz is not what gzip writes/,
  },
  {
    what: 'has fewer rows than it says',
    harm: () => replace(orders, gzipSync('1\tone\n')),
    code: 'ARCHIVE_DAMAGED',
    message: /shop\.orders\.copy\.gz has 1 rows, where the manifest says 1000/,
  },
];

test.each(damages)(
  'an archive that $what is refused, and nothing of it is restored',
  async ({ harm, code, message }) => {
    await harm();

    const restoring = world.restore(prefix, 'target');

    await expect(restoring).rejects.toMatchObject({
      code,
      retryable: false,
      message: expect.stringMatching(message),
    });
    expect(await contents()).toEqual([]);
  },
);

test('a statement that PostgreSQL refuses is told with its object, and nothing is restored', async () => {
  const text = (await read(before)).toString();
  await replace(before, Buffer.from(text.replace('what text', 'what no_such_type')));

  const restoring = world.restore(prefix, 'target');

  await expect(restoring).rejects.toThrow(/no_such_type.*\(in: table shop\.orders\)/);
  expect(await contents()).toEqual([]);
});

test('rows that PostgreSQL refuses are the end of it, and nothing is restored', async () => {
  await replace(orders, gzipSync('one\ttwo\n'));

  await expect(world.restore(prefix, 'target')).rejects.toThrow(/invalid input syntax for type integer/);
  expect(await contents()).toEqual([]);
});

test('a schema that is not empty stays as it is', async () => {
  await world.schema('full', 'shop');
  await world.as('full', 'shop', `CREATE FUNCTION shop.one() RETURNS int LANGUAGE sql AS 'SELECT 1'`);

  await expect(world.restore(prefix, 'full')).rejects.toMatchObject({
    code: 'RESTORE_NOT_EMPTY',
    details: { objects: ['function shop.one()'] },
  });
});

test('everything that is in the way is told at once', async () => {
  await world.schema('other', 'unrelated');
  await changeManifest((manifest) => {
    manifest.extensions.push({ name: 'postgis', version: '3', schema: 'public' });
    manifest.source.serverVersion = 990_001;
    manifest.source.encoding = 'LATIN1';
  });

  await expect(world.restore(prefix, 'other')).rejects.toMatchObject({
    code: 'RESTORE_NOT_POSSIBLE',
    details: {
      problems: [
        'it was made by PostgreSQL 99, and this is PostgreSQL 18',
        "its encoding is LATIN1, and this one's UTF8",
        'there is no schema shop: create it first',
        'there is no extension postgis, which belongs into the schema public',
      ],
    },
  });
});

test('a schema of somebody else is not restored to', async () => {
  await world.schema('theirs', 'unrelated');
  await world.statements('theirs', ['CREATE SCHEMA shop']);

  await expect(world.restore(prefix, 'theirs')).rejects.toMatchObject({
    code: 'RESTORE_NOT_POSSIBLE',
    details: { problems: ['the schema shop belongs to cloudsqladmin, and not to theirs__shop__owner'] },
  });
});

test('a schema gets another name where nothing but PostgreSQL knows its old one', async () => {
  await world.schema('branches', 'branch');

  await world.restore(prefix, 'branches', { shop: 'branch' });

  expect(await world.query('branches', 'SELECT count(*)::int FROM branch.few')).toEqual([{ count: 9 }]);
  expect(await world.query('branches', `SELECT FROM pg_namespace WHERE nspname = 'shop'`)).toEqual([]);
  const [view] = await world.query<{ text: string }>(
    'branches',
    `SELECT pg_get_viewdef('branch.few'::regclass) AS text`,
  );
  expect(view?.text).toContain('FROM branch.orders');
});

test.each([
  [
    'a function’s body',
    `CREATE FUNCTION named.f() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN count(*) FROM named.t; END'`,
    'routine renamed.f()',
  ],
  [
    'a function’s settings',
    `CREATE FUNCTION named.f() RETURNS int LANGUAGE sql SET search_path = named AS 'SELECT 1'`,
    'routine renamed.f()',
  ],
  ['a default’s text', `CREATE TABLE named.u (id text DEFAULT 'named.t')`, 'table renamed.u'],
])('a schema keeps its name where it is in %s', async (_, statement, told) => {
  await world.schema('texts', 'named');
  await world.schema('texts_again', 'renamed');
  await world.as('texts', 'named', 'CREATE TABLE named.t (id int)', statement);
  try {
    await world.archive('texts', ['named'], `named-${prefix}`);

    await expect(world.restore(`named-${prefix}`, 'texts_again', { named: 'renamed' })).rejects.toMatchObject(
      {
        code: 'RESTORE_NAME_IN_TEXT',
        details: { objects: [told] },
      },
    );
    expect(
      await world.query(
        'texts_again',
        `SELECT relname FROM pg_class WHERE relnamespace = 'renamed'::regnamespace`,
      ),
    ).toEqual([]);
  } finally {
    await world.statements('texts', ['DROP SCHEMA named CASCADE']);
  }
});

test('a schema can’t get another name while there is one of its old name', async () => {
  await world.schema('taken', 'shop');
  await world.schema('taken', 'branch');

  await expect(world.restore(prefix, 'taken', { shop: 'branch' })).rejects.toMatchObject({
    code: 'RESTORE_NOT_POSSIBLE',
    details: { problems: ['branch has to be called shop for a moment, and there is a schema of that name'] },
  });
});

test.each(['gs://archives', 'gs://archives/x', 's3://archives/x/', '/archives/x/', 'gs://archives//'])(
  '%s is no place of an archive',
  async (source) => {
    const { pools } = world.cluster;
    const { restoreSchemas } = await import('../../../shared/archive/restore.ts');
    const restoring = restoreSchemas(
      pools,
      { source, target: { instance: 'acme-dev:europe-west1:main', database: 'target' } },
      { signal, remainingMs: () => 1000 },
    );

    await expect(restoring).rejects.toMatchObject({ code: 'INVALID_MESSAGE' });
    expect(place('x')).toBe('gs://archives/x/');
  },
);

test('what an archive has is run by nobody who may become more than the schema’s owner', async () => {
  await world.schema('trap', 'evil');
  await world.schema('sprung', 'evil');
  await world.as(
    'trap',
    'evil',
    `CREATE FUNCTION evil.escalate() RETURNS boolean LANGUAGE plpgsql AS $$
     DECLARE admin text;
     BEGIN
       IF session_user = 'cloudsqladmin' THEN RETURN true; END IF;
       FOR admin IN SELECT rolname FROM pg_catalog.pg_roles WHERE rolname ~ '^drover' LOOP
         BEGIN
           PERFORM pg_catalog.set_config('role', admin, true);
           CREATE ROLE pwned;
         EXCEPTION WHEN OTHERS THEN NULL;
         END;
       END LOOP;
       RETURN true;
     END $$`,
    'CREATE TABLE evil.bait (id int DEFAULT evil.escalate()::int CHECK (evil.escalate()))',
    'CREATE INDEX ON evil.bait ((id + 1))',
    'INSERT INTO evil.bait VALUES (1)',
  );
  await world.archive('trap', ['evil'], `trap-${prefix}`);

  await world.restore(`trap-${prefix}`, 'sprung');

  expect(await world.query('sprung', 'SELECT id FROM evil.bait')).toEqual([{ id: 1 }]);
  expect(
    await world.query('sprung', `SELECT rolname FROM pg_roles WHERE rolname ~ '^(pwned|restore_)'`),
  ).toEqual([]);
});
