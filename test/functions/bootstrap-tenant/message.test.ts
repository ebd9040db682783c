import { describe, expect, it } from 'vitest';
import { bootstrapTenantMessage } from '../../../functions/bootstrap-tenant/message.ts';

const target = { instance: 'acme:europe-west1:main', database: 'app' };
const tenant = {
  scope: 'tenant',
  tenant: 'acme',
  displayName: 'Acme Ltd.',
  contact: 'it@acme.example',
  plan: 'STARTER',
  target,
};
const ownDatabase = { ...tenant, isolation: 'database', target: { instance: target.instance } };
const system = { scope: 'system' };
const recreation = { ...system, forceRecreate: { tables: '*', confirm: 'acme.drover' } };
const remove = { scope: 'remove', tenant: 'acme', confirm: 'acme-0badcafe' };

/** The places of what is wrong with a message, each once. */
function wrong(message: unknown): string[] {
  const parsed = bootstrapTenantMessage.safeParse(message);
  return parsed.success ? [] : [...new Set(parsed.error.issues.map(({ path }) => path.join('.')))];
}

const x = (length: number) => 'x'.repeat(length);
/** One of them to each test, for lists too. */
const each = (...values: readonly unknown[]) => values.map((value) => [value]);
/** What no text is. */
const noText = [null, 7, true, [], {}];
const noBoolean = [null, 0, 1, '', 'true', 'no', [], {}];
/** Names that every JavaScript object has. */
const inherited = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];

describe('a message', () => {
  it.each(each(undefined, null, 7, 'tenant', true, [], [tenant]))('can’t be %j', (message) => {
    expect(wrong(message)).toEqual(['']);
  });

  it.each(each(undefined, null, 7, '', 'tenants', 'Tenant', 'tenant ', ['tenant'], ...inherited))(
    'can’t have the scope %j',
    (scope) => {
      expect(wrong({ ...tenant, scope })).toEqual(['scope']);
    },
  );

  it.each([
    ['tenant', tenant, { table: 'x' }],
    ['tenant', tenant, { confirm: 'acme-0badcafe' }],
    ['tenant', tenant, { place: { schema: 'other' } }],
    ['system', system, { tenant: 'acme' }],
    ['remove', remove, { reuse: true }],
    ['remove', remove, { target }],
    ['remove', remove, JSON.parse('{"__proto__":{"archive":false}}')],
  ])('of the scope %s can’t have what it doesn’t know', (_, message, more) => {
    expect(wrong({ ...message, ...more })).toEqual(['']);
  });
});

describe('the scope tenant', () => {
  it('needs a name, a contact, a plan and a place; the rest has defaults', () => {
    expect(bootstrapTenantMessage.parse(tenant)).toEqual({
      ...tenant,
      isolation: 'schema',
      features: { analytics: true, storage: true, apiKey: true, opaqueNames: false },
      level: 'owner',
      scopes: ['read', 'write'],
      readers: [],
      reuse: false,
    });
  });

  it.each([
    ['a database of its own', ownDatabase],
    ['a database of its own, called as is said', { ...ownDatabase, target }],
    ['the shortest id', { ...tenant, tenant: 'a_1' }],
    ['the longest id', { ...tenant, tenant: x(50) }],
    ['an id of underscores', { ...tenant, tenant: '___' }],
    ['a name in any script', { ...tenant, displayName: 'Ácme “🐘”\nO’Neil; DROP' }],
    ['the longest name', { ...tenant, displayName: x(200) }],
    ['a plan of any name', { ...tenant, plan: x(50) }],
    ['a plan with a name that objects have', { ...tenant, plan: '__proto__' }],
    ['a multi-region', { ...tenant, region: 'EU' }],
    ['a region', { ...tenant, region: 'europe-west1' }],
    ['a region of several digits', { ...tenant, region: 'northamerica-northeast2' }],
    ['some features', { ...tenant, features: { analytics: false, opaqueNames: true } }],
    ['the level writer', { ...tenant, level: 'writer' }],
    ['scopes', { ...tenant, scopes: ['read', 'photos:write', 'a.b-c_d'] }],
    ['as many scopes as there may be', { ...tenant, scopes: Array(20).fill(`a${x(62)}`) }],
    ['readers', { ...tenant, readers: ['ann@acme.example', 'group:data@acme.example'] }],
    ['a former id', { ...tenant, reuse: true }],
    ['quotas', { ...tenant, quotas: { connections: 40, entitlements: { teamMembers: 7 } } }],
    ['quotas that say nothing', { ...tenant, quotas: {} }],
    ['what was archived', { ...tenant, restore: 'gs://archive/tenants/acme/1/database/manifest.json' }],
  ])('can have %s', (_, message) => {
    expect(wrong(message)).toEqual([]);
  });

  it('gives the features that are not said their defaults', () => {
    const { features } = bootstrapTenantMessage.parse({ ...tenant, features: { apiKey: false } }) as {
      features: unknown;
    };
    expect(features).toEqual({ analytics: true, storage: true, apiKey: false, opaqueNames: false });
  });

  const isNotAnId = ['', 'ab', x(51), 'Acme', 'a-b', 'a b', 'a.b', 'acme\n', '\nacme', 'ac\0me', 'äcme'];
  it.each(each(...noText, ...isNotAnId, 'a"; DROP', 'o’neil', "a'b", '🐘🐘🐘', '../acme', 'constructor '))(
    'can’t have the id %j',
    (id) => {
      expect(wrong({ ...tenant, tenant: id })).toEqual(['tenant']);
    },
  );

  it.each(each(...noText, '', x(201), 'Ac\0me'))('can’t have the name %j', (displayName) => {
    expect(wrong({ ...tenant, displayName })).toEqual(['displayName']);
  });

  it.each(
    each(
      ...noText,
      '',
      'acme',
      'it@',
      '@acme.example',
      'it@acme',
      'it @acme.example',
      'it@acme.example\n',
      'it@acme.example, boss@acme.example',
      'it\0@acme.example',
      '"it"@acme.example',
      '🐘@acme.example',
      `${x(250)}@acme.example`,
    ),
  )('can’t have the contact %j', (contact) => {
    expect(wrong({ ...tenant, contact })).toEqual(['contact']);
  });

  it.each(each(...noText, x(51)))('can’t have the plan %j', (plan) => {
    expect(wrong({ ...tenant, plan })).toEqual(['plan']);
  });

  it.each([
    [null, 'quotas'],
    [7, 'quotas'],
    [[], 'quotas'],
    [{ plan: 'SCALE' }, 'quotas'],
    [{ constructor: 1 }, 'quotas'],
    [{ connections: 0 }, 'quotas.connections'],
    [{ connections: '5' }, 'quotas.connections'],
    [{ connections: null }, 'quotas.connections'],
    [{ operationsPerDay: 1.5 }, 'quotas.operationsPerDay'],
    [{ operationsPerMinute: 1_000_001 }, 'quotas.operationsPerMinute'],
    [{ statementTimeoutSeconds: 86_401 }, 'quotas.statementTimeoutSeconds'],
    [{ entitlements: { teamMembers: 0 } }, 'quotas.entitlements.teamMembers'],
    [{ entitlements: { 'Team members': 1 } }, 'quotas.entitlements.Team members'],
    [{ entitlements: null }, 'quotas.entitlements'],
  ])('can’t have the quotas %j', (quotas, path) => {
    expect(wrong({ ...tenant, quotas })).toEqual([path]);
  });

  it.each(each(null, 7, '', 'Schema', 'instance', ['schema'], ...inherited))(
    'can’t have the isolation %j',
    (isolation) => {
      expect(wrong({ ...tenant, isolation })).toEqual(['isolation']);
    },
  );

  it.each([
    [undefined, 'target'],
    [null, 'target'],
    ['app', 'target'],
    [[], 'target'],
    [{ ...target, schema: 'app' }, 'target'],
    [{ database: 'app' }, 'target.instance'],
    [{ ...target, instance: 'main' }, 'target.instance'],
    [{ ...target, instance: '' }, 'target.instance'],
    [{ ...target, instance: `${target.instance}\n` }, 'target.instance'],
    [{ ...target, instance: `${target.instance}${x(128)}` }, 'target.instance'],
    [{ ...target, instance: null }, 'target.instance'],
    [{ ...target, database: null }, 'target.database'],
    [{ ...target, database: 7 }, 'target.database'],
    [{ ...target, database: '' }, 'target.database'],
    [{ ...target, database: x(64) }, 'target.database'],
    [{ ...target, database: '🐘'.repeat(16) }, 'target.database'],
    [{ ...target, database: 'a\0b' }, 'target.database'],
    [{ ...target, database: 'a\nb' }, 'target.database'],
    [{ ...target, database: 'template1' }, 'target.database'],
    [{ ...target, database: 'cloudsqladmin' }, 'target.database'],
  ])('can’t have the target %j', (place, path) => {
    expect(wrong({ ...tenant, target: place })).toEqual([path]);
    expect(wrong({ ...tenant, isolation: 'database', target: place })).toEqual([path]);
  });

  it('needs the database that it shares, and only then', () => {
    expect(wrong({ ...tenant, target: { instance: target.instance } })).toEqual(['target.database']);
    expect(wrong({ ...ownDatabase, isolation: 'schema' })).toEqual(['target.database']);
    expect(wrong(ownDatabase)).toEqual([]);
  });

  it.each(each(null, 7, '', 'Europe', 'E', 'europe west1', 'europe-west1\n', 'europe-west', '🐘'))(
    'can’t have the region %j',
    (region) => {
      expect(wrong({ ...tenant, region })).toEqual(['region']);
      expect(wrong({ ...system, region })).toEqual(['region']);
    },
  );

  it.each(['analytics', 'storage', 'apiKey', 'opaqueNames'])(
    'can only have the feature %s or not',
    (name) => {
      for (const value of noBoolean) {
        expect(wrong({ ...tenant, features: { [name]: value } })).toEqual([`features.${name}`]);
      }
    },
  );

  it.each(each(null, 'all', true, [], { Analytics: true }, { analytics: true, constructor: true }))(
    'can’t have the features %j',
    (features) => {
      expect(wrong({ ...tenant, features })).toEqual(['features']);
    },
  );

  it.each(each(null, 7, '', 'reader', 'analyst', 'Owner', 'custom:x', ...inherited))(
    'can’t have the level %j',
    (level) => {
      expect(wrong({ ...tenant, level })).toEqual(['level']);
    },
  );

  it.each([
    [null, 'scopes'],
    ['read', 'scopes'],
    [{ read: true }, 'scopes'],
    [[], 'scopes'],
    [Array(21).fill('read'), 'scopes'],
    [['read', 7], 'scopes.1'],
    [['read', ''], 'scopes.1'],
    [['read', 'Write'], 'scopes.1'],
    [['read', '9lives'], 'scopes.1'],
    [['read', '__proto__'], 'scopes.1'],
    [['read', 'a b'], 'scopes.1'],
    [['read', 'write\n'], 'scopes.1'],
    [['read', 'wr\0ite'], 'scopes.1'],
    [['read', '🐘'], 'scopes.1'],
    [[`a${x(63)}`, 'read'], 'scopes.0'],
  ])('can’t have the scopes %j', (scopes, path) => {
    expect(wrong({ ...tenant, scopes })).toEqual([path]);
  });

  it('can have scopes that are called as what objects have: they are names and no keys', () => {
    expect(wrong({ ...tenant, scopes: ['constructor', 'tostring'] })).toEqual([]);
  });

  it.each([
    [null, 'readers'],
    ['ann@acme.example', 'readers'],
    [Array(51).fill('ann@acme.example'), 'readers'],
    [['ann@acme.example', null], 'readers.1'],
    [['ann@acme.example', ''], 'readers.1'],
    [['ann@acme.example', 'ann'], 'readers.1'],
    [['ann@acme.example', 'allUsers'], 'readers.1'],
    [['ann@acme.example', 'user:ann@acme.example'], 'readers.1'],
    [['ann@acme.example', 'group:ann'], 'readers.1'],
    [['ann@acme.example', 'a@b@c'], 'readers.1'],
    [['ann@acme.example', 'a b@c'], 'readers.1'],
    [['ann@acme.example', 'a@b\n'], 'readers.1'],
    [['ann@acme.example', `${x(260)}@b`], 'readers.1'],
  ])('can’t have the readers %j', (readers, path) => {
    expect(wrong({ ...tenant, readers })).toEqual([path]);
  });

  it.each(each(...noBoolean))('can’t have the reuse %j', (reuse) => {
    expect(wrong({ ...tenant, reuse })).toEqual(['reuse']);
  });

  it.each(
    each(
      null,
      7,
      '',
      'manifest.json',
      '/manifest.json',
      's3://archive/manifest.json',
      'GS://archive/manifest.json',
      'gs://archive/',
      'gs://archive/manifest.json/',
      'gs://archive/manifest.json\n',
      'gs://archive/other.json',
      `gs://archive/${x(1024)}/manifest.json`,
    ),
  )('can’t restore %j', (restore) => {
    expect(wrong({ ...tenant, restore })).toEqual(['restore']);
  });

  it.each(['tenant', 'displayName', 'contact', 'plan', 'target'])('can’t be without %s', (field) => {
    const { [field as 'plan']: _, ...rest } = tenant;
    expect(wrong(rest)).toEqual([field]);
  });

  it('tells all that is wrong with it at once', () => {
    const message = { ...tenant, tenant: 'A', contact: '', features: { analytics: 1 }, scopes: ['a', 'B'] };
    expect(wrong(message).sort()).toEqual(['contact', 'features.analytics', 'scopes.1', 'tenant']);
  });
});

describe('the scope system', () => {
  it('needs nothing', () => {
    expect(bootstrapTenantMessage.parse(system)).toEqual(system);
  });

  it.each([
    ['another region', { ...system, region: 'US' }],
    ['all tables made anew', recreation],
    ['some tables made anew', { ...system, forceRecreate: { tables: ['a', 'b'], confirm: 'acme.drover' } }],
  ])('can have %s', (_, message) => {
    expect(wrong(message)).toEqual([]);
  });

  it.each([
    [null, ['forceRecreate']],
    [true, ['forceRecreate']],
    ['*', ['forceRecreate']],
    [{ tables: '*' }, ['forceRecreate.confirm']],
    [{ tables: '*', confirm: true }, ['forceRecreate.confirm']],
    [{ tables: '*', confirm: x(2049) }, ['forceRecreate.confirm']],
    [{ confirm: 'acme.drover' }, ['forceRecreate.tables']],
    [{ tables: 'operations', confirm: '' }, ['forceRecreate.tables']],
    [{ tables: [], confirm: '' }, ['forceRecreate.tables']],
    [{ tables: [''], confirm: '' }, ['forceRecreate.tables.0']],
    [{ tables: [7], confirm: '' }, ['forceRecreate.tables']],
    [{ tables: Array(101).fill('a'), confirm: '' }, ['forceRecreate.tables']],
    [{ tables: ['a', x(1025)], confirm: '' }, ['forceRecreate.tables.1']],
    [{ tables: '*', confirm: '', force: true }, ['forceRecreate']],
  ])('can’t make tables anew by %j', (forceRecreate, paths) => {
    expect(wrong({ ...system, forceRecreate })).toEqual(paths);
  });
});

describe('the scope remove', () => {
  it('needs the id and its confirmation; everything is archived unless it says otherwise', () => {
    expect(bootstrapTenantMessage.parse(remove)).toEqual({
      ...remove,
      archive: true,
      allowIncomplete: false,
      dataset: 'export',
      storage: 'archive',
    });
  });

  it.each([
    ['no archive', { ...remove, archive: false, dataset: 'delete', storage: 'delete' }],
    ['what is kept', { ...remove, dataset: 'keep', storage: 'keep' }],
    ['an archive with gaps', { ...remove, allowIncomplete: true }],
    ['a confirmation that fits no tenant', { ...remove, confirm: '' }],
  ])('can have %s', (_, message) => {
    expect(wrong(message)).toEqual([]);
  });

  it.each(each(...noText, 'ab', x(51), 'Acme', 'ac\0me', "o'neil", 'acme\n'))(
    'can’t have the id %j',
    (id) => {
      expect(wrong({ ...remove, tenant: id })).toEqual(['tenant']);
    },
  );

  it.each(each(...noText, x(201)))('can’t have the confirmation %j', (confirm) => {
    expect(wrong({ ...remove, confirm })).toEqual(['confirm']);
  });

  it.each(['tenant', 'confirm'])('can’t be without %s', (field) => {
    const { [field as 'tenant']: _, ...rest } = remove;
    expect(wrong(rest)).toEqual([field]);
  });

  it.each(['archive', 'allowIncomplete'])('can only have %s or not', (field) => {
    for (const value of noBoolean) expect(wrong({ ...remove, [field]: value })).toEqual([field]);
  });

  it.each(['dataset', 'storage'])('can’t do something else with its %s', (field) => {
    for (const value of [null, 7, true, '', 'Keep', 'drop', ['keep'], ...inherited]) {
      expect(wrong({ ...remove, [field]: value })).toEqual([field]);
    }
    expect(wrong({ ...remove, dataset: 'archive' })).toEqual(['dataset']);
    expect(wrong({ ...remove, storage: 'export' })).toEqual(['storage']);
  });
});
