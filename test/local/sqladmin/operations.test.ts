import { expect, test } from 'vitest';
import { holdOperations, main, refusalOf, useAdminApi } from './fixture.ts';

const cloud = useAdminApi();

const insert = (name: string) =>
  cloud.api.users.insert({ ...main, requestBody: { name, type: 'CLOUD_IAM_USER' } });
const names = async (more = {}) => {
  const { data } = await cloud.api.operations.list({ ...main, ...more });
  return { names: (data.items ?? []).map(({ name }) => name), next: data.nextPageToken };
};

test('an instance has one operation at a time', async () => {
  const held = holdOperations(cloud.server);
  const { data: first } = await insert('first@acme.com');
  await held.begun;

  const refusals = [
    await refusalOf(insert('second@acme.com')),
    await refusalOf(cloud.api.users.delete({ ...main, name: 'postgres' })),
    await refusalOf(cloud.api.databases.insert({ ...main, requestBody: { name: 'second' } })),
  ];
  const { data: pending } = await cloud.api.operations.list(main);
  held.letGo();
  await cloud.ended(first);
  const { data: second } = await insert('second@acme.com');

  for (const refusal of refusals) {
    expect(refusal).toEqual({
      status: 409,
      reason: 'operationInProgress',
      message: expect.stringMatching(/^Operation failed because another operation was already in progress/),
    });
  }
  expect(pending.items?.map(({ name, status }) => [name, status])).toEqual([[first.name, 'PENDING']]);
  expect((await cloud.ended(second)).error).toBeUndefined();
});

test('operations are listed with the newest first, by pages', async () => {
  const made: unknown[] = [];
  for (const name of ['a@acme.com', 'b@acme.com', 'c@acme.com']) {
    made.unshift((await cloud.ended((await insert(name)).data)).name);
  }

  const first = await names({ maxResults: 2 });
  const second = await names({ maxResults: 2, pageToken: first.next });

  expect([...first.names, ...second.names].slice(0, 3)).toEqual(made);
  expect(first.names).toHaveLength(2);
});

test('an operation is known in its project only', async () => {
  const { data } = await insert('elsewhere@acme.com');
  await cloud.ended(data);

  const calls = [
    cloud.api.operations.get({ project: 'acme-prod', operation: data.name ?? '' }),
    cloud.api.operations.get({ project: 'acme-dev', operation: 'unknown' }),
  ];

  for (const refusal of await Promise.all(calls.map(refusalOf)))
    expect(refusal).toMatchObject({ status: 404 });
});

test('an operation runs while it takes effect', async () => {
  const statuses: unknown[] = [];
  cloud.server.intercept = async ({ method, phase, request }) => {
    if (method !== 'Operation') return;
    const operation = String(request['name']);
    statuses.push([phase, (await cloud.api.operations.get({ project: 'acme-dev', operation })).data.status]);
  };

  await cloud.ended((await insert('watched@acme.com')).data);

  expect(statuses).toEqual([
    ['before', 'PENDING'],
    ['after', 'RUNNING'],
  ]);
});
