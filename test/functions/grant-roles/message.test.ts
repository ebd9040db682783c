import { describe, expect, it } from 'vitest';
import { grantRolesMessage, mostGrants, roleOf } from '../../../functions/grant-roles/message.ts';
import { maxCustomRoleName } from '../../../shared/postgres/custom-role.ts';

const target = { instance: 'acme:europe-west1:main', database: 'app' };
const alice = { principal: 'alice@example.com', kind: 'iam-user', level: 'reader' };
const valid = { target, schema: 'billing', mode: 'add', grants: [alice] };
const support = { name: 'support', version: 1 };

/** The places of what is wrong with a message. */
function wrong(message: unknown): string[] {
  const parsed = grantRolesMessage.safeParse(message);
  return parsed.success ? [] : parsed.error.issues.map(({ path }) => path.join('.'));
}

/** The places of what is wrong with one grant. */
const wrongGrant = (more: object) =>
  wrong({ ...valid, grants: [{ ...alice, ...more }] }).map((path) => path.replace(/^grants\.0\.?/, ''));

const nameOf = (kind: string, principal: string) =>
  grantRolesMessage.parse({ ...valid, grants: [{ ...alice, kind, principal }] }).grants[0]?.principal;

describe('a message', () => {
  it('is complete without what has a default', () => {
    expect(grantRolesMessage.parse(valid)).toEqual({
      ...valid,
      customRoles: [],
      allowEmpty: false,
      createMissing: false,
    });
  });

  it.each([
    ['no target', { target: undefined }, 'target'],
    ['an unknown key', { sql: 'GRANT ALL' }, ''],
    ['an unknown key in a grant', { grants: [{ ...alice, options: 'ADMIN' }] }, 'grants.0'],
    ['an unknown mode', { mode: 'replace' }, 'mode'],
    ['no mode', { mode: undefined }, 'mode'],
    ['no grants', { grants: undefined }, 'grants'],
    ['an empty schema', { schema: '' }, 'schema'],
    ['a schema of the system', { schema: 'pg_catalog' }, 'schema'],
    ['an empty list that isn’t meant', { mode: 'exact', grants: [] }, 'grants'],
    ['one that isn’t, with custom roles', { mode: 'exact', grants: [], customRoles: [support] }, 'grants'],
    ['nothing to add', { grants: [] }, 'grants'],
    ['nothing to revoke', { mode: 'revoke', grants: [] }, 'grants'],
    ['nobody to offboard', { mode: 'offboard', schema: undefined, grants: [] }, 'grants'],
    ['a schema to offboard from', { mode: 'offboard', grants: [{ ...alice, level: undefined }] }, 'schema'],
    ['createMissing in mode revoke', { mode: 'revoke', createMissing: true }, 'createMissing'],
    ['custom roles in mode revoke', { mode: 'revoke', customRoles: [support] }, 'customRoles'],
    [
      'custom roles without a schema',
      { schema: undefined, grants: [], customRoles: [support] },
      'customRoles',
    ],
    ['a custom role twice', { customRoles: [support, { ...support, version: 2 }] }, 'customRoles.1.name'],
    ['a level as a custom role', { customRoles: [{ ...support, name: 'reader' }] }, 'customRoles.0.name'],
    ['a custom role with SQL', { customRoles: [{ ...support, sql: 'x' }] }, 'customRoles.0'],
    [
      'a custom role with what is no privilege',
      { customRoles: [{ ...support, privileges: { tables: ['DROP'] } }] },
      'customRoles.0.privileges.tables.0',
    ],
    [
      'a custom role with one that reads everything',
      { customRoles: [{ ...support, native: ['pg_read_all_data'] }] },
      'customRoles.0.native.0',
    ],
  ])('can’t have %s', (_, more, path) => {
    expect(new Set(wrong({ ...valid, ...more }))).toEqual(new Set([path]));
  });

  it.each([
    ['an empty list that is meant', { mode: 'exact', grants: [], allowEmpty: true }],
    ['custom roles alone', { grants: [], customRoles: [support] }],
    ['who is to be created', { mode: 'exact', createMissing: true }],
    ['the database’s level', { schema: undefined, grants: [{ ...alice, level: 'monitor' }] }],
    [
      'somebody to offboard',
      { mode: 'offboard', schema: undefined, grants: [{ ...alice, level: undefined }] },
    ],
    ['what to revoke', { mode: 'revoke' }],
  ])('may have %s', (_, more) => {
    expect(wrong({ ...valid, ...more })).toEqual([]);
  });

  it('has up to 100 grants', () => {
    const grants = [...Array(mostGrants + 1).keys()].map((n) => ({
      ...alice,
      principal: `u${n}@example.com`,
    }));
    expect(wrong({ ...valid, grants: grants.slice(1) })).toEqual([]);
    expect(wrong({ ...valid, grants })).toEqual(['grants']);
  });

  it('is told every problem, with its place', () => {
    const grants = [
      { ...alice, level: 'monitor' },
      { ...alice, customRole: 'support' },
      { ...alice, level: undefined },
    ];
    expect(wrong({ ...valid, mode: 'revoke', createMissing: true, grants })).toEqual([
      'createMissing',
      'grants.0.level',
      'grants.1',
      'grants.2',
    ]);
  });

  it.each([undefined, null, 'text', 7, [], [valid]])('can’t be %j', (message) => {
    expect(wrong(message)).toEqual(['']);
  });
});

describe('a grant', () => {
  it.each([
    ['no kind', { kind: undefined }, 'kind'],
    ['an unknown kind', { kind: 'user' }, 'kind'],
    ['an unknown level', { level: 'superuser' }, 'level'],
    ['a level and a custom role', { customRole: 'support' }, ''],
    ['neither', { level: undefined }, ''],
    ['the database’s level in a schema', { level: 'monitor' }, 'level'],
    ['a custom role’s name that is none', { level: undefined, customRole: 'Support; DROP' }, 'customRole'],
    ['one that is too long', { level: undefined, customRole: 'x'.repeat(23) }, 'customRole'],
    ['a time without an offset', { expiresAt: '2026-01-01T00:00:00' }, 'expiresAt'],
    ['a day', { expiresAt: '2026-01-01' }, 'expiresAt'],
    ['a time that never was', { expiresAt: '2026-02-30T00:00:00Z' }, 'expiresAt'],
    ['a reason too long', { reason: 'x'.repeat(201) }, 'reason'],
    ['a reason that PostgreSQL can’t hold', { reason: 'a\0b' }, 'reason'],
    ['no principal', { principal: '' }, 'principal'],
    ['a principal that PostgreSQL can’t hold', { principal: 'a\0', kind: 'login' }, 'principal'],
  ])('can’t have %s', (_, more, path) => {
    expect(new Set(wrongGrant(more))).toEqual(new Set([path]));
  });

  it.each([
    { expiresAt: '2026-01-01T00:00:00Z' },
    { expiresAt: '2026-01-01T01:00:00.123+01:00' },
    { reason: 'x'.repeat(200) },
    { level: undefined, customRole: 'x'.repeat(maxCustomRoleName) },
    { level: 'owner' },
  ])('may have %j', (more) => {
    expect(wrongGrant(more)).toEqual([]);
  });

  it('is about its level or its custom role', () => {
    const { grants } = grantRolesMessage.parse({
      ...valid,
      grants: [alice, { ...alice, level: undefined, customRole: 'support' }],
    });
    expect(grants.map(roleOf)).toEqual(['reader', 'support']);
  });

  it.each([
    ['level', { level: 'reader' }],
    ['customRole', { customRole: 'support' }],
    ['expiresAt', { expiresAt: '2026-01-01T00:00:00Z' }],
  ])('has no %s where somebody is offboarded', (field, more) => {
    const grants = [{ principal: alice.principal, kind: alice.kind, ...more }];
    expect(wrong({ target, mode: 'offboard', grants })).toEqual([`grants.0.${field}`]);
  });

  it.each([
    ['level', { level: 'reader' }],
    ['customRole', { level: undefined, customRole: 'support' }],
  ])('has no %s of a schema where there is none', (field, more) => {
    const grants = [{ ...alice, ...more }];
    expect(wrong({ ...valid, schema: undefined, grants })).toEqual([`grants.0.${field}`]);
  });

  it('is not revoked at a time', () => {
    const grants = [{ ...alice, expiresAt: '2026-01-01T00:00:00Z' }];
    expect(wrong({ ...valid, mode: 'revoke', grants })).toEqual(['grants.0.expiresAt']);
  });

  it('is there once, by the name that Cloud SQL has for its principal', () => {
    const service = { kind: 'iam-service-account', level: 'reader' };
    const grants = [
      alice,
      { ...alice, level: 'writer' },
      { ...service, principal: 'app@acme.iam' },
      { ...alice, principal: 'Alice@Example.com' },
      { ...service, principal: 'app@acme.iam.gserviceaccount.com' },
    ];
    expect(wrong({ ...valid, grants })).toEqual(['grants.3', 'grants.4']);
  });
});

describe('a principal’s name', () => {
  it.each([
    ['iam-user', 'Alice.Smith@Example.COM', 'alice.smith@example.com'],
    ['iam-group', 'DBAs@example.com', 'dbas@example.com'],
    ['iam-service-account', 'App@Acme.iam.gserviceaccount.com', 'app@acme.iam'],
    ['iam-service-account', 'app@acme.iam', 'app@acme.iam'],
    ['iam-service-account', 'app@acme.example.com.iam.gserviceaccount.com', 'app@acme.example.com.iam'],
    ['iam-service-account', '123-compute@developer.gserviceaccount.com', '123-compute@developer'],
    ['iam-service-account', 'acme@appspot.gserviceaccount.com', 'acme@appspot'],
    ['login', 'App_User', 'App_User'],
    ['login', `o'brien "the" 🐘`, `o'brien "the" 🐘`],
    ['login', 'app.gserviceaccount.com', 'app.gserviceaccount.com'],
  ])('of a %s, %s, is %s in PostgreSQL', (kind, given, name) => {
    expect(nameOf(kind, given)).toBe(name);
  });

  it.each([
    ['login', 'x'.repeat(63)],
    ['login', 'é'.repeat(31)],
    ['iam-user', `${'x'.repeat(51)}@example.com`],
    ['iam-service-account', `${'x'.repeat(30)}@${'p'.repeat(28)}.iam.gserviceaccount.com`],
    ['login', 'publican'],
    ['login', 'postgresql'],
    ['login', 'drover_tester@example.com'],
    ['iam-user', 'google_docs@example.com'],
    ['iam-group', 'cloudsql-team@example.com'],
  ])('of a %s may be %s', (kind, principal) => {
    expect(wrongGrant({ kind, principal })).toEqual([]);
  });

  it.each([
    ['login', 'x'.repeat(64)],
    ['login', 'é'.repeat(32)],
    ['login', '🐘'.repeat(16)],
    ['iam-user', `${'x'.repeat(52)}@example.com`],
    ['iam-service-account', `${'x'.repeat(30)}@${'p'.repeat(29)}.iam.gserviceaccount.com`],
    ['iam-user', 'alice'],
    ['iam-user', 'alice@'],
    ['iam-user', 'a b@example.com'],
    ['iam-user', 'alice@example.com\n'],
    ['iam-user', 'älice@example.com'],
    ['iam-user', 'app@acme.iam'],
    ['iam-user', 'app@acme.iam.gserviceaccount.com'],
    ['iam-group', 'app@acme.iam'],
    ['iam-user', '123-compute@developer.gserviceaccount.com'],
    ['iam-service-account', 'alice@example.com'],
    ['iam-service-account', 'app@acme.iam.gserviceaccount.com.evil.com'],
    ['iam-service-account', 'app'],
    ['login', 'postgres'],
    ['login', 'Postgres'],
    ['login', 'public'],
    ['login', 'PUBLIC'],
    ['login', 'none'],
    ['login', 'current_user'],
    ['login', 'SESSION_USER'],
    ['login', 'pg_read_all_data'],
    ['login', 'cloudsqladmin'],
    ['login', 'cloudsqlsuperuser'],
    ['login', 'drover_admin'],
    ['login', 'drover_admin_07'],
    ['login', 'drover_writers'],
    ['login', 'drover_tester'],
    ['login', '_drover_0123456789abcdef_reader'],
  ])('of a %s can’t be %j', (kind, principal) => {
    expect(wrongGrant({ kind, principal })).toEqual(['principal']);
  });
});
