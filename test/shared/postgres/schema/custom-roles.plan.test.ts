import { describe, expect, test } from 'vitest';
import { OperationError } from '../../../../shared/operation/errors.ts';
import {
  type CustomRole,
  checksumOf,
  customRoleDefinition,
} from '../../../../shared/postgres/custom-role.ts';
import { formatMarker } from '../../../../shared/postgres/marker.ts';
import { schemaRoles } from '../../../../shared/postgres/schema/inspect.ts';
import type { InspectedPrivilege, InspectedSchema } from '../../../../shared/postgres/schema/model.ts';
import { empty, ours, plan, roleOf } from './inspected.ts';

const role = 'app__billing__support';
const roles = schemaRoles('app', 'billing');
const define = (more: object = {}): CustomRole =>
  customRoleDefinition.parse({ name: 'support', version: 1, ...more });
const planned = (definition: CustomRole, found: Partial<InspectedSchema> = {}) =>
  plan({ levels: [], customRoles: [definition] }, found);
const texts = (definition: CustomRole, found?: Partial<InspectedSchema>) =>
  planned(definition, found).steps.map((step) => step.sql.text);
const refusal = (found: Partial<InspectedSchema>, definition = define(), adopt = false) => {
  try {
    plan({ levels: [], adopt, customRoles: [definition] }, found);
  } catch (error) {
    if (error instanceof OperationError) return error;
    throw error;
  }
  throw new Error('it was planned');
};
const marked = (definition: CustomRole) =>
  formatMarker({
    managedBy: 'drover',
    database: 'app',
    schema: 'billing',
    level: definition.name,
    version: definition.version,
    checksum: checksumOf(definition),
  });

describe('a custom role that is missing', () => {
  test('is made without a login, with a marker that says which definition it follows', () => {
    const definition = define({ version: 4 });
    expect(texts(definition)).toEqual(
      expect.arrayContaining([
        `CREATE ROLE "${role}" NOLOGIN`,
        `COMMENT ON ROLE "${role}" IS '${marked(definition)}'`,
      ]),
    );
  });

  test('is made after the levels that it inherits, and what these do', () => {
    const { steps, levels } = planned(define({ inherits: ['writer'] }));
    expect(levels).toEqual(['owner', 'writer', 'reader']);
    const made = steps.filter(({ change }) => change?.action === 'create' && change.kind === 'role');
    expect(made.map(({ change }) => change?.name)).toEqual([
      roles.owner,
      roles.writer,
      roles.reader,
      role,
      roles.monitor,
    ]);
  });

  test('inherits as PostgreSQL 16 and later has to be told', () => {
    const definition = define({ inherits: ['analyst'] });
    expect(texts(definition)).toContain(`GRANT "${roles.analyst}" TO "${role}" WITH INHERIT TRUE`);
    expect(texts(definition, { serverVersion: 150000 })).toContain(`GRANT "${roles.analyst}" TO "${role}"`);
  });

  test.each([
    ['has privileges', { privileges: { sequences: ['USAGE'] } }, true],
    ['has none at all', {}, false],
    ['inherits a level', { inherits: ['reader'], privileges: { tables: ['UPDATE'] } }, false],
  ])('that %s: whether it gets USAGE on the schema itself', (_, definition, has) => {
    expect(texts(define(definition)).includes(`GRANT USAGE ON SCHEMA "billing" TO "${role}"`)).toBe(has);
  });
});

describe('a definition that changed', () => {
  const before = define({ privileges: { tables: ['SELECT', 'UPDATE'] } });
  const after = define({ version: 2, privileges: { tables: ['SELECT', 'DELETE'] } });
  const privilege = (name: string): InspectedPrivilege => ({
    grantee: role,
    privilege: name,
    grantor: null,
    grantable: false,
    passedOn: false,
    columns: false,
  });
  const found: Partial<InspectedSchema> = {
    schema: {
      owner: roles.owner,
      usable: true,
      comment: null,
      privileges: [privilege('USAGE')],
      ownerLacks: [],
      adminLacks: [],
    },
    roles: [
      roleOf(roles.owner, { comment: ours('billing', 'owner') }),
      roleOf(roles.monitor, { comment: ours(undefined, 'monitor') }),
      roleOf(role, { comment: marked(before) }),
    ],
    memberships: [
      { role: 'pg_monitor', member: roles.monitor, inherit: true, set: true, grantor: 'postgres' },
    ],
    objects: [
      {
        class: 'TABLE',
        owner: roles.owner,
        usable: true,
        followsTable: false,
        privileges: [privilege('SELECT'), privilege('UPDATE')],
        names: ['billing.invoices'],
      },
    ],
    defaultPrivileges: ['SELECT', 'UPDATE'].map((name) => ({
      scope: 'schema',
      class: 'TABLE',
      grantee: role,
      privilege: name,
      grantable: false,
    })),
    routineDefaultSet: true,
  };

  test('gives and takes what differs, and nothing else: what stays is not revoked in between', () => {
    const statements = texts(after, found).filter((text) => !/^(?:SET LOCAL|COMMENT)/.test(text));
    const defaults = `ALTER DEFAULT PRIVILEGES FOR ROLE "${roles.owner}" IN SCHEMA "billing"`;
    expect(statements).toEqual([
      `GRANT DELETE ON TABLE billing.invoices TO "${role}"`,
      `REVOKE UPDATE ON TABLE billing.invoices FROM "${role}"`,
      `${defaults} GRANT DELETE ON TABLES TO "${role}"`,
      `${defaults} REVOKE UPDATE ON TABLES FROM "${role}"`,
    ]);
  });

  test('is a change of the role, which names the versions', () => {
    const { steps } = planned(after, found);
    expect(steps.map(({ change }) => change)).toContainEqual({
      action: 'alter',
      kind: 'role',
      name: role,
      detail: 'version 1 → 2',
    });
    expect(steps.map((step) => step.sql.text)).toContain(`COMMENT ON ROLE "${role}" IS '${marked(after)}'`);
  });

  test('is one, too, where the version is the same', () => {
    const { steps } = planned({ ...after, version: 1 }, found);
    expect(steps.map(({ change }) => change?.detail)).toContain('version 1, defined otherwise');
  });

  test('is none where nothing differs, be it in another order', () => {
    const reordered = define({ privileges: { tables: ['UPDATE', 'SELECT'] } });
    expect(texts(reordered, found)).toEqual([]);
  });

  test('is only written down where a new version gives the same rights', () => {
    const statements = texts({ ...before, version: 9 }, found);
    expect(statements).toHaveLength(2);
    expect(statements.every((text) => text.startsWith('COMMENT ON ROLE'))).toBe(true);
  });
});

describe('a predefined role', () => {
  const definition = define({ native: ['pg_use_reserved_connections'] });
  const notes = (found: Partial<InspectedSchema>) =>
    planned(definition, found).notes.filter(({ message }) => message.includes(role));

  test('is granted where the acting admin may', () => {
    const found = { grantable: ['pg_use_reserved_connections'] };
    expect(texts(definition, found)).toContain(
      `GRANT "pg_use_reserved_connections" TO "${role}" WITH INHERIT TRUE`,
    );
    expect(notes(found)).toEqual([]);
  });

  test('is noted with the statement where it may not', () => {
    expect(notes({})).toMatchObject([
      {
        code: 'MEMBERSHIP_OUT_OF_REACH',
        statements: [`GRANT "pg_use_reserved_connections" TO "${role}"`],
      },
    ]);
  });

  test('is noted where the server has none of that name', () => {
    expect(notes({ serverVersion: 150000 })).toEqual([
      { code: 'PREDEFINED_ROLE_MISSING', message: expect.stringContaining('pg_use_reserved_connections') },
    ]);
  });
});

describe('ROLE_NOT_MANAGED', () => {
  test('is a role of the name without a marker, unless it is to be adopted', () => {
    const found = { roles: [roleOf(role)] };
    expect(refusal(found)).toMatchObject({ code: 'ROLE_NOT_MANAGED', details: { role } });
    const adopted = plan({ levels: [], adopt: true, customRoles: [define()] }, found);
    expect(adopted.steps.map(({ change }) => change?.detail)).toContain('adopted');
  });

  test.each([
    ['a level', ours('billing', 'reader')],
    ['another custom role', ours('billing', 'audit')],
    ['another schema', ours('other', 'support')],
    ['the database', ours(undefined, 'support')],
  ])('is a role with the marker of %s, adopted or not', (_, comment) => {
    for (const adopt of [false, true]) {
      expect(refusal({ roles: [roleOf(role, { comment })] }, define(), adopt).code).toBe('ROLE_NOT_MANAGED');
    }
  });

  test('is a role that bypasses row security, ours or not', () => {
    const found = { roles: [roleOf(role, { comment: marked(define()), privileged: true })] };
    expect(refusal(found).code).toBe('ROLE_NOT_MANAGED');
  });
});

test('MEMBERSHIP_CYCLE is a level that is a member of who should inherit it', () => {
  const found = { ...empty, within: [{ role, member: roles.reader }] };
  expect(refusal(found, define({ inherits: ['reader'] }))).toMatchObject({
    code: 'MEMBERSHIP_CYCLE',
    details: { statements: [`REVOKE "${role}" FROM "${roles.reader}"`] },
  });
});

test('ADOPTION_NEEDS_ADMIN is a role that Drover may not change', () => {
  const found = { roles: [roleOf(role, { comment: marked(define()), administrable: false })] };
  expect(refusal(found).code).toBe('ADOPTION_NEEDS_ADMIN');
});
