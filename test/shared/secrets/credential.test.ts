import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Credential,
  copiesOfPassword,
  credentialFor,
  formatCredential,
  readCredential,
} from '../../../shared/secrets/credential.ts';

process.env['GOOGLE_CLOUD_PROJECT'] = 'acme';
process.env['DROVER_INSTANCES'] = JSON.stringify([
  { instances: 'acme:*:near', connector: 'direct', host: 'db.internal', port: 6432, user: 'drover' },
  { instances: 'acme:*:far', connector: 'cloudsql', user: 'drover@acme.iam' },
]);

const marked = 'hunter2-hunter2';
const credential = { username: 'app', password: marked };
const read = (value: unknown) =>
  readCredential(
    Buffer.isBuffer(value) ? value : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
  );
const problemOf = (value: unknown) => {
  const found = read(value);
  return 'problem' in found ? found.problem : undefined;
};

describe('what a version holds', () => {
  it('is a credential with whatever else somebody put there', () => {
    const whole = { ...credential, host: 'db', port: '5432', options: { ssl: true }, dbname: 'shop' };
    expect(read(whole)).toEqual({ credential: { ...whole, port: 5432 } });
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a bare password', marked],
    ['JSON that breaks off', `{"username":"app","password":"${marked}`],
    ['JSON followed by more', `{"username":"app","password":"${marked}"} ${marked}`],
    ['bytes that are no text', Buffer.from([0xff, 0xfe, ...Buffer.from(marked)])],
    [
      'JSON with a byte in it that is no text',
      Buffer.concat([
        Buffer.from(`{"username":"app","password":"${marked}`),
        Buffer.from([0xff]),
        Buffer.from('"}'),
      ]),
    ],
    ['a byte order mark in the middle', Buffer.concat([Buffer.from('{"a":'), Buffer.from([0xef, 0xbf])])],
    ['null', 'null'],
    ['a text', JSON.stringify(marked)],
    ['a list', [marked]],
    ['no password', { username: marked }],
    ['no user name', { password: marked }],
    ['an empty password', { username: marked, password: '' }],
    ['an empty user name', { ...credential, username: '' }],
    ['a user name that is too long', { ...credential, username: marked.repeat(9) }],
    ['a password that is too long', { ...credential, password: marked.repeat(100) }],
    ['a password that is a number', { username: 'app', password: 4711471147 }],
    ['a password in a list', { username: 'app', password: [marked] }],
    ['a port that is none', { ...credential, port: marked }],
    ['a port out of range', { ...credential, port: 70_000 }],
    ['an engine that is no text', { ...credential, engine: { is: marked } }],
  ])('that is %s is no credential, and nothing of it is told', (_, value) => {
    const problem = problemOf(value);
    expect(problem).toMatch(/^is not (JSON|a credential \(.+\))$/);
    expect(problem).not.toMatch(/hunter2|4711|70.?000/);
  });

  it('tells nothing of itself, whatever it is', () => {
    const text = fc.string({ minLength: 6, unit: 'grapheme-ascii' }).map((some) => `#${some}#`);
    const scalar = fc.oneof(text, fc.integer({ min: 100_000 }), fc.boolean(), fc.constant(null));
    const field = fc.oneof(scalar, fc.array(scalar, { minLength: 1 }), fc.record({ inner: scalar }));
    const known = fc.record(
      { username: field, password: field, port: field, host: field, engine: field, instance: field },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(known, field), (value) => {
        const problem = problemOf(value);
        if (problem === undefined) return;
        for (const leaf of leavesOf(value)) expect(problem).not.toContain(leaf);
      }),
      { numRuns: 1000 },
    );
  });
});

/** Texts and numbers within a value that nobody could take for a word of the message. */
function leavesOf(value: unknown): string[] {
  if (typeof value === 'string' || typeof value === 'number') return [String(value)];
  return value instanceof Object ? Object.values(value).flatMap(leavesOf) : [];
}

describe('a credential as it is kept', () => {
  it('has all that it had, and its password last', () => {
    const whole: Credential = {
      password: marked,
      username: 'app',
      options: { ssl: true },
      database: 'shop',
      host: 'db',
      engine: 'postgres',
      port: 5432,
      instance: 'acme:europe-west1:near',
    };
    const kept = formatCredential(whole);
    expect(read(kept)).toEqual({ credential: whole });
    expect(Object.keys(JSON.parse(kept.toString()))).toEqual([
      ...['engine', 'instance', 'host', 'port', 'database', 'options', 'username', 'password'],
    ]);
  });

  it('is read as it was, whatever else it has', () => {
    const others = fc.dictionary(
      fc.string({ minLength: 1 }).map((name) => `x-${name}`),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(others, fc.string({ minLength: 1 }), (fields, password) => {
        const whole = { ...JSON.parse(JSON.stringify(fields)), username: 'app', password };
        expect(read(formatCredential(whole))).toEqual({ credential: whole });
      }),
    );
  });
});

describe('a credential that is made', () => {
  const login = { username: 'app_b', password: 'new' };

  it('says the way to the database as the configuration has it', () => {
    expect(credentialFor({ instance: 'acme:europe-west1:near', database: 'shop' }, login)).toEqual({
      engine: 'postgres',
      instance: 'acme:europe-west1:near',
      host: 'db.internal',
      port: 6432,
      database: 'shop',
      ...login,
    });
  });

  it('names the instance alone where a connector finds the way', () => {
    const made = credentialFor({ instance: 'acme:europe-west1:far', database: 'shop' }, login);
    expect(made).toEqual({
      engine: 'postgres',
      instance: 'acme:europe-west1:far',
      port: 5432,
      database: 'shop',
      ...login,
    });
  });

  it('is like the former one but for the login', () => {
    const like = { ...credential, host: '10.0.0.7', port: 5433, sslmode: 'require' };
    expect(credentialFor({ instance: 'acme:europe-west1:near', database: 'shop' }, login, like)).toEqual({
      engine: 'postgres',
      instance: 'acme:europe-west1:near',
      host: '10.0.0.7',
      port: 5433,
      database: 'shop',
      sslmode: 'require',
      ...login,
    });
  });
});

describe('copies of a password', () => {
  const copies = (more: object, password = marked) =>
    copiesOfPassword({ username: 'app', password, ...more });

  it.each([
    ['in a URL', { url: `postgres://app:${marked}@db/shop` }],
    ['in an object', { jdbc: { user: 'app', properties: [{ password: marked }] } }],
    ['as another field', { pass: marked }],
  ])('are found %s', (_, more) => {
    expect(copies(more)).toEqual(Object.keys(more));
  });

  it('are found where JSON writes the password otherwise', () => {
    const password = 'a"b\\c\n';
    expect(copies({ url: `app:${password}@db`, host: 'db' }, password)).toEqual(['url']);
  });

  it('are found where the user name is one', () => {
    expect(copiesOfPassword({ username: marked, password: marked })).toEqual(['username']);
  });

  it('are none where it is in no other field', () => {
    expect(copies({ host: 'db', port: 5432, nothing: undefined, url: 'postgres://app@db/shop' })).toEqual([]);
  });

  it.each(['p@ss/word', 'a"b\\c', 'ümlaut 100%', '🐘+&='])('are found as a URL writes %s', (password) => {
    const url = `postgres://app:${encodeURIComponent(password)}@db/shop?options=100%25%20%`;
    expect(copies({ url, host: 'db' }, password)).toEqual(['url']);
    expect(copies({ url: url.replaceAll(/%../g, (some) => some.toLowerCase()) }, password)).toEqual(['url']);
  });
});
