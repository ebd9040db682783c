import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { localPassword } from '../../../local/postgres/cloudsql.ts';
import { connected, run } from '../../support/postgres.ts';
import { clientOf, main, refusalOf, startAdminApi, useAdminApi } from './fixture.ts';

const cloud = useAdminApi();

const listed = async () => (await cloud.api.users.list(main)).data.items ?? [];
const insert = (requestBody: object) => cloud.api.users.insert({ ...main, requestBody });
const make = async (requestBody: object) => cloud.ended((await insert(requestBody)).data);
const drop = async (name: string) => cloud.ended((await cloud.api.users.delete({ ...main, name })).data);

/** What PostgreSQL knows of a role. */
async function role(name: string): Promise<Record<string, unknown> | undefined> {
  return connected(cloud.cluster.superuserUrl(), async (client) => {
    const { rows } = await client.query(
      `SELECT rolcanlogin AS login, rolcreaterole AS createrole, rolcreatedb AS createdb,
              array(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid) AS "memberOf"
         FROM pg_roles r WHERE rolname = $1`,
      [name],
    );
    return rows[0];
  });
}

async function whoAmI(user: string, password: string): Promise<string> {
  return connected(cloud.cluster.url(user, password), async (client) => {
    return (await client.query('SELECT session_user AS who')).rows[0].who;
  });
}

describe('users.list', () => {
  test('shows who can log in, and groups, but not the roles of the server', async () => {
    await run(
      cloud.cluster.adminUrl(),
      `CREATE ROLE "made-by-sql" LOGIN PASSWORD 'x'`,
      'CREATE ROLE "a-group-by-sql" NOLOGIN',
    );
    await cloud.cluster.createLogin('listed@acme-dev.iam', 'iam');
    await make({ name: 'listed@acme.com', type: 'CLOUD_IAM_USER' });
    await make({ name: 'listed-group@acme.com', type: 'CLOUD_IAM_GROUP' });

    const { data } = await cloud.api.users.list(main);

    const users = Object.fromEntries((data.items ?? []).map(({ name, type }) => [name, type]));
    expect(data.kind).toBe('sql#usersList');
    expect(users).toEqual({
      'made-by-sql': undefined,
      postgres: undefined,
      'listed@acme-dev.iam': 'CLOUD_IAM_SERVICE_ACCOUNT',
      'listed@acme.com': 'CLOUD_IAM_USER',
      'listed-group@acme.com': 'CLOUD_IAM_GROUP',
    });
  });

  test('has the resource’s real fields, where a type that is BUILT_IN is left out', async () => {
    const postgres = (await listed()).find(({ name }) => name === 'postgres');

    expect(postgres).toEqual({
      kind: 'sql#user',
      etag: expect.stringMatching(/^[0-9a-f]{64}$/),
      name: 'postgres',
      host: '',
      instance: 'main',
      project: 'acme-dev',
    });
  });

  test('a role that is only a member of an IAM user’s role isn’t an IAM user', async () => {
    await make({ name: 'parent@acme.com', type: 'CLOUD_IAM_USER' });
    await run(cloud.cluster.superuserUrl(), `CREATE ROLE "child" LOGIN IN ROLE "parent@acme.com"`);

    expect((await listed()).find(({ name }) => name === 'child')).not.toHaveProperty('type');
  });
});

describe('users.get', () => {
  test('gives one user', async () => {
    expect((await cloud.api.users.get({ ...main, name: 'postgres' })).data.name).toBe('postgres');
  });

  test('an unknown user is 404', async () => {
    expect(await refusalOf(cloud.api.users.get({ ...main, name: 'nobody' }))).toMatchObject({ status: 404 });
  });
});

describe('users.insert', () => {
  test.for([
    ['CLOUD_IAM_USER', 'alice@acme.com', { login: true, memberOf: ['cloudsqliamuser'] }],
    [
      'CLOUD_IAM_SERVICE_ACCOUNT',
      'app@acme-dev.iam',
      { login: true, memberOf: ['cloudsqliamserviceaccount'] },
    ],
    ['CLOUD_IAM_GROUP', 'team@acme.com', { login: false, memberOf: ['cloudsqliamgroup'] }],
  ] as const)('makes a %s, who is no admin', async ([type, name, expected]) => {
    const operation = await make({ name, type });

    expect(operation.error).toBeUndefined();
    expect(await role(name)).toEqual({ createrole: false, createdb: false, ...expected });
    expect((await listed()).find((user) => user.name === name)?.type).toBe(type);
  });

  test('makes a login with a password an admin like postgres', async () => {
    await make({ name: 'app', password: 'correct horse' });

    expect(await role('app')).toEqual({
      login: true,
      createrole: true,
      createdb: true,
      memberOf: ['cloudsqlsuperuser'],
    });
    expect(await whoAmI('app', 'correct horse')).toBe('app');
  });

  test('gives a login that exists its new password', async () => {
    await make({ name: 'changing', password: 'first' });

    await make({ name: 'changing', password: 'second' });

    expect(await whoAmI('changing', 'second')).toBe('changing');
    await expect(whoAmI('changing', 'first')).rejects.toMatchObject({ code: '28P01' });
  });

  test('names of IAM principals become lower case', async () => {
    await make({ name: 'Bob@Acme.com', type: 'CLOUD_IAM_USER' });

    expect(await role('bob@acme.com')).toBeDefined();
  });

  test('an IAM login has the password that the instance’s settings name', async () => {
    await make({ name: 'local@acme.com', type: 'CLOUD_IAM_USER' });

    expect(await whoAmI('local@acme.com', localPassword)).toBe('local@acme.com');
  });

  test('answers an operation about the instance, which ends later', async () => {
    const { data } = await insert({ name: 'later@acme.com', type: 'CLOUD_IAM_USER' });
    const operation = await cloud.ended(data);

    const url = `${cloud.server.url}/sql/v1beta4/projects/acme-dev`;
    const always = {
      kind: 'sql#operation',
      operationType: 'CREATE_USER',
      name: expect.stringMatching(/^[0-9a-f-]{36}$/),
      targetId: 'main',
      targetProject: 'acme-dev',
      targetLink: `${url}/instances/main`,
      selfLink: `${url}/operations/${data.name}`,
      user: 'drover-test@acme-dev.iam.gserviceaccount.com',
      insertTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    };
    expect(data).toEqual({ ...always, status: 'PENDING' });
    expect(operation).toEqual({
      ...always,
      status: 'DONE',
      startTime: expect.any(String),
      endTime: expect.any(String),
    });
  });

  test.for([
    [
      'an IAM user who exists',
      { name: 'exists@acme.com', type: 'CLOUD_IAM_USER' },
      /exists with the same name/,
    ],
    [
      'a login by the name of an IAM user',
      { name: 'exists@acme.com', password: 'x' },
      /exists with the same name/,
    ],
    [
      'an IAM user by the name of a login',
      { name: 'by@sql', type: 'CLOUD_IAM_USER' },
      /exists with the same name/,
    ],
    [
      'an IAM user with a password',
      { name: 'a@b.c', type: 'CLOUD_IAM_USER', password: 'x' },
      /password or hostname/,
    ],
    ['an IAM user who has no address', { name: 'alice', type: 'CLOUD_IAM_USER' }, /not in valid format/],
    [
      'a service account by its whole address',
      { name: 'a@p.iam.gserviceaccount.com', type: 'CLOUD_IAM_SERVICE_ACCOUNT' },
      /without "\.gserviceaccount\.com" suffix/,
    ],
  ] as const)('refuses %s', async ([, body, message]) => {
    await make({ name: 'exists@acme.com', type: 'CLOUD_IAM_USER' }).catch(() => undefined);
    await run(cloud.cluster.adminUrl(), 'CREATE ROLE "by@sql" LOGIN').catch(() => undefined);

    const refusal = await refusalOf(insert(body));

    expect(refusal).toEqual({ status: 400, reason: 'invalid', message: expect.stringMatching(message) });
    expect(refusal.message).toMatch(/^Invalid request: /);
  });

  test.for([
    ['a type', { name: 'x', type: 'ENTRAID_USER' }],
    ['a field', { name: 'x', databaseRoles: ['pg_monitor'] }],
  ] as const)('%s that isn’t here answers 501', async ([, body]) => {
    expect(await refusalOf(insert(body))).toMatchObject({ status: 501 });
  });
});

describe('users.delete', () => {
  test('drops the role, whatever it is a member of', async () => {
    await make({ name: 'leaving@acme.com', type: 'CLOUD_IAM_USER' });
    await run(cloud.cluster.adminUrl(), 'CREATE ROLE readers', 'GRANT readers TO "leaving@acme.com"');

    const operation = await drop('leaving@acme.com');

    expect(operation).toMatchObject({ operationType: 'DELETE_USER', status: 'DONE' });
    expect(operation).not.toHaveProperty('error');
    expect(await role('leaving@acme.com')).toBeUndefined();
  });

  test('a user who doesn’t exist is 404, and so is a role that is no user', async () => {
    for (const name of ['nobody', 'cloudsqlsuperuser', 'cloudsqladmin']) {
      expect(await refusalOf(cloud.api.users.delete({ ...main, name })), name).toMatchObject({ status: 404 });
    }
  });

  async function makeOwner(name: string): Promise<void> {
    await make({ name, type: 'CLOUD_IAM_USER' });
    await run(
      cloud.cluster.superuserUrl(),
      `CREATE TABLE ${pg.escapeIdentifier(name)} ()`,
      `ALTER TABLE ${pg.escapeIdentifier(name)} OWNER TO ${pg.escapeIdentifier(name)}`,
    );
  }

  test('of an owner ends with an error that has PostgreSQL’s words', async () => {
    await makeOwner('owner@acme.com');

    const operation = await drop('owner@acme.com');

    expect(operation.error).toEqual({
      kind: 'sql#operationErrors',
      errors: [
        {
          kind: 'sql#operationError',
          code: 'INTERNAL_ERROR',
          message:
            'failed to delete user owner@acme.com: . role "owner@acme.com" cannot be dropped because some objects depend on it Details: owner of table "owner@acme.com".',
        },
      ],
    });
    expect(await role('owner@acme.com')).toBeDefined();
  });

  test('of an owner is refused with the same words where answers come when it is done', async () => {
    await makeOwner('owner2@acme.com');
    const server = await startAdminApi(cloud.cluster, { answersWhenDone: true });

    const refusal = await refusalOf(
      clientOf(server).users.delete({ ...main, name: 'owner2@acme.com' }),
    ).finally(() => server.close());

    expect(refusal).toEqual({
      status: 400,
      reason: 'invalid',
      message: expect.stringMatching(/^Invalid request: failed to delete user .* cannot be dropped/),
    });
  });

  test('of someone with a privilege ends with that error, too', async () => {
    await make({ name: 'granted@acme.com', type: 'CLOUD_IAM_USER' });
    await run(cloud.cluster.superuserUrl(), 'GRANT CREATE ON DATABASE postgres TO "granted@acme.com"');

    const operation = await drop('granted@acme.com');

    expect(operation.error?.errors?.[0]?.message).toContain('privileges for database postgres');
  });
});

test('answers come when all is done, where that is asked for', async () => {
  const server = await startAdminApi(cloud.cluster, { answersWhenDone: true });

  const { data } = await clientOf(server)
    .users.insert({ ...main, requestBody: { name: 'atonce@acme.com', type: 'CLOUD_IAM_USER' } })
    .finally(() => server.close());

  expect(data.status).toBe('DONE');
  expect(await role('atonce@acme.com')).toBeDefined();
});
