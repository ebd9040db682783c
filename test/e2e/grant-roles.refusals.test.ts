import { beforeAll, describe, expect, it } from 'vitest';
import { localInstance } from '../../local/stack.ts';
import { permissivePolicy, target } from '../support/stack.ts';
import { login, member, useGrants, user } from './grants.ts';

const policy = {
  rules: [
    ...permissivePolicy.rules,
    { functions: ['create-schema'], targets: [`${localInstance}/strict`], levels: ['writer', 'reader'] },
    {
      functions: ['grant-roles'],
      targets: [`${localInstance}/strict`],
      levels: ['reader', 'custom:auditor'],
      principals: ['a*', '*@acme.com'],
      actions: [],
      longestGrantHours: 24,
    },
  ],
};

const { send, begin, members, everything } = useGrants(
  { databases: { open: ['app', 'strict'] }, policy },
  async ({ query, createSchema }) => {
    await query(
      `CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE dave LOGIN; CREATE ROLE a_b LOGIN;
       CREATE ROLE boss LOGIN SUPERUSER;
       CREATE ROLE copier LOGIN REPLICATION;
       CREATE ROLE seer LOGIN BYPASSRLS;
       CREATE ROLE team NOLOGIN;
       CREATE ROLE "ann@acme.com" LOGIN IN ROLE cloudsqliamuser`,
    );
    await query('CREATE SCHEMA handmade');
    await Promise.all([
      createSchema('app', 'billing'),
      createSchema('app', 'lean', { levels: ['reader'] }),
      createSchema('strict', 'billing', { levels: ['writer', 'reader'] }),
    ]);
  },
);

describe('a message that can not be done', () => {
  const add = (...grants: object[]) => ({ mode: 'add', grants });
  const strict = { target: target('strict') };
  const hours = (count: number) => new Date(Date.now() + count * 3_600_000).toISOString();

  interface BadInput {
    readonly what: string;
    readonly message: () => object;
    readonly code: string;
    /** Where, or for the policy: what is missing. */
    readonly place: unknown;
  }
  const table: readonly BadInput[] = [
    {
      what: 'exactly nobody',
      message: () => ({ mode: 'exact', grants: [] }),
      code: 'INVALID_MESSAGE',
      place: 'data.grants',
    },
    {
      what: '101 grants',
      message: () => add(...Array.from({ length: 101 }, (_, n) => login(`crowd_${n}`, 'reader'))),
      code: 'INVALID_MESSAGE',
      place: 'data.grants',
    },
    ...['pg_read_all_data', 'postgres', 'cloudsqlsuperuser', 'drover_admin_07', 'public'].map((name) => ({
      what: `the system role ${name}`,
      message: () => add(login('alice', 'reader'), login(name, 'reader')),
      code: 'INVALID_MESSAGE',
      place: 'data.grants[1].principal',
    })),
    ...['boss', 'copier', 'seer', 'team', 'app__lean__reader', 'drover-create-schema@acme-dev.iam'].map(
      (name) => ({
        what: `a role that is no principal: ${name}`,
        message: () => add(login('alice', 'reader'), login(name, 'reader')),
        code: 'PRINCIPAL_NOT_ALLOWED',
        place: 'data.grants[1].principal',
      }),
    ),
    {
      what: 'a login that does not exist',
      message: () => add(login('alice', 'reader'), login('nobody_here', 'reader')),
      code: 'PRINCIPAL_NOT_FOUND',
      place: 'data.grants[1].principal',
    },
    {
      what: 'an IAM user that does not exist, exactly',
      message: () => ({ mode: 'exact', grants: [user('nobody@acme.com')] }),
      code: 'PRINCIPAL_NOT_FOUND',
      place: 'data.grants[0].principal',
    },
    {
      what: 'an IAM user as a login',
      message: () => add(login('ann@acme.com', 'reader')),
      code: 'PRINCIPAL_KIND_MISMATCH',
      place: 'data.grants[0].principal',
    },
    {
      what: 'an IAM user as a group',
      message: () => add({ principal: 'ann@acme.com', kind: 'iam-group', level: 'reader' }),
      code: 'PRINCIPAL_KIND_MISMATCH',
      place: 'data.grants[0].principal',
    },
    {
      what: 'an end that is over',
      message: () => add(login('alice', 'reader'), login('bob', 'reader', { expiresAt: hours(-1 / 3600) })),
      code: 'EXPIRY_PAST',
      place: 'data.grants[1].expiresAt',
    },
    {
      what: 'a level that the schema does not have',
      message: () => ({ schema: 'lean', ...add(login('alice', 'reader'), login('bob', 'writer')) }),
      code: 'LEVEL_NOT_FOUND',
      place: 'data.grants[1].level',
    },
    {
      what: 'a custom role that nobody defined',
      message: () => add(member('alice', 'auditor')),
      code: 'LEVEL_NOT_FOUND',
      place: 'data.grants[0].customRole',
    },
    {
      what: 'a schema that Drover does not manage',
      message: () => ({ schema: 'handmade', ...add(login('alice', 'reader')) }),
      code: 'SCHEMA_NOT_MANAGED',
      place: 'data.schema',
    },
    {
      what: 'a schema that does not exist',
      message: () => ({ schema: 'missing', ...add(login('alice', 'reader')) }),
      code: 'SCHEMA_NOT_MANAGED',
      place: 'data.schema',
    },
    {
      what: 'a level that the policy does not allow',
      message: () => ({ ...strict, ...add(login('alice', 'writer', { expiresAt: hours(1) })) }),
      code: 'NOT_ALLOWED',
      place: ['level writer'],
    },
    {
      what: 'a principal that the policy does not name',
      message: () => ({ ...strict, ...add(login('bob', 'reader', { expiresAt: hours(1) })) }),
      code: 'NOT_ALLOWED',
      place: ['principal bob'],
    },
    {
      what: 'a custom role that the policy does not name',
      message: () => ({ ...strict, ...add(member('alice', 'support', { expiresAt: hours(1) })) }),
      code: 'NOT_ALLOWED',
      place: ['level custom:support'],
    },
    {
      what: 'a custom role that the policy names, and nobody defined',
      message: () => ({ ...strict, ...add(member('alice', 'auditor', { expiresAt: hours(1) })) }),
      code: 'LEVEL_NOT_FOUND',
      place: 'data.grants[0].customRole',
    },
    {
      what: 'the definition of a custom role that the policy lets grant only',
      message: () => ({
        ...strict,
        ...add(),
        customRoles: [
          { name: 'auditor', version: 1, inherits: ['reader', 'writer'], native: ['pg_monitor'] },
        ],
      }),
      code: 'NOT_ALLOWED',
      place: ['level writer', 'customRoles', 'native:pg_monitor'],
    },
    {
      what: 'exactness where the policy does not allow it',
      message: () => ({
        ...strict,
        mode: 'exact',
        grants: [login('alice', 'reader', { expiresAt: hours(1) })],
      }),
      code: 'NOT_ALLOWED',
      place: ['exact'],
    },
    {
      what: 'creation where the policy does not allow it',
      message: () => ({
        ...strict,
        createMissing: true,
        ...add({ ...user('new@acme.com'), expiresAt: hours(1) }),
      }),
      code: 'NOT_ALLOWED',
      place: ['createMissing'],
    },
    {
      what: 'offboarding where the policy does not allow it',
      message: () => ({
        ...strict,
        schema: undefined,
        mode: 'offboard',
        grants: [{ principal: 'alice', kind: 'login' }],
      }),
      code: 'NOT_ALLOWED',
      place: ['offboard'],
    },
    ...[25, undefined].map((end) => ({
      what: `a grant for ${end ?? 'more than all'} hours where the policy allows 24`,
      message: () => ({
        ...strict,
        ...add(
          login('alice', 'reader', { expiresAt: hours(1) }),
          login('a_b', 'reader', end === undefined ? {} : { expiresAt: hours(end) }),
        ),
      }),
      code: 'NOT_ALLOWED',
      place: ['grants for more than 24 hours'],
    })),
    {
      what: 'a database that no rule names',
      message: () => ({ target: target('postgres'), ...add(login('alice', 'reader')) }),
      code: 'NOT_ALLOWED',
      place: undefined,
    },
  ];

  let before: unknown;

  beforeAll(async () => {
    await begin([login('dave', 'reader')]);
    await begin([], 'lean');
    before = await everything();
  });

  it.each(table)('changes nothing and says why and where: $what', async ({ message, code, place }) => {
    const record = await send(message());

    expect(record).toMatchObject({ state: 'failed', error: { code } });
    const details = record.error?.details ?? {};
    const problems = details['problems'] as { path: string }[] | undefined;
    const said = problems ? problems.map(({ path }) => path) : [details['place'] ?? details['missing']];
    expect(said).toEqual([place]);
    expect(await everything()).toEqual(before);
  });

  it('tells all that is wrong at once', async () => {
    const past = { expiresAt: hours(-1) };
    const record = await send({
      schema: 'lean',
      ...add(login('boss', 'writer', past), login('no_one', 'reader')),
    });
    expect(record.error).toMatchObject({
      code: 'LEVEL_NOT_FOUND',
      details: {
        problems: [
          { code: 'LEVEL_NOT_FOUND', path: 'data.grants[0].level' },
          { code: 'EXPIRY_PAST', path: 'data.grants[0].expiresAt' },
          { code: 'PRINCIPAL_NOT_ALLOWED', path: 'data.grants[0].principal' },
          { code: 'PRINCIPAL_NOT_FOUND', path: 'data.grants[1].principal' },
        ],
      },
    });
  });

  it('is allowed within the limits of the policy', async () => {
    const record = await send({ ...strict, ...add(login('alice', 'reader', { expiresAt: hours(23) })) });
    expect(record).toMatchObject({ state: 'succeeded' });
    expect(await members('billing', 'strict')).toEqual(['reader alice']);
    const revoked = await send({ ...strict, mode: 'revoke', grants: [login('alice', 'reader')] });
    expect(revoked, 'who takes something back grants nothing for ever').toMatchObject({ state: 'succeeded' });
    expect(await members('billing', 'strict')).toEqual([]);
  });
});
