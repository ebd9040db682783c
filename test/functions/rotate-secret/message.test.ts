import { describe, expect, it } from 'vitest';
import { rotateSecretMessage } from '../../../functions/rotate-secret/message.ts';

const target = { instance: 'acme:europe-west1:main', database: 'app' };
const secret = 'app-billing';
const postgres = { secret, action: 'create', kind: 'postgres', target, schema: 'billing', level: 'writer' };
const apiKey = { secret, action: 'create', kind: 'api-key' };
const random = { secret, action: 'create', kind: 'random' };
const adoption = { secret, action: 'adopt', kind: 'postgres', target };

/** The places of what is wrong with a message. */
function wrong(message: unknown): string[] {
  const parsed = rotateSecretMessage.safeParse(message);
  return parsed.success ? [] : parsed.error.issues.map(({ path }) => path.join('.'));
}

/** What a message that says no more says. */
const defaults = { action: 'rotate', force: false, scheduled: false, repair: false };

describe('a message', () => {
  it('needs nothing but the secret', () => {
    expect(rotateSecretMessage.parse({ secret })).toEqual({ secret, ...defaults });
  });

  it.each([
    ['a database’s secret', { ...postgres, strategy: 'single-user', probe: 'SELECT 1' }],
    ['one with a custom role', { ...postgres, level: undefined, customRole: 'support' }],
    ['one of the database', { ...postgres, schema: undefined, level: 'monitor' }],
    ['an API key', { ...apiKey, prefix: 'acme_live' }],
    ['an API key with the usual prefix', apiKey],
    ['a random value', random],
    ['an adopted secret whose login keeps what it has', { ...adoption, twin: 'app_2' }],
    ['an adopted secret that Drover knows already', { secret, action: 'adopt' }],
    ['a rotation that is to break others', { secret, force: true, kind: 'postgres', strategy: 'two-user' }],
    ['a rotation with other settings from now on', { secret, grace: '7d', probe: 'SELECT 1' }],
    ['a rotation that a schedule asks for', { secret, scheduled: true }],
    ['a retirement', { secret, action: 'retire' }],
    ['a repair', { secret, action: 'verify', repair: true }],
  ])('is about %s', (_, message) => {
    expect(wrong(message)).toEqual([]);
  });

  it.each([
    ['nothing', undefined, ''],
    ['an unknown key', { secret, password: 'hunter2' }, ''],
    ['no secret', { action: 'rotate' }, 'secret'],
    ['an empty id', { secret: '' }, 'secret'],
    ['a full name for the id', { secret: 'projects/acme/secrets/app' }, 'secret'],
    ['an id that is too long', { secret: 'x'.repeat(256) }, 'secret'],
    ['an unknown action', { secret, action: 'delete' }, 'action'],
    ['an unknown kind', { ...random, kind: 'ssh-key' }, 'kind'],
    ['an unknown strategy', { ...postgres, strategy: 'three-user' }, 'strategy'],
    ['no kind to create', { secret, action: 'create' }, 'kind'],
    ['an unknown level', { ...postgres, level: 'admin' }, 'level'],
    ['a schema of the system', { ...postgres, schema: 'pg_catalog' }, 'schema'],
    ['a level for a custom role', { ...postgres, level: undefined, customRole: 'writer' }, 'customRole'],
    ['an instance that is none', { ...postgres, target: { ...target, instance: 'main' } }, 'target.instance'],
    ['an unknown key in the target', { ...postgres, target: { ...target, port: 1 } }, 'target'],
    ['a switch that is none', { secret, force: 'yes' }, 'force'],
    ['an empty probe', { ...postgres, probe: '' }, 'probe'],
    ['a probe that is too long', { ...postgres, probe: 'x'.repeat(1001) }, 'probe'],
    ['a probe with NUL', { ...postgres, probe: 'SELECT \0' }, 'probe'],
    ['an empty twin', { ...adoption, twin: '' }, 'twin'],
    ['a twin that is too long', { ...adoption, twin: 'x'.repeat(64) }, 'twin'],
  ])('can’t have %s', (_, message, path) => {
    expect(wrong(message)).toEqual([path]);
  });

  it.each([
    ['no target', { ...postgres, target: undefined }, 'target'],
    ['no role', { ...postgres, level: undefined }, 'level'],
    ['two roles', { ...postgres, customRole: 'support' }, 'customRole'],
    ['a level without its schema', { ...postgres, schema: undefined }, 'level'],
    ['a custom role without its schema', { ...adoption, customRole: 'support' }, 'customRole'],
    ['the database’s level with a schema', { ...postgres, level: 'monitor' }, 'level'],
    ['a prefix', { ...postgres, prefix: 'acme' }, 'prefix'],
    ['a twin that is to be made', { ...postgres, twin: 'other' }, 'twin'],
  ])('about a database’s secret can’t have %s', (_, message, path) => {
    expect(wrong(message)).toEqual([path]);
  });

  it.each([
    ['target', target],
    ['schema', 'billing'],
    ['level', 'writer'],
    ['customRole', 'support'],
    ['strategy', 'two-user'],
    ['probe', 'SELECT 1'],
  ])('about another kind of secret can’t have a %s', (field, value) => {
    for (const message of [apiKey, random]) expect(wrong({ ...message, [field]: value })).toEqual([field]);
  });

  it('about a random value can’t have a prefix, and no value can have a twin', () => {
    expect(wrong({ ...random, prefix: 'acme' })).toEqual(['prefix']);
    expect(wrong({ secret, action: 'adopt', kind: 'random', twin: 'other' })).toEqual(['twin']);
  });

  it.each([
    ['a dash', 'acme-live'],
    ['capitals', 'Acme'],
    ['nothing', ''],
    ['an underscore at its end', 'acme_'],
    ['an underscore at its beginning', '_acme'],
    ['more than 62 characters', 'x'.repeat(63)],
  ])('can’t have a prefix of %s', (_, prefix) => {
    expect(wrong({ ...apiKey, prefix })).toEqual(['prefix']);
  });

  it.each(['a', 'acme_live', 'x'.repeat(62)])('can have the prefix %s', (prefix) => {
    expect(wrong({ ...apiKey, prefix })).toEqual([]);
  });
});

describe('a field that has no place in an action', () => {
  const values: Record<string, unknown> = {
    target,
    schema: 'billing',
    level: 'writer',
    customRole: 'support',
    prefix: 'acme',
    grace: '1h',
    policy: { everyDays: 30, jitterDays: 3 },
    probe: 'SELECT 1',
    force: true,
    repair: true,
  };
  const founding = ['target', 'schema', 'level', 'customRole', 'prefix'];
  const settings = ['grace', 'policy', 'probe'];

  it.each([
    ['rotate', [...founding, 'repair']],
    ['retire', [...founding, ...settings, 'force', 'repair']],
    ['verify', [...founding, ...settings, 'force']],
  ])('%s is refused at its place', (action, fields) => {
    for (const field of fields) expect(wrong({ secret, action, [field]: values[field] })).toEqual([field]);
    const others = Object.keys(values).filter((field) => !fields.includes(field));
    for (const field of others) expect(wrong({ secret, action, [field]: values[field] })).toEqual([]);
  });

  it('is every one of them, all told at once', () => {
    const all = { secret, action: 'retire', target, force: true, grace: '1h', twin: 'other' };
    expect(wrong(all).sort()).toEqual(['force', 'grace', 'target', 'twin', 'twin']);
  });

  it('is force and repair where a secret is made', () => {
    expect(wrong({ ...postgres, force: true })).toEqual(['force']);
    expect(wrong({ ...adoption, repair: true })).toEqual(['repair']);
  });
});

describe('a grace period', () => {
  const grace = (text: string) => rotateSecretMessage.parse({ secret, grace: text }).grace;

  it('is kept in minutes', () => {
    expect(['1m', '90m', '24h', '7d', '365d', '525600m'].map(grace)).toEqual([
      ...[1, 90, 1440, 10_080, 525_600, 525_600],
    ]);
  });

  it.each([
    '',
    '0m',
    '-1h',
    '1.5h',
    '24',
    '1w',
    '24H',
    ' 24h',
    '24h\n',
    '01h',
    '366d',
    '8761h',
    '525601m',
    60,
  ])('can’t be %j', (value) => {
    expect(wrong({ secret, grace: value })).toEqual(['grace']);
  });
});

describe('a policy', () => {
  const policy = (value: object) => wrong({ secret, policy: value });

  it.each([
    [{ everyDays: 1, jitterDays: 0 }],
    [{ everyDays: 90, jitterDays: 45 }],
    [{ everyDays: 3650, jitterDays: 365 }],
    [{ everyDays: 7, jitterDays: 0.5 }],
  ])('may be %j', (value) => {
    expect(policy(value)).toEqual([]);
  });

  it.each([
    [{ everyDays: 0, jitterDays: 0 }, ['policy.everyDays']],
    [{ everyDays: 3651, jitterDays: 0 }, ['policy.everyDays']],
    [{ everyDays: 1.5, jitterDays: 0 }, ['policy.everyDays']],
    [{ everyDays: 90 }, ['policy.jitterDays']],
    [{ everyDays: 90, jitterDays: -1 }, ['policy.jitterDays']],
    [{ everyDays: 3650, jitterDays: 366 }, ['policy.jitterDays']],
    [{ everyDays: 90, jitterDays: 45.5 }, ['policy.jitterDays']],
    [{ everyDays: 90, jitterDays: 9, at: '03:00' }, ['policy']],
  ])('can’t be %j', (value, paths) => {
    expect(policy(value)).toEqual(paths);
  });
});
