import { createServer } from 'node:http';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { ApiError } from '../../../local/http/api-error.ts';
import { credentialsAt } from '../../../local/sqladmin/tokens.ts';
import { instance, main, principal, startAdminApi } from '../../local/sqladmin/fixture.ts';
import { run } from '../../support/postgres.ts';
import { signal, thrownBy, useAdapter, watch } from './sqladmin/fixture.ts';

const cloud = useAdapter();

/** Changes every answer of a method. */
function changeAnswers(of: string, change: (answer: Record<string, unknown>) => void): void {
  cloud.server.intercept = ({ method, answer }) => {
    if (method === of && answer) change(answer);
  };
}

describe('the users of an instance', () => {
  test('are told by name and kind', async () => {
    for (const [name, type] of [
      ['alice@acme.com', 'CLOUD_IAM_USER'],
      ['app@acme-dev.iam', 'CLOUD_IAM_SERVICE_ACCOUNT'],
      ['team@acme.com', 'CLOUD_IAM_GROUP'],
    ] as const) {
      await cloud.ended((await cloud.api.users.insert({ ...main, requestBody: { name, type } })).data);
    }
    await run(cloud.cluster.adminUrl(), 'CREATE ROLE "made-by-sql" LOGIN');

    const users = await cloud.adapter().users({ signal });

    expect(Object.fromEntries([...users].map(([name, user]) => [name, user.kind]))).toEqual({
      'alice@acme.com': 'iam-user',
      'app@acme-dev.iam': 'iam-service-account',
      'team@acme.com': 'iam-group',
      'made-by-sql': 'login',
      postgres: 'login',
    });
    expect(users.get('alice@acme.com')).toEqual({ name: 'alice@acme.com', kind: 'iam-user' });
  });

  test.for([
    ['BUILT_IN', 'login'],
    ['CLOUD_IAM_GROUP_USER', 'iam-user'],
    ['CLOUD_IAM_GROUP_SERVICE_ACCOUNT', 'iam-service-account'],
    ['CLOUD_IAM_WORKFORCE_IDENTITY', 'other'],
  ])('of the type %s are %s', async ([type, kind]) => {
    changeAnswers('users.list', (answer) => Object.assign(answer, { items: [{ name: 'x', type }] }));

    expect(await cloud.adapter().users({ signal })).toEqual(new Map([['x', { name: 'x', kind }]]));
  });

  test.for([
    ['a next page', { nextPageToken: 'more' }],
    ['warnings', { warnings: [{ code: 'REGION_UNREACHABLE' }] }],
    ['an empty list', { items: [] }],
    ['no list', { items: undefined }],
    ['a user without a name', { items: [{ name: 'postgres' }, {}] }],
  ] as const)('are an error where the answer has %s', async ([, change]) => {
    changeAnswers('users.list', (answer) => Object.assign(answer, change));

    const error = await thrownBy(cloud.adapter().users({ signal, maxAgeMs: 60_000 }));

    expect(error).toMatchObject({ code: 'ADMIN_API_INCOMPLETE', retryable: true });
  });

  test('an incomplete answer isn’t kept', async () => {
    const adapter = cloud.adapter();
    changeAnswers('users.list', (answer) => delete answer['items']);
    await thrownBy(adapter.users({ signal }));
    cloud.server.intercept = undefined;

    expect((await adapter.users({ signal, maxAgeMs: 60_000 })).has('postgres')).toBe(true);
  });

  test('are asked for once by those who ask at a time', async () => {
    const calls = watch(cloud.server);
    const adapter = cloud.adapter();

    const answers = await Promise.all(Array.from({ length: 10 }, () => adapter.users({ signal })));
    await adapter.users({ signal });

    expect(new Set(answers).size).toBe(1);
    expect(calls).toEqual(['users.list', 'users.list']);
  });

  test('are told to the others when one who asked goes away', async () => {
    const going = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    watch(cloud.server, () => {
      asked.resolve();
      return going.promise;
    });
    const adapter = cloud.adapter();
    const controller = new AbortController();
    const impatient = adapter.users({ signal: controller.signal });
    const patient = adapter.users({ signal });
    await asked.promise;

    controller.abort(new Error('gone'));
    const error = await thrownBy(impatient);
    going.resolve();

    expect(error).toMatchObject({ message: 'gone' });
    expect((await patient).has('postgres')).toBe(true);
  });

  test('are asked for anew after all who asked have gone', async () => {
    const asked = Promise.withResolvers<void>();
    watch(cloud.server, () => {
      asked.resolve();
      return new Promise<void>(() => undefined);
    });
    const adapter = cloud.adapter();
    const controller = new AbortController();
    const impatient = adapter.users({ signal: controller.signal });
    await asked.promise;
    controller.abort(new Error('gone'));
    await thrownBy(impatient);
    cloud.server.intercept = undefined;

    expect((await adapter.users({ signal })).has('postgres')).toBe(true);
  });

  test('may be as old as the caller says', async () => {
    const calls = watch(cloud.server);
    let now = 0;
    const adapter = cloud.adapter({ now: () => now });
    await adapter.users({ signal });

    now = 999;
    await adapter.users({ signal, maxAgeMs: 1000 });
    const before = calls.length;
    now = 1000;
    await adapter.users({ signal, maxAgeMs: 1000 });

    expect([before, calls.length]).toEqual([1, 2]);
  });
});

describe('the databases of an instance', () => {
  test('are told by name', async () => {
    await cloud.cluster.createDatabase('app');

    expect(await cloud.adapter().databases({ signal })).toEqual(['app', 'postgres']);
  });

  test('are an error where the answer is empty', async () => {
    changeAnswers('databases.list', (answer) => delete answer['items']);

    const error = await thrownBy(cloud.adapter().databases({ signal }));

    expect(error).toMatchObject({ code: 'ADMIN_API_INCOMPLETE', retryable: true });
  });
});

describe('a refusal', () => {
  test.for([
    [new ApiError(429, 'rateLimitExceeded', 'Quota exceeded'), 'GOOGLE_RESOURCE_EXHAUSTED', true],
    [new ApiError(403, 'rateLimitExceeded', 'Quota exceeded'), 'GOOGLE_RESOURCE_EXHAUSTED', true],
    [new ApiError(503, 'backendError', 'down'), 'GOOGLE_UNAVAILABLE', true],
    [new ApiError(500, 'internalError', 'oops'), 'GOOGLE_INTERNAL', true],
    [new ApiError(504, 'timeout', 'late'), 'GOOGLE_DEADLINE_EXCEEDED', true],
    [new ApiError(401, 'authError', 'Invalid Credentials'), 'GOOGLE_UNAUTHENTICATED', true],
    [new ApiError(403, 'notAuthorized', 'not authorized'), 'GOOGLE_PERMISSION_DENIED', false],
    [new ApiError(404, 'instanceDoesNotExist', 'not there'), 'INSTANCE_NOT_FOUND', false],
    [new ApiError(400, 'invalid', 'Invalid request'), 'GOOGLE_INVALID_ARGUMENT', false],
  ] as const)(
    'by %s becomes %s, and nothing is repeated behind our back',
    async ([refusal, code, retryable]) => {
      const calls = watch(cloud.server, () => {
        throw refusal;
      });
      const adapter = cloud.adapter();

      const error = await thrownBy(adapter.users({ signal }));
      cloud.server.intercept = undefined;

      expect(error).toMatchObject({ code, retryable, message: expect.stringContaining(refusal.message) });
      expect(error).toMatchObject({ message: expect.stringContaining(instance) });
      expect(calls).toEqual(['users.list']);
      // What was wrong is over: so is the error.
      expect((await adapter.users({ signal })).has('postgres')).toBe(true);
    },
  );

  test('of the service account says which permissions it needs', async () => {
    watch(cloud.server, () => {
      throw new ApiError(403, 'notAuthorized', 'The client is not authorized to make this request.');
    });

    const error = await thrownBy(cloud.adapter().users({ signal }));

    expect(error).toMatchObject({ message: expect.stringContaining('cloudsql.users.list') });
  });
});

describe('without an answer', () => {
  test('from a server that is down the error is GOOGLE_UNAVAILABLE', async () => {
    const server = await startAdminApi(cloud.cluster);
    const adapter = cloud.adapter({ adminApi: server.url });
    await server.close();

    const error = await thrownBy(adapter.users({ signal }));

    expect(error).toMatchObject({ code: 'GOOGLE_UNAVAILABLE', retryable: true });
  });

  test('within the time of a call the error is GOOGLE_DEADLINE_EXCEEDED', async () => {
    watch(cloud.server, () => new Promise(() => undefined));

    const error = await thrownBy(cloud.adapter({ callTimeoutMs: 20 }).users({ signal }));

    expect(error).toMatchObject({ code: 'GOOGLE_DEADLINE_EXCEEDED', retryable: true });
  });

  test('before the signal fires the error is the signal’s reason', async () => {
    const asked = Promise.withResolvers<void>();
    watch(cloud.server, () => {
      asked.resolve();
      return new Promise(() => undefined);
    });
    const controller = new AbortController();
    const reason = new Error('the time was over');
    const call = cloud.adapter().databases({ signal: controller.signal });
    await asked.promise;

    controller.abort(reason);

    expect(await thrownBy(call)).toBe(reason);
  });

  test('from who issues tokens the error is GOOGLE_UNAUTHENTICATED, though it answers 400', async () => {
    const issuer = createServer((_, response) => response.writeHead(400).end('{"error":"invalid_grant"}'));
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void issuer.close());
    const address = issuer.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    cloud.actAs(credentialsAt(url, 'nobody'));
    onTestFinished(() => cloud.actAs(cloud.server.credentials(principal)));

    const error = await thrownBy(cloud.adapter().users({ signal }));

    expect(error).toMatchObject({ code: 'GOOGLE_UNAUTHENTICATED', retryable: true });
  });
});

describe('the settings', () => {
  async function adapterFor(name: string, settings: object) {
    vi.resetModules();
    vi.stubEnv('DROVER_INSTANCES', JSON.stringify([{ instances: 'acme-dev:*:*', user: 'x', ...settings }]));
    const { sqlAdminFor } = await import('../../../shared/gcp/sqladmin.ts');
    return { admin: sqlAdminFor(name), again: sqlAdminFor(name) };
  }
  const direct = { connector: 'direct', host: '127.0.0.1' };

  test('lead to the Admin API that they name, the same for all callers', async () => {
    const { admin, again } = await adapterFor(instance, { ...direct, adminApi: cloud.server.url });

    expect((await admin?.users({ signal }))?.has('postgres')).toBe(true);
    expect(again).toBe(admin);
  });

  test('lead to Google’s for an instance of Cloud SQL', async () => {
    expect((await adapterFor(instance, { connector: 'cloudsql' })).admin).toBeDefined();
  });

  test('lead nowhere for a server that isn’t Cloud SQL’s, and for one that they don’t cover', async () => {
    expect((await adapterFor(instance, direct)).admin).toBeUndefined();
    expect((await adapterFor('acme-prod:europe-west1:main', direct)).admin).toBeUndefined();
  });

  test('bound the calls of all instances together', async () => {
    vi.stubEnv('DROVER_ADMIN_API_PER_MINUTE', '1');
    const { admin } = await adapterFor(instance, { ...direct, adminApi: cloud.server.url });
    const { sqlAdminFor } = await import('../../../shared/gcp/sqladmin.ts');
    await admin?.users({ signal });
    const controller = new AbortController();

    const waiting = sqlAdminFor('acme-dev:europe-west1:other')?.users({ signal: controller.signal });
    const error = thrownBy(waiting ?? Promise.resolve());
    // Meanwhile a call that is not held up has its answer.
    await cloud.adapter().users({ signal });
    await cloud.adapter().users({ signal });
    controller.abort(new Error('the time was over'));

    expect(await error).toMatchObject({ message: 'the time was over' });
  });
});
