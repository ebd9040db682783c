import { describe, expect, test } from 'vitest';
import { abilities } from '../../../../shared/postgres/access/abilities.ts';
import { accessReport, kindOf, levelsIn, ofLevel } from '../../../../shared/postgres/access/access.ts';
import type { AccessRows, MembershipRow, RoleRow } from '../../../../shared/postgres/access/rows.ts';
import { formatMarker } from '../../../../shared/postgres/marker.ts';

const role = (name: string, more: Partial<RoleRow> = {}): RoleRow => ({
  name,
  login: true,
  inherit: true,
  superuser: false,
  createRole: false,
  createDatabase: false,
  replication: false,
  bypassRls: false,
  comment: null,
  machinery: false,
  iam: [],
  connect: true,
  statistics: false,
  ...more,
});
const managed = (schema: string | undefined, level: string, more: Partial<RoleRow> = {}): RoleRow =>
  role(`app__${schema ?? ''}__${level}`, {
    login: false,
    connect: null,
    comment: formatMarker({ managedBy: 'drover', database: 'app', ...(schema && { schema }), level }),
    ...more,
  });
const member = (name: string, of: string, more: Partial<MembershipRow> = {}): MembershipRow => ({
  role: of,
  member: name,
  grantor: 'g',
  inherit: true,
  set: true,
  admin: false,
  ...more,
});
const rows = (more: Partial<AccessRows>): AccessRows => ({
  serverVersion: 180000,
  database: 'app',
  schemas: ['billing'],
  principal: null,
  roles: [],
  memberships: [],
  held: [],
  privileges: [],
  owned: [],
  ...more,
});

const reader = managed('billing', 'reader');
const writer = managed('billing', 'writer');
const held = [
  { role: reader.name, rights: ['SCHEMA USAGE', 'TABLE SELECT'] },
  { role: writer.name, rights: ['TABLE INSERT'] },
];

describe('a report', () => {
  test('tells of the roles on a way in one line, but not where they are had by other means', () => {
    const roles = [reader, writer, role('alice'), role('bob')];
    const memberships = [
      member(writer.name, reader.name),
      member('alice', writer.name),
      member('bob', writer.name, { set: false }),
      member(writer.name, 'bob2'),
    ];
    const same = accessReport(rows({ roles, memberships, held })).managed;
    expect(same.map(({ principal, levels, can }) => [principal, levels, can])).toEqual([
      ['alice', ['writer', 'reader'], ['read', 'write']],
      ['bob', ['writer', 'reader'], ['read', 'write']],
    ]);

    const broken = [
      member(writer.name, reader.name, { inherit: false }),
      member('bob', writer.name, { set: false }),
    ];
    const other = accessReport(rows({ roles, memberships: broken, held })).managed;
    expect(other.map(({ levels, how, can }) => [levels, how, can])).toEqual([
      [['writer'], 'inherit', ['write']],
      [['reader'], 'none', []],
    ]);
  });

  test('has no people that are Drover’s, but those who act as them', () => {
    const machinery = role('drover_writers', { login: false, machinery: true, connect: null });
    const report = accessReport(
      rows({
        roles: [reader, machinery, role('function'), role('admin')],
        memberships: [
          member('function', machinery.name),
          member('admin', machinery.name, { inherit: false, set: false, admin: true }),
          member(machinery.name, reader.name),
        ],
        held,
      }),
    );
    expect(report.managed).toEqual([]);
    expect(report.asDrover).toEqual([
      { principal: 'admin', how: 'admin' },
      { principal: 'function', how: 'inherit' },
    ]);
  });

  test('takes a login with Drover’s marker on it for a person', () => {
    const disguised = managed('billing', 'writer', { name: 'mallory', login: true });
    const report = accessReport(
      rows({ roles: [reader, disguised], memberships: [member('mallory', reader.name)], held }),
    );
    expect(report.managed).toMatchObject([{ principal: 'mallory', levels: ['reader'] }]);
  });

  test('leaves out roles of other databases and of schemas that were not looked at', () => {
    const elsewhere = managed('billing', 'reader', {
      name: 'other__billing__reader',
      comment: formatMarker({ managedBy: 'drover', database: 'other', schema: 'billing', level: 'reader' }),
    });
    const shop = managed('shop', 'reader');
    const report = accessReport(
      rows({
        roles: [elsewhere, shop, role('alice')],
        memberships: [member('alice', elsewhere.name), member('alice', shop.name)],
      }),
    );
    expect(report.managed).toEqual([]);
    expect(levelsIn(rows({ roles: [elsewhere, shop] }))).toEqual([]);
    expect(levelsIn(rows({ roles: [elsewhere, shop], schemas: ['shop'] }))).toEqual(['reader']);
  });

  test('tells of the database’s monitor, and of nobody that only may connect', () => {
    const monitor = managed(undefined, 'monitor', { statistics: true });
    const connect = managed(undefined, 'connect');
    const report = accessReport(
      rows({
        roles: [monitor, connect, role('alice')],
        memberships: [member('alice', monitor.name), member('alice', connect.name)],
      }),
    );
    expect(report.managed).toMatchObject([{ schema: null, levels: ['monitor'], can: ['statistics'] }]);
  });

  test('names superusers once, whoever may become one, and logins that can’t connect', () => {
    const report = accessReport(
      rows({
        roles: [reader, role('root', { superuser: true }), role('sam', { connect: false }), role('tim')],
        memberships: [
          member('root', reader.name),
          member('sam', 'root'),
          member('tim', 'root', { set: false }),
        ],
        held,
      }),
    );
    expect(report.superusers).toEqual(['root']);
    expect(report.managed.map(({ principal }) => principal)).toEqual(['sam', 'tim']);
    const supers = report.direct.filter(({ by }) => by === 'superuser');
    expect(supers).toMatchObject([
      { principal: 'sam', how: 'set', setRole: 'root', can: ['everything'] },
      { principal: 'tim', how: 'none', can: [] },
    ]);
    expect(report.cannotConnect).toEqual(['sam']);
  });

  test('before PostgreSQL 16 names those whose CREATEROLE lets them take any role', () => {
    const roles = [role('boss', { createRole: true }), role('root', { createRole: true, superuser: true })];
    expect(accessReport(rows({ roles, serverVersion: 150000 })).createRole).toEqual(['boss']);
    expect(accessReport(rows({ roles, serverVersion: 160000 })).createRole).toEqual([]);
  });

  test('tells of one principal only, where one was asked for, superuser or not', () => {
    const roles = [reader, role('alice'), role('root', { superuser: true })];
    const memberships = [member('alice', reader.name), member('root', reader.name)];
    const report = (principal: string) => accessReport(rows({ roles, memberships, held, principal })).managed;
    expect(report('alice').map(({ principal }) => principal)).toEqual(['alice']);
    expect(report('root').map(({ principal }) => principal)).toEqual(['root']);
  });

  test('can be cut down to a level, whoever has it on the way', () => {
    const roles = [reader, writer, role('alice'), role('bob')];
    const memberships = [
      member(writer.name, reader.name),
      member('alice', writer.name),
      member('bob', reader.name),
    ];
    const owned = [{ owner: 'bob', schema: 'billing', class: 'TABLE', count: 1, names: ['t'] }] as const;
    const report = accessReport(rows({ roles, memberships, held, owned }));
    const names = (level: string) => ofLevel(report, level).managed.map(({ principal }) => principal);
    expect(names('reader')).toEqual(['alice', 'bob']);
    expect(names('writer')).toEqual(['alice']);
    expect(report.direct).toHaveLength(1);
    expect(ofLevel(report, 'reader').direct).toEqual([]);
  });
});

test.each([
  [{ iam: ['cloudsqliamuser'], login: true }, 'iam-user'],
  [{ iam: ['cloudsqliamserviceaccount'], login: true }, 'iam-service-account'],
  [{ iam: ['cloudsqliamgroup'], login: false }, 'iam-group'],
  [{ iam: ['cloudsqliamgroupuser'], login: true }, 'iam-user'],
  [{ iam: ['cloudsqliamgroupserviceaccount'], login: true }, 'iam-service-account'],
  [{ iam: [], login: true }, 'login'],
  [{ iam: [], login: false }, 'role'],
] as const)('%j is of the kind %s', (row, kind) => {
  expect(kindOf(row)).toBe(kind);
});

test.each([
  [['SCHEMA USAGE'], ['use']],
  [['SCHEMA USAGE', 'TABLE SELECT', 'SEQUENCE SELECT'], ['read']],
  [
    ['TABLE DELETE', 'TABLE SELECT', 'ROUTINE EXECUTE'],
    ['read', 'write', 'execute'],
  ],
  [
    ['SCHEMA OWNER', 'TABLE OWNER'],
    ['read', 'write', 'create', 'own'],
  ],
  [
    ['TABLE TRIGGER', 'COLUMN REFERENCES', 'TABLE UPDATE'],
    ['write', 'references', 'trigger'],
  ],
  [[], []],
])('%j come to %j', (rights, words) => {
  expect(abilities(rights)).toEqual(words);
});
