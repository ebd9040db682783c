import { afterEach, describe, expect, it } from 'vitest';
import { ApiError } from '../../local/http/api-error.ts';
import type { InterceptedCall } from '../../local/http/interceptor.ts';
import { at, login, member, useGrants, user } from './grants.ts';
import { presentIn } from './members.ts';

// Far more calls than the tests make, so that none has to wait.
const environment = { DROVER_ADMIN_API_PER_MINUTE: '1000' };

const cloud = useGrants({ environment }, async ({ query, createSchema, send }) => {
  await query(
    `CREATE ROLE alice LOGIN;
     CREATE ROLE boss LOGIN SUPERUSER;
     CREATE ROLE "ann@acme.com" LOGIN IN ROLE cloudsqliamuser;
     CREATE ROLE app__billing__support;
     CREATE SCHEMA handmade`,
  );
  for (const schema of ['billing', 'other']) await createSchema('app', schema);
  const customRoles = [{ name: 'support', version: 1 }];
  await send({ schema: 'other', mode: 'add', grants: [], customRoles });
});
const { send, begin, members, registry, query } = cloud;

afterEach(() => {
  if (cloud.stack.sqladmin) cloud.stack.sqladmin.intercept = undefined;
});

describe('IAM principals', () => {
  const expected = ['reader robot@acme-dev.iam', 'reader team@acme.com', 'writer zoe@acme.com'];

  it('become users of the instance where the message says so', async () => {
    await begin([]);
    const grants = [
      user('Zoe@Acme.com', 'writer'),
      { principal: 'robot@acme-dev.iam.gserviceaccount.com', kind: 'iam-service-account', level: 'reader' },
      { principal: 'team@acme.com', kind: 'iam-group', level: 'reader' },
    ];
    const refused = await send({ mode: 'add', grants });
    expect(refused).toMatchObject({
      state: 'failed',
      error: {
        code: 'PRINCIPAL_NOT_FOUND',
        details: { problems: [0, 1, 2].map((index) => ({ path: `data.grants[${index}].principal` })) },
      },
    });

    const record = await send({ mode: 'add', createMissing: true, grants });
    expect(record).toMatchObject({ state: 'succeeded', summary: { granted: 3, revoked: 0, kept: 0 } });
    expect(record.changes?.filter(({ kind }) => kind === 'user')).toEqual([
      { action: 'create', kind: 'user', name: 'zoe@acme.com', detail: 'IAM user' },
      { action: 'create', kind: 'user', name: 'robot@acme-dev.iam', detail: 'IAM service account' },
      { action: 'create', kind: 'user', name: 'team@acme.com', detail: 'IAM group' },
    ]);
    expect(await members()).toEqual(expected);
    expect(await listedUsers()).toMatchObject({
      'zoe@acme.com': 'CLOUD_IAM_USER',
      'robot@acme-dev.iam': 'CLOUD_IAM_SERVICE_ACCOUNT',
      'team@acme.com': 'CLOUD_IAM_GROUP',
    });
    const again = await send({ mode: 'exact', createMissing: true, grants });
    expect(again).toMatchObject({ state: 'succeeded', changes: [], summary: { kept: 3 } });
  });

  it('are created once, though the answer is lost while the creation is under way', async () => {
    let inserted = 0;
    intercept(({ method, phase }) => {
      if (method !== 'users.insert' || phase !== 'after') return;
      inserted += 1;
      throw new ApiError(503, 'backendError', 'lost by the test');
    });
    const record = await send({ mode: 'add', createMissing: true, grants: [user('late@acme.com')] });

    expect(record).toMatchObject({ state: 'succeeded', summary: { granted: 1 } });
    expect(inserted).toBe(1);
    expect(record.epoch).toBeGreaterThan(1);
    expect(await members()).toContain('reader late@acme.com');
  });

  const support = { name: 'support', version: 1 };

  it.each([
    {
      what: 'a login that does not exist',
      more: login('nobody_here', 'reader'),
      code: 'PRINCIPAL_NOT_FOUND',
    },
    { what: 'a superuser', more: login('boss', 'reader'), code: 'PRINCIPAL_NOT_ALLOWED' },
    {
      what: 'an IAM user as a group',
      more: { ...user('ann@acme.com'), kind: 'iam-group' },
      code: 'PRINCIPAL_KIND_MISMATCH',
    },
    { what: 'a custom role that is not defined', more: member('alice', 'none'), code: 'LEVEL_NOT_FOUND' },
    {
      what: 'a grant that is over',
      more: login('alice', 'reader', { expiresAt: '2026-01-01T00:00:00Z' }),
      code: 'EXPIRY_PAST',
    },
    { what: 'a schema that is not managed', message: { schema: 'handmade' }, code: 'SCHEMA_NOT_MANAGED' },
    {
      what: 'a custom role whose name somebody took',
      message: { customRoles: [support] },
      code: 'ROLE_NOT_MANAGED',
    },
    {
      what: 'a definition that is not the version’s',
      message: { schema: 'other', customRoles: [{ ...support, inherits: ['reader'] }] },
      code: 'ROLE_VERSION_CONFLICT',
    },
  ])('are not created for a message that is refused: $what', async ({ more, message, code }) => {
    const before = await listedUsers();
    const name = `${code.toLowerCase()}@acme.com`;
    const grants = [user(name), ...(more ? [more] : [])];

    const record = await send({ mode: 'add', createMissing: true, grants, ...message });

    expect(record).toMatchObject({ state: 'failed', error: { code } });
    expect(await listedUsers()).toEqual(before);
    expect(await query(`SELECT FROM pg_roles WHERE rolname = '${name}'`)).toEqual([]);
  });

  it('are created once for a message that names them twice', async () => {
    const schema = 'other';
    const grants = [user('twice@acme.com'), user('twice@acme.com', 'writer')];
    const record = await send({ schema, mode: 'add', createMissing: true, grants });
    expect(record.changes?.filter(({ kind }) => kind === 'user')).toMatchObject([{ name: 'twice@acme.com' }]);
    expect(await members(schema)).toEqual(['reader twice@acme.com', 'writer twice@acme.com']);
  });

  it('are not created for what a message says too late', async () => {
    const schema = 'other';
    await send({ schema, mode: 'revoke', grants: [user('late_too@acme.com')] }, at(2));

    const grants = [user('late_too@acme.com'), login('alice', 'analyst')];
    const late = await send({ schema, mode: 'add', createMissing: true, grants }, at(1));

    expect(late).toMatchObject({
      state: 'succeeded',
      changes: [{ kind: 'membership', detail: 'to alice' }],
      notes: [{ code: 'SUPERSEDED', message: expect.stringContaining('reader:late_too@acme.com') }],
    });
    expect(await listedUsers()).not.toHaveProperty(['late_too@acme.com']);
  });

  const keep = [login('alice', 'reader'), user('ann@acme.com', 'writer')];

  /** A principal of which the function can't know yet: it has to ask. */
  async function stranger(name: string) {
    await query(`CREATE ROLE "${name}" LOGIN IN ROLE cloudsqliamuser`);
    return user(name);
  }

  const faults: { what: string; name: string; fault: (answer: Record<string, unknown>) => void }[] = [
    {
      what: 'is truncated',
      name: 'truncated',
      fault: (answer) => {
        const items = answer['items'] as object[];
        Object.assign(answer, { items: items.slice(0, 1), nextPageToken: 'more' });
      },
    },
    {
      what: 'is empty',
      name: 'empty',
      fault: (answer) => {
        delete answer['items'];
      },
    },
    {
      what: 'fails',
      name: 'failing',
      fault: () => {
        throw new ApiError(429, 'rateLimitExceeded', 'too often');
      },
    },
  ];

  it.each(faults)('keep what they have while the answer of the Admin API $what', async ({ name, fault }) => {
    await begin(keep);
    const grants = [...keep, await stranger(`${name}@acme.com`)];
    const before = await members();
    const seen: string[][] = [];
    intercept(async ({ method, phase, answer = {} }) => {
      if (method !== 'users.list' || phase !== 'after' || seen.length === 3) return;
      seen.push(await members());
      fault(answer);
    });
    const record = await send({ mode: 'exact', grants });

    expect(seen).toEqual([before, before, before]);
    expect(record).toMatchObject({
      state: 'succeeded',
      epoch: 4,
      summary: { granted: 1, revoked: 0, kept: 2 },
    });
    expect(await members()).toEqual([...before, `reader ${name}@acme.com`].sort());
  });

  it('keep what they have while the Admin API does not answer', async () => {
    await begin(keep);
    const before = await members();
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const slow = await stranger('slow@acme.com');
    intercept(({ method, phase }) => {
      if (method !== 'users.list' || phase !== 'before') return undefined;
      asked.resolve();
      return answer.promise;
    });
    const sending = send({ mode: 'exact', grants: [slow] });
    await asked.promise;

    expect(await members()).toEqual(before);
    answer.resolve();
    expect(await sending).toMatchObject({
      state: 'succeeded',
      epoch: 1,
      summary: { granted: 1, revoked: 2 },
    });
  });

  it('are not forgotten where somebody is missing from a list that does not say so', async () => {
    await begin(keep);
    const before = await members();
    const unlisted = await stranger('unlisted@acme.com');
    intercept(({ method, phase, answer }) => {
      if (method !== 'users.list' || phase !== 'after' || !answer) return;
      const items = answer['items'] as { name: string }[];
      answer['items'] = items.filter((one) => one.name !== unlisted.principal);
    });
    const record = await send({ mode: 'exact', grants: [...keep, unlisted] });

    expect(record).toMatchObject({
      state: 'failed',
      error: { code: 'PRINCIPAL_NOT_FOUND', details: { problems: [{ path: 'data.grants[2].principal' }] } },
    });
    expect(await members()).toEqual(before);
    expect(presentIn(await registry())).toEqual(before);
  });
});

function intercept(by: (call: InterceptedCall) => void | Promise<void>): void {
  if (!cloud.stack.sqladmin) throw new Error('the test needs the local Admin API');
  cloud.stack.sqladmin.intercept = by;
}

/** What the Admin API says itself, by its REST interface. */
async function listedUsers(): Promise<Record<string, string | undefined>> {
  const { url = '' } = cloud.stack.sqladmin ?? {};
  const form = { method: 'POST', body: new URLSearchParams({ subject_token: 'test' }) };
  const { access_token: token } = (await (await fetch(`${url}/token`, form)).json()) as {
    access_token: string;
  };
  const response = await fetch(`${url}/v1/projects/acme-dev/instances/main/users`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const { items } = (await response.json()) as { items: { name: string; type?: string }[] };
  return Object.fromEntries(items.map(({ name, type }) => [name, type]));
}
