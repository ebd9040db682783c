import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { ApiError } from '../../../local/http/api-error.ts';
import { startSqlAdmin } from '../../../local/sqladmin/server.ts';
import { connectionSettings } from '../../../shared/config.ts';
import { createConnectors } from '../../../shared/postgres/connectors.ts';
import { clientOf, clientV1Of, instance, main, principal, refusalOf, useAdminApi } from './fixture.ts';

const cloud = useAdminApi();

describe('who and what is unknown', () => {
  test('an instance that doesn’t exist is 404, for every method', async () => {
    const missing = { project: 'acme-dev', instance: 'missing' };
    const calls = [
      cloud.api.instances.get(missing),
      cloud.api.users.list(missing),
      cloud.api.users.insert({ ...missing, requestBody: { name: 'x' } }),
      cloud.api.users.delete({ ...missing, name: 'x' }),
      cloud.api.databases.list(missing),
      cloud.api.users.list({ ...main, project: 'acme-prod' }),
    ];
    for (const refusal of await Promise.all(calls.map(refusalOf))) {
      expect(refusal).toMatchObject({ status: 404, reason: 'instanceDoesNotExist' });
    }
  });

  test('a caller without a token of this server is 401', async () => {
    const response = await fetch(`${cloud.server.url}/sql/v1beta4/projects/acme-dev/instances/main/users`);

    expect(response.status).toBe(401);
  });

  test('a principal who isn’t among those who may call is 403', async () => {
    const { project } = main;
    const server = await startSqlAdmin({ instances: [], clients: [principal] });
    onTestFinished(() => server.close());

    const other = clientOf(server, 'other@acme-dev.iam.gserviceaccount.com').instances.list({ project });

    expect(await refusalOf(other)).toMatchObject({ status: 403, reason: 'notAuthorized' });
    expect((await clientOf(server).instances.list({ project })).data).toEqual({ kind: 'sql#instancesList' });
  });
});

describe('what isn’t here answers 501', () => {
  test.for([
    ['a method', () => cloud.api.users.update({ ...main, name: 'postgres', requestBody: {} })],
    ['a parameter', () => cloud.api.instances.list({ project: 'acme-dev', filter: 'state:RUNNABLE' })],
    ['connecting, where the instance has no port', () => cloud.api.connect.get(main)],
  ] as const)('%s', async ([, call]) => {
    expect(await refusalOf(call())).toMatchObject({ status: 501, reason: 'notImplemented' });
  });

  test('users of an instance that is here for connecting only', async () => {
    const server = await startSqlAdmin({ instances: [{ name: instance }] });
    onTestFinished(() => server.close());

    expect(await refusalOf(clientOf(server).users.list(main))).toMatchObject({ status: 501 });
  });
});

test('instances are listed by project', async () => {
  const server = await startSqlAdmin({
    instances: [{ name: instance }, { name: 'example.com:acme:europe-west1:main' }],
  });
  onTestFinished(() => server.close());
  const api = clientOf(server);

  const { data: ours } = await api.instances.list({ project: 'acme-dev' });
  const { data: scoped } = await api.instances.get({ project: 'example.com:acme', instance: 'main' });

  expect(ours.items?.map(({ connectionName }) => connectionName)).toEqual([instance]);
  expect(scoped).toMatchObject({
    kind: 'sql#instance',
    state: 'RUNNABLE',
    project: 'example.com:acme',
    region: 'europe-west1',
    name: 'main',
    databaseVersion: 'POSTGRES_18',
  });
});

test('both versions of the API have the same paths below them', async () => {
  const { data: v1 } = await clientV1Of(cloud.server).users.list(main);
  const { data: v1beta4 } = await cloud.api.users.list(main);

  expect(v1).toEqual(v1beta4);
});

describe('fault injection', () => {
  test('refuses a call before it takes effect', async () => {
    cloud.server.intercept = ({ method, phase }) => {
      if (method === 'users.insert' && phase === 'before') throw new ApiError(503, 'backendError', 'down');
    };

    const call = cloud.api.users.insert({ ...main, requestBody: { name: 'refused', password: 'x' } });

    expect(await refusalOf(call)).toEqual({ status: 503, reason: 'backendError', message: 'down' });
    cloud.server.intercept = undefined;
    expect(await refusalOf(cloud.api.users.get({ ...main, name: 'refused' }))).toMatchObject({ status: 404 });
  });

  test('loses an answer after the call took effect', async () => {
    cloud.server.intercept = ({ method, phase, request }) => {
      if (method !== 'users.insert' || phase !== 'after') return;
      expect(request).toMatchObject({ ...main, name: 'lost' });
      throw new ApiError(500, 'internalError', 'lost');
    };

    const call = cloud.api.users.insert({ ...main, requestBody: { name: 'lost', password: 'x' } });

    expect(await refusalOf(call)).toMatchObject({ status: 500 });
    await vi.waitFor(() => cloud.api.users.get({ ...main, name: 'lost' }));
  });

  test('changes an answer, and only that', async () => {
    cloud.server.intercept = ({ method, answer }) => {
      if (method === 'users.list' && answer) Object.assign(answer, { items: [], nextPageToken: 'more' });
    };

    const { data: changed } = await cloud.api.users.list(main);
    cloud.server.intercept = undefined;
    const { data: whole } = await cloud.api.users.list(main);

    expect(changed).toMatchObject({ items: [], nextPageToken: 'more' });
    expect(whole.items).not.toEqual([]);
  });

  test('changes what is told of an operation, but not the operation', async () => {
    const { data: begun } = await cloud.api.users.insert({ ...main, requestBody: { name: 'told' } });
    const operation = { project: main.project, operation: begun.name ?? '' };
    await cloud.ended(begun);
    cloud.server.intercept = ({ method, answer }) => {
      if (method === 'operations.get' && answer) answer['status'] = 'RUNNING';
    };

    const { data: changed } = await cloud.api.operations.get(operation);
    cloud.server.intercept = undefined;
    const { data: real } = await cloud.api.operations.get(operation);

    expect([changed.status, real.status]).toEqual(['RUNNING', 'DONE']);
  });
});

test('a service account that was made here logs in through the connector', async () => {
  const server = await startSqlAdmin({
    instances: [
      { name: instance, postgresPort: cloud.cluster.port, superuserUrl: cloud.cluster.superuserUrl() },
    ],
    answersWhenDone: true,
  });
  onTestFinished(() => server.close());
  await clientOf(server).users.insert({
    ...main,
    requestBody: { name: 'drover-test@acme-dev.iam', type: 'CLOUD_IAM_SERVICE_ACCOUNT' },
  });
  const folder = mkdtempSync(path.join(tmpdir(), 'drover-sqladmin-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(path.join(folder, 'credentials.json'), server.credentials(principal));
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', path.join(folder, 'credentials.json'));
  onTestFinished(() => void vi.unstubAllEnvs());
  const connectors = createConnectors();
  onTestFinished(() => connectors.close());

  const settings = connectionSettings.parse({
    instances: instance,
    connector: 'cloudsql',
    user: 'drover-test@acme-dev.iam',
    adminApi: server.url,
  });
  const client = new pg.Client(await connectors.clientConfig({ instance, database: 'postgres' }, settings));
  await client.connect();
  const { rows } = await client.query('SELECT session_user AS who').finally(() => client.end());

  expect(rows).toEqual([{ who: 'drover-test@acme-dev.iam' }]);
});
