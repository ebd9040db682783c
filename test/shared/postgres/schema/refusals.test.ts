import { describe, expect, test } from 'vitest';
import { OperationError } from '../../../../shared/operation/errors.ts';
import { schemaRoles } from '../../../../shared/postgres/schema/inspect.ts';
import type {
  DesiredSchema,
  InspectedSchema,
  ObjectGroup,
} from '../../../../shared/postgres/schema/model.ts';
import { empty, ours, plan, roleOf } from './inspected.ts';

const roles = schemaRoles('app', 'billing');

const schemaOf = (owner: string, usable = false): NonNullable<InspectedSchema['schema']> => ({
  owner,
  usable,
  comment: null,
  privileges: [],
  ownerLacks: [],
  adminLacks: ['USAGE', 'CREATE'],
});

const tableOf = (owner: string, usable = false): ObjectGroup => ({
  class: 'TABLE',
  owner,
  usable,
  followsTable: false,
  privileges: [],
  names: ['billing.invoices'],
});

function refusal(wish: Partial<DesiredSchema>, found: Partial<InspectedSchema>): OperationError {
  try {
    plan(wish, found);
  } catch (error) {
    if (error instanceof OperationError) return error;
    throw error;
  }
  throw new Error('it was planned');
}

test('a schema that is missing is planned where nothing stands against it', () => {
  const texts = plan({}, {}).steps.map((step) => step.sql.text);
  expect(texts).toContain(`CREATE SCHEMA "billing" AUTHORIZATION "${roles.owner}"`);
});

describe('ROLE_NOT_MANAGED', () => {
  test('is a role of a name we need without our marker', () => {
    const found = { roles: [roleOf(roles.reader, { comment: 'made by hand' })] };
    expect(refusal({}, found)).toMatchObject({
      code: 'ROLE_NOT_MANAGED',
      retryable: false,
      details: { role: roles.reader },
    });
    expect(refusal({}, found).message).toContain('"adopt": true');
    expect(plan({ adopt: true }, found).steps.length).toBeGreaterThan(0);
  });

  test('is a role with the marker of another schema, adopted or not', () => {
    const found = { roles: [roleOf(roles.reader, { comment: ours('other', 'reader') })] };
    for (const adopt of [false, true]) {
      const error = refusal({ adopt }, found);
      expect(error.code).toBe('ROLE_NOT_MANAGED');
      expect(error.message).toContain('app.other');
    }
  });

  test('is a role with the marker of another role of this schema, adopted or not', () => {
    const found = { roles: [roleOf(roles.writer, { comment: ours('billing', 'reader') })] };
    for (const adopt of [false, true]) {
      const error = refusal({ adopt }, found);
      expect(error.code).toBe('ROLE_NOT_MANAGED');
      expect(error.message).toContain('the reader of app.billing');
    }
  });

  test('is a role of the database with a schema’s marker', () => {
    const found = { roles: [roleOf(roles.monitor, { comment: ours('billing', 'monitor') })] };
    expect(refusal({ adopt: true }, found).code).toBe('ROLE_NOT_MANAGED');
  });

  test('is a role with what only a superuser can take away, adopted, marked or not', () => {
    for (const comment of [null, ours('billing', 'writer')]) {
      const found = { roles: [roleOf(roles.writer, { comment, privileged: true })] };
      expect(refusal({ adopt: true }, found).code).toBe('ROLE_NOT_MANAGED');
    }
  });
});

test('ADOPTION_NEEDS_ADMIN is a role that Drover may not change, with the statement that lets it', () => {
  for (const comment of [null, ours('billing', 'reader')]) {
    const error = refusal(
      { adopt: true },
      { roles: [roleOf(roles.reader, { comment, administrable: false })] },
    );
    expect(error).toMatchObject({
      code: 'ADOPTION_NEEDS_ADMIN',
      retryable: false,
      details: { statements: [`GRANT "${roles.reader}" TO "${roles.acting}" WITH ADMIN OPTION`] },
    });
  }
});

test('SCHEMA_NOT_MANAGED is a schema of somebody else, unless it is to be adopted', () => {
  const found = { schema: schemaOf('drover_admin', true) };
  expect(refusal({}, found)).toMatchObject({
    code: 'SCHEMA_NOT_MANAGED',
    retryable: false,
    details: { owner: 'drover_admin' },
  });
  expect(plan({ adopt: true }, found).steps.length).toBeGreaterThan(0);
});

test('SCHEMA_NAME_CONFLICT is a schema whose name differs in case only, where ours is missing', () => {
  expect(refusal({ adopt: true }, { similar: ['Billing'] })).toMatchObject({
    code: 'SCHEMA_NAME_CONFLICT',
    retryable: false,
    details: { existing: 'Billing' },
  });
  expect(
    plan({ adopt: true }, { similar: ['Billing'], schema: schemaOf('drover_admin', true) }),
  ).toBeDefined();
});

describe('ADOPTION_NEEDS_OWNER', () => {
  test('is a schema of somebody whose privileges Drover has not', () => {
    const error = refusal({ adopt: true }, { schema: schemaOf('postgres') });
    expect(error).toMatchObject({
      code: 'ADOPTION_NEEDS_OWNER',
      retryable: false,
      details: { statements: ['ALTER SCHEMA "billing" OWNER TO "drover_admin"'] },
    });
    expect(error.message).toContain('postgres');
  });

  test('is an object of such a one in it', () => {
    const error = refusal(
      { adopt: true },
      {
        schema: { ...schemaOf('drover_admin', true), adminLacks: [] },
        objects: [tableOf('alice'), tableOf('drover_admin', true)],
      },
    );
    expect(error).toMatchObject({
      code: 'ADOPTION_NEEDS_OWNER',
      details: { statements: ['ALTER TABLE billing.invoices OWNER TO "drover_admin"'] },
    });
    expect(error.message).toContain('alice');
  });

  test('is not what came into a schema that is ours already: that is a note', () => {
    const { notes } = plan(
      { adopt: true },
      {
        schema: schemaOf(roles.owner, true),
        roles: [roleOf(roles.owner, { comment: ours('billing', 'owner') })],
        objects: [tableOf('alice')],
      },
    );
    expect(notes).toMatchObject([
      {
        code: 'FOREIGN_OBJECTS',
        statements: ['ALTER TABLE billing.invoices OWNER TO "drover_admin"'],
      },
      { code: 'MEMBERSHIP_OUT_OF_REACH' },
      { code: 'MEMBERSHIP_OUT_OF_REACH' },
    ]);
  });
});

test('CANNOT_CREATE_IN_DATABASE is a database where Drover may not create, with the statement that lets it', () => {
  const found = { database: { ...empty.database, canCreate: false } };
  expect(refusal({}, found)).toMatchObject({
    code: 'CANNOT_CREATE_IN_DATABASE',
    retryable: false,
    details: { statements: ['GRANT CREATE ON DATABASE "app" TO "drover_admin"'] },
  });
  const managed = {
    schema: schemaOf(roles.owner, true),
    roles: [roleOf(roles.owner, { comment: ours('billing', 'owner') })],
  };
  expect(plan({}, { ...found, ...managed })).toBeDefined();
});

test('PRINCIPAL_NOT_FOUND is an owner that does not exist', () => {
  expect(refusal({ owner: 'alice' }, {})).toMatchObject({
    code: 'PRINCIPAL_NOT_FOUND',
    retryable: false,
    details: { principal: 'alice' },
  });
});

describe('PRINCIPAL_NOT_ALLOWED', () => {
  const login = { login: true, superuser: false, system: false, inherit: true };

  test.each([
    ['a superuser', { ...login, superuser: true }],
    ['a role of the system', { ...login, system: true }],
    ['not a login', { ...login, login: false }],
  ])('is an owner that is %s', (why, principal) => {
    const error = refusal({ owner: 'alice' }, { principal });
    expect(error).toMatchObject({ code: 'PRINCIPAL_NOT_ALLOWED', details: { principal: 'alice' } });
    expect(error.message).toContain(why);
  });

  test('is a role of the schema itself, be it a login at the moment', () => {
    const found = { principal: login, roles: [roleOf(roles.reader, { login: true })] };
    expect(refusal({ owner: roles.reader, adopt: true }, found).code).toBe('PRINCIPAL_NOT_ALLOWED');
  });

  test('is not any other login', () => {
    expect(plan({ owner: 'alice' }, { principal: login })).toBeDefined();
  });
});

describe('CANNOT_LOCK_DATABASE', () => {
  test('is a database of somebody else, with the statements that prepare it', () => {
    expect(refusal({ lockDatabase: true }, {})).toMatchObject({
      code: 'CANNOT_LOCK_DATABASE',
      retryable: false,
      details: {
        statements: [
          'GRANT CONNECT, TEMPORARY ON DATABASE "app" TO "drover_admin" WITH GRANT OPTION',
          'GRANT CONNECT ON DATABASE "app" TO "drover_writers"',
          'REVOKE CONNECT, TEMPORARY ON DATABASE "app" FROM PUBLIC',
        ],
      },
    });
  });

  test('is a schema public of somebody else in which PUBLIC may create', () => {
    const database = { ...empty.database, usable: true, publicCanCreateInPublic: true };
    expect(refusal({ lockDatabase: true }, { database })).toMatchObject({
      code: 'CANNOT_LOCK_DATABASE',
      details: { statements: ['REVOKE CREATE ON SCHEMA public FROM PUBLIC'] },
    });
    expect(plan({ lockDatabase: true }, { database: { ...database, publicUsable: true } })).toBeDefined();
  });

  test('is not a database that is locked already and where Drover may grant', () => {
    const database = { ...empty.database, publicPrivileges: [], canGrant: ['CONNECT', 'TEMPORARY'] };
    expect(plan({ lockDatabase: true }, { database })).toBeDefined();
    expect(refusal({ lockDatabase: true }, { database: { ...database, canGrant: ['CONNECT'] } }).code).toBe(
      'CANNOT_LOCK_DATABASE',
    );
  });
});

describe('MEMBERSHIP_CYCLE', () => {
  test('is a role that is a member of what should become its member', () => {
    const found = {
      roles: [roles.reader, roles.writer].map((name) => roleOf(name)),
      within: [{ role: roles.writer, member: roles.reader }],
    };
    expect(refusal({ adopt: true }, found)).toMatchObject({
      code: 'MEMBERSHIP_CYCLE',
      retryable: false,
      details: { statements: [`REVOKE "${roles.writer}" FROM "${roles.reader}"`] },
    });
  });

  test('is one that would come about by several memberships that are yet to be granted', () => {
    const found = {
      database: { ...empty.database, publicPrivileges: [] },
      within: [{ role: roles.writer, member: roles.connect }],
    };
    expect(refusal({}, found)).toMatchObject({
      code: 'MEMBERSHIP_CYCLE',
      details: { statements: [`REVOKE "${roles.writer}" FROM "${roles.connect}"`] },
    });
  });
});
