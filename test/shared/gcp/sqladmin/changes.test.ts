import pg from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ApiError } from '../../../../local/http/api-error.ts';
import type { SqlAdmin as LocalSqlAdmin } from '../../../../local/sqladmin/server.ts';
import { jitteredPause } from '../../../../shared/gcp/sqladmin/waiting.ts';
import { holdOperations, main, principal, startAdminApi } from '../../../local/sqladmin/fixture.ts';
import { run } from '../../../support/postgres.ts';
import { signal, thrownBy, useAdapter, watch } from './fixture.ts';

const cloud = useAdapter();

const user = (name: string) => ({ name: `${name}@acme.com`, kind: 'iam-user' }) as const;
const exists = async ({ name }: { name: string }) => (await cloud.adapter().users({ signal })).has(name);
const begin = async ({ name }: { name: string }) =>
  (await cloud.api.users.insert({ ...main, requestBody: { name, type: 'CLOUD_IAM_USER' } })).data;

/** Fails the first of a method's calls, before it takes effect or after. */
function failOnce(server: LocalSqlAdmin, of: string, at: 'before' | 'after', error: Error): string[] {
  const calls: string[] = [];
  let failed = false;
  server.intercept = ({ method, phase }) => {
    if (phase === 'before') calls.push(method);
    if (method !== of || phase !== at || failed) return;
    failed = true;
    throw error;
  };
  return calls;
}

describe('createUser', () => {
  test.for([
    ['iam-user', 'created@acme.com'],
    ['iam-service-account', 'created@acme-dev.iam'],
    ['iam-group', 'created-group@acme.com'],
  ] as const)('makes an %s', async ([kind, name]) => {
    const adapter = cloud.adapter();

    expect(await adapter.createUser({ name, kind }, { signal })).toBe('created');
    expect((await adapter.users({ signal })).get(name)).toEqual({ name, kind });
  });

  test('finds one who exists, and asks for nothing', async () => {
    await cloud.adapter().createUser(user('existing'), { signal });
    const calls = watch(cloud.server);

    expect(await cloud.adapter().createUser(user('existing'), { signal })).toBe('existed');
    expect(calls).toEqual(['users.list']);
  });

  test('a user of another kind by that name is an error for good', async () => {
    await run(cloud.cluster.adminUrl(), 'CREATE ROLE "taken@acme.com" LOGIN');

    const error = await thrownBy(cloud.adapter().createUser(user('taken'), { signal }));

    expect(error).toMatchObject({ code: 'USER_KIND_CONFLICT', retryable: false });
  });

  test('waits until a slow creation is over', async () => {
    const held = holdOperations(cloud.server);
    let ended = false;
    let looks = 0;
    const looked = Promise.withResolvers<void>();
    const adapter = cloud.adapter({
      pause: async () => {
        looks += 1;
        if (looks === 5) looked.resolve();
      },
    });

    const creating = adapter.createUser(user('slow'), { signal }).finally(() => {
      ended = true;
    });
    await looked.promise;
    const endedBefore = ended;
    held.letGo();

    expect(await creating).toBe('created');
    expect(endedBefore).toBe(false);
    expect(await exists(user('slow'))).toBe(true);
  });

  test('goes on waiting where a look at the operation fails for now', async () => {
    const failures = [
      new ApiError(503, 'backendError', 'down'),
      new ApiError(429, 'rateLimitExceeded', 'quota'),
    ];
    watch(cloud.server, ({ method }) => {
      const failure = method === 'operations.get' ? failures.pop() : undefined;
      if (failure) throw failure;
    });

    expect(await cloud.adapter().createUser(user('unwatched'), { signal })).toBe('created');
    expect(failures).toEqual([]);
  });

  test('waits for a creation by somebody else and makes no second one', async () => {
    const held = holdOperations(cloud.server);
    const theirs = await begin(user('theirs'));
    await held.begun;
    const adapter = cloud.adapter({
      pause: async () => {
        held.letGo();
        await cloud.ended(theirs);
      },
    });

    expect(await adapter.createUser(user('theirs'), { signal })).toBe('existed');
  });

  test('waits for an operation about something else, then begins its own', async () => {
    const held = holdOperations(cloud.server);
    await begin(user('first'));
    await held.begun;
    const adapter = cloud.adapter({ pause: async () => held.letGo() });

    expect(await adapter.createUser(user('second'), { signal })).toBe('created');
    expect(await exists(user('first'))).toBe(true);
  });

  test('all who want one user at a time get one, and only one of them made it', async () => {
    const adapters = Array.from({ length: 5 }, () => cloud.adapter());

    const outcomes = await Promise.all(
      adapters.map((adapter) => adapter.createUser(user('wanted'), { signal })),
    );

    expect(outcomes.sort()).toEqual(['created', 'existed', 'existed', 'existed', 'existed']);
  });

  test('users who are wanted at a time are all made, one after the other', async () => {
    const names = ['one', 'two', 'three', 'four'];

    const outcomes = await Promise.all(
      names.map((name) => cloud.adapter().createUser(user(name), { signal })),
    );

    expect(outcomes).toEqual(names.map(() => 'created'));
  });

  test('a second attempt goes on where the first one died', async () => {
    const held = holdOperations(cloud.server);
    const controller = new AbortController();
    const dying = cloud.adapter().createUser(user('survivor'), { signal: controller.signal });
    await held.begun;
    controller.abort(new Error('killed'));
    const death = await thrownBy(dying);
    const inserted = cloud.server.intercept;
    const methods: string[] = [];
    cloud.server.intercept = (call) => {
      if (call.phase === 'before') methods.push(call.method);
      return inserted?.(call);
    };

    const second = await cloud
      .adapter({
        pause: async () => held.letGo(),
      })
      .createUser(user('survivor'), { signal });

    expect(death).toMatchObject({ message: 'killed' });
    expect(second).toBe('existed');
    expect(methods).toContain('operations.list');
  });

  test('whose answer is lost fails for now, and the next attempt finds the user', async () => {
    const calls = failOnce(cloud.server, 'users.insert', 'after', new ApiError(500, 'internalError', 'lost'));

    const error = await thrownBy(cloud.adapter().createUser(user('lost'), { signal }));
    const second = await cloud.adapter().createUser(user('lost'), { signal });

    expect(error).toMatchObject({ code: 'GOOGLE_INTERNAL', retryable: true });
    expect(calls.filter((method) => method === 'users.insert').length).toBeLessThanOrEqual(2);
    expect(second).toBe('existed');
  });

  test('that is refused for now isn’t repeated behind our back', async () => {
    const calls = failOnce(
      cloud.server,
      'users.insert',
      'before',
      new ApiError(429, 'rateLimitExceeded', 'quota'),
    );
    const adapter = cloud.adapter();

    const error = await thrownBy(adapter.createUser(user('limited'), { signal }));

    expect(error).toMatchObject({ code: 'GOOGLE_RESOURCE_EXHAUSTED', retryable: true });
    expect(calls.filter((method) => method === 'users.insert')).toHaveLength(1);
    expect(await adapter.createUser(user('limited'), { signal })).toBe('created');
  });

  test('whose operation fails says what the operation says', async () => {
    failOnce(cloud.server, 'Operation', 'before', new Error('disk full'));

    const error = await thrownBy(cloud.adapter().createUser(user('failing'), { signal }));

    expect(error).toMatchObject({
      code: 'ADMIN_API_OPERATION_FAILED',
      retryable: true,
      message: expect.stringContaining('disk full'),
    });
  });

  test('that the service refuses for good fails for good, in its words', async () => {
    const invalid = { name: 'no address', kind: 'iam-user' } as const;

    const error = await thrownBy(cloud.adapter().createUser(invalid, { signal }));

    expect(error).toMatchObject({
      code: 'GOOGLE_INVALID_ARGUMENT',
      retryable: false,
      message: expect.stringContaining('not in valid format'),
    });
  });

  test('never takes an incomplete list for one without the user', async () => {
    const calls: string[] = [];
    cloud.server.intercept = ({ method, phase, answer }) => {
      if (phase === 'before') calls.push(method);
      if (answer && method === 'users.list') Object.assign(answer, { nextPageToken: 'more' });
    };

    const error = await thrownBy(cloud.adapter().createUser(user('hidden'), { signal }));

    expect(error).toMatchObject({ code: 'ADMIN_API_INCOMPLETE' });
    expect(calls).not.toContain('users.insert');
  });
});

describe('deleteUser', () => {
  const whoOwns = async (name: string) => {
    await cloud.adapter().createUser(user(name), { signal });
    const role = pg.escapeIdentifier(user(name).name);
    await run(
      cloud.cluster.superuserUrl(),
      `CREATE TABLE ${role} ()`,
      `ALTER TABLE ${role} OWNER TO ${role}`,
    );
    return user(name).name;
  };

  test('takes a user away, once', async () => {
    const adapter = cloud.adapter();
    await adapter.createUser(user('leaving'), { signal });

    const outcomes = [
      await adapter.deleteUser(user('leaving').name, { signal }),
      await adapter.deleteUser(user('leaving').name, { signal }),
    ];

    expect(outcomes).toEqual(['deleted', 'absent']);
    expect(await exists(user('leaving'))).toBe(false);
  });

  test('nobody is told of a user who was taken away', async () => {
    const adapter = cloud.adapter();
    await adapter.createUser(user('forgotten'), { signal });
    await adapter.users({ signal });
    await adapter.deleteUser(user('forgotten').name, { signal });

    const users = await adapter.users({ signal, maxAgeMs: 3_600_000 });

    expect(users.has(user('forgotten').name)).toBe(false);
  });

  test('of an owner fails for good with PostgreSQL’s words, where the operation says so', async () => {
    const error = await thrownBy(cloud.adapter().deleteUser(await whoOwns('owner'), { signal }));

    expect(error).toMatchObject({
      code: 'USER_IN_USE',
      retryable: false,
      message: expect.stringMatching(/cannot be dropped because some objects depend on it.*owner of table/),
    });
    expect(await exists(user('owner'))).toBe(true);
  });

  test('of an owner fails for good with PostgreSQL’s words, where the call itself is refused', async () => {
    const server = await startAdminApi(cloud.cluster, { answersWhenDone: true });
    onTestFinished(() => server.close());
    const name = await whoOwns('owner2');

    cloud.actAs(server.credentials(principal));
    onTestFinished(() => cloud.actAs(cloud.server.credentials(principal)));
    const error = await thrownBy(cloud.adapter({ adminApi: server.url }).deleteUser(name, { signal }));

    expect(error).toMatchObject({ code: 'USER_IN_USE', retryable: false });
  });

  test('waits for a deletion by somebody else', async () => {
    await cloud.adapter().createUser(user('contended'), { signal });
    const held = holdOperations(cloud.server);
    await cloud.api.users.delete({ ...main, name: user('contended').name });
    await held.begun;
    const adapter = cloud.adapter({ pause: async () => held.letGo() });

    expect(await adapter.deleteUser(user('contended').name, { signal })).toBe('absent');
  });

  test('in an instance that doesn’t exist is an error, not "absent"', async () => {
    const adapter = cloud.adapter({ instance: 'acme-dev:europe-west1:missing' });

    const error = await thrownBy(adapter.deleteUser('x', { signal }));

    expect(error).toMatchObject({ code: 'INSTANCE_NOT_FOUND', retryable: false });
  });

  test('never takes an incomplete list for one without the user', async () => {
    const name = await whoOwns('owner3');
    cloud.server.intercept = ({ method, answer }) => {
      if (answer && method === 'users.list') Object.assign(answer, { items: [] });
    };

    const error = await thrownBy(cloud.adapter().deleteUser(name, { signal }));

    expect(error).toMatchObject({ code: 'ADMIN_API_INCOMPLETE' });
  });
});

test('a pause ends with the signal’s reason', async () => {
  const controller = new AbortController();
  const reason = new Error('the time was over');
  const paused = jitteredPause(10, controller.signal);

  controller.abort(reason);

  expect(await thrownBy(paused)).toBe(reason);
});
