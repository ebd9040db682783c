import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSchemaMessage } from '../../../functions/create-schema/message.ts';

const target = { instance: 'acme:europe-west1:main', database: 'app' };
const valid = { target, schema: 'billing' };

/** Paths of what is wrong; empty where the message is valid. */
const wrong = (message: unknown) =>
  createSchemaMessage.safeParse(message).error?.issues.map(({ path }) => path.join('.')) ?? [];

describe('a message for create-schema', () => {
  it('needs a target and a schema; the rest has defaults', () => {
    expect(createSchemaMessage.parse(valid)).toEqual({
      ...valid,
      levels: ['writer', 'reader', 'analyst'],
      adopt: false,
      lockDatabase: false,
    });
  });

  it('may say everything', () => {
    const message = {
      target: { instance: 'example.com:acme:europe-west1:main', database: 'Größe "1"' },
      schema: 'billing',
      owner: 'alice@example.com',
      levels: ['reader'],
      comment: 'Rechnungen 🧾\nseit 2026',
      adopt: true,
      lockDatabase: true,
    };
    expect(createSchemaMessage.parse(message)).toEqual(message);
  });

  it.each(['target', 'schema'] as const)('can’t be without its %s', (name) => {
    const { [name]: _, ...rest } = valid;
    expect(wrong(rest)).toEqual([name]);
  });

  it.each([
    ['a schema that is no text', { schema: 7 }, 'schema'],
    ['an owner that is null', { owner: null }, 'owner'],
    ['levels that are no list', { levels: 'reader' }, 'levels'],
    ['a level that isn’t one', { levels: ['reader', 'superuser'] }, 'levels.1'],
    ['the level that is always made', { levels: ['owner'] }, 'levels.0'],
    ['more levels than there are', { levels: ['reader', 'reader', 'reader', 'reader'] }, 'levels'],
    ['a switch that is text', { adopt: 'true' }, 'adopt'],
    ['a switch that is a number', { lockDatabase: 1 }, 'lockDatabase'],
    ['a comment without end', { comment: 'x'.repeat(1025) }, 'comment'],
    ['a comment with NUL', { comment: 'a\0b' }, 'comment'],
    ['a target that is text', { target: 'acme:europe-west1:main/app' }, 'target'],
    ['an unknown key', { color: 'red' }, ''],
    ['a misspelt key', { Adopt: true }, ''],
    ['an unknown key in the target', { target: { ...target, schema: 'x' } }, 'target'],
  ])('can’t have %s', (_, more, path) => {
    expect(new Set(wrong({ ...valid, ...more }))).toEqual(new Set([path]));
  });

  it.each([undefined, null, 'text', 7, [], [valid]])('can’t be %j', (message) => {
    expect(wrong(message)).toEqual(['']);
  });
});

describe('a schema’s name', () => {
  it.each([
    'billing',
    '_',
    '_1',
    'Billing',
    'ORDERS_2026',
    'a'.repeat(63),
    'select',
    'pga',
    'publicity',
    'Null',
  ])('may be %s', (schema) => {
    expect(wrong({ ...valid, schema })).toEqual([]);
  });

  it.each([
    '',
    ' ',
    'two words',
    'a"b',
    "a'b",
    '"quoted"',
    'a\nb',
    'billing\n',
    'a\0',
    'a\tb',
    'a;b',
    "'; DROP SCHEMA billing; --",
    'a--b',
    'a.b',
    'a-b',
    'a$b',
    'a\\b',
    '1a',
    'größe',
    '🐘',
    'ı',
    'a'.repeat(64),
    'public',
    'PUBLIC',
    'information_schema',
    'Information_Schema',
    'pg_catalog',
    'pg_x',
    'PG_toast',
    'cloudsql',
    'cloudsqladmin',
    'google_vacuum_mgmt',
  ])('can’t be %j', (schema) => {
    expect(new Set(wrong({ ...valid, schema }))).toEqual(new Set(['schema']));
  });

  it('is, whatever was sent, an identifier that PostgreSQL neither cuts off nor reads as anything else', () => {
    const text = fc.string({ unit: fc.constantFrom(...'aZ_0 "\'-.$\n\0ü'), maxLength: 3 });
    const long = fc.nat({ max: 70 }).map((length) => 'x'.repeat(length));
    fc.assert(
      fc.property(long, text, (start, end) => {
        const schema = `${start}${end}`;
        const accepted = wrong({ ...valid, schema }).length === 0;
        expect(accepted).toBe(/^[A-Za-z_]\w{0,62}$/.test(schema));
      }),
    );
  });
});

describe('a database’s name', () => {
  it.each([
    'app',
    'App',
    'my-app',
    'a b',
    'größe',
    '🐘',
    "o'brien",
    'a"b',
    "'; DROP DATABASE app; --",
    'a/b',
  ])('may be %s, for it exists already and is always quoted', (database) => {
    expect(wrong({ ...valid, target: { ...target, database } })).toEqual([]);
  });

  it.each([
    '',
    'a\0b',
    'a\nb',
    '\u007f',
    'a'.repeat(64),
    'ü'.repeat(32),
    'template0',
    'template1',
    'cloudsqladmin',
  ])('can’t be %j', (database) => {
    expect(wrong({ ...valid, target: { ...target, database } })).toEqual(['target.database']);
  });
});

describe('an instance’s name', () => {
  it.each(['acme:europe-west1:main', 'example.com:acme:us-central1:a-1'])('may be %s', (instance) => {
    expect(wrong({ ...valid, target: { ...target, instance } })).toEqual([]);
  });

  it.each([
    '',
    'main',
    'acme:main',
    'acme:europe-west1:main:more:parts',
    'acme:europe-west1:*',
    'acme:europe-west1:main/app',
    'acme:europe-west1:main\n',
    'ACME:europe-west1:main',
    'acme:nowhere:main',
    `acme:europe-west1:${'m'.repeat(128)}`,
  ])('can’t be %j', (instance) => {
    expect(wrong({ ...valid, target: { ...target, instance } })).toContain('target.instance');
  });
});

describe('the owner’s name', () => {
  it.each(['alice', 'alice@example.com', 'app@acme.iam', 'Größe', 'x'.repeat(63), "'; DROP ROLE alice; --"])(
    'may be %s',
    (owner) => {
      expect(wrong({ ...valid, owner })).toEqual([]);
    },
  );

  it.each(['', 'a\0', 'x'.repeat(64), 'ü'.repeat(32)])('can’t be %j', (owner) => {
    expect(new Set(wrong({ ...valid, owner }))).toEqual(new Set(['owner']));
  });
});
