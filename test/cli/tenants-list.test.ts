import { expect, test } from 'vitest';
import { tenantsCollection } from '../../shared/registry/tenants/model.ts';
import { cells, drover, droverInCloud, useCloud } from './fixture.ts';
import { instance, removed, seed, tenantRecord, tenantsFunction } from './tenants-fixture.ts';

const cloud = useCloud([tenantsFunction]);
const list = (...args: string[]) => droverInCloud('tenants', 'list', ...args);
const ids = ({ stdout }: { stdout: string }) =>
  (JSON.parse(stdout) as { tenant: string }[]).map(({ tenant }) => tenant);

/** A place on another instance, for what a test lists alone. */
const onInstance = (name: string) => ({
  ...tenantRecord().place,
  instance: `test-project:europe-west1:${name}`,
});

test('shows by id how each stands, its plan, where it is and why it failed', async () => {
  const place = onInstance('shown');
  const failure = { code: 'GOOGLE_PERMISSION_DENIED', message: 'no', step: 'dataset' };
  await seed(
    cloud,
    { tenant: 'list_b', place, plan: 'SCALE', state: 'failed', failure },
    { tenant: 'list_a', place: { ...place, database: 'evil\u001b[2J' }, ...removed },
  );
  const { code, stdout, stderr } = await list('--instance', place.instance);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(cells(stdout)).toEqual([
    ['TENANT', 'STATE', 'PLAN', 'WHERE', 'CHANGED', 'FAILURE'],
    ['list_a', 'removed', 'STARTER', `${place.instance}/evil\\x1b[2J.tenant_acme`, '2026-03-01 08:00:09Z'],
    [
      ...['list_b', 'failed', 'SCALE', `${place.instance}/app.tenant_acme`, '2026-03-01 08:00:09Z'],
      'dataset: GOOGLE_PERMISSION_DENIED',
    ],
  ]);
});

test('selects by state, plan and instance, each alone and all together', async () => {
  const place = onInstance('selected');
  await seed(
    cloud,
    { tenant: 'select_1', place, plan: 'GOLD' },
    { tenant: 'select_2', place, plan: 'GOLD', state: 'compensating' },
    { tenant: 'select_3', place, plan: 'TIN', state: 'compensating' },
    { tenant: 'select_4', plan: 'GOLD', state: 'compensating' },
  );
  const all = ['--state', 'compensating', '--plan', 'GOLD', '--instance', place.instance];
  const byState = await list('--json', ...all.slice(0, 2));
  const byPlan = await list('--json', ...all.slice(2, 4));
  const byInstance = await list('--json', ...all.slice(4));
  const byAll = await list('--json', ...all);
  expect(ids(byState)).toEqual(['select_2', 'select_3', 'select_4']);
  expect(ids(byPlan)).toEqual(['select_1', 'select_2', 'select_4']);
  expect(ids(byInstance)).toEqual(['select_1', 'select_2', 'select_3']);
  expect(ids(byAll)).toEqual(['select_2']);
  expect(byAll.stderr).toBe('');
});

test('reads on where a page ends, and says when there are more than the limit', async () => {
  const place = onInstance('pages');
  const many = Array.from({ length: 201 }, (_, index) => `page_${String(index).padStart(3, '0')}`);
  await seed(cloud, ...many.map((tenant) => ({ tenant, place })));
  const whole = await list('--instance', place.instance, '--limit', '201', '--json');
  const first = await list('--instance', place.instance, '--limit', '2', '--json');
  expect(ids(whole)).toEqual(many);
  expect(whole.stderr).toBe('');
  expect(ids(first)).toEqual(['page_000', 'page_001']);
  expect(first.stderr).toBe('There are more than 2; --limit lists more.\n');
});

test('as JSON has the records, times in UTC, without what must not be seen', async () => {
  const place = onInstance('json');
  const failure = { code: 'X', message: "PASSWORD 'hunter2'", step: 'login' };
  await seed(cloud, { tenant: 'json_1', place, failure });
  const [one] = JSON.parse((await list('--instance', place.instance, '--json')).stdout) as unknown[];
  expect(one).toEqual({
    ...tenantRecord({ tenant: 'json_1', place }),
    failure: { ...failure, message: "PASSWORD '[redacted]'" },
    order: { publishedAt: '2026-03-01T08:00:00.000Z' },
    createdAt: '2026-03-01T08:00:01.234Z',
    changedAt: '2026-03-01T08:00:09.876Z',
  });
  expect(Object.keys(one as object)[0]).toBe('tenant');
});

test('says what to do where there is no tenant, and only that there are none such where it was asked for some', async () => {
  await cloud.db.recursiveDelete(cloud.db.collection(tenantsCollection));
  const none = await drover(['tenants', 'list']);
  const noSuch = await list('--instance', instance);
  const json = await list('--json');
  expect(none).toMatchObject({ code: 0, stdout: '' });
  expect(none.stderr).toMatch(/no tenants yet.*\n.*drover send bootstrap-tenant/);
  expect(noSuch).toEqual({ code: 0, stdout: '', stderr: 'There are no such tenants.\n' });
  expect(json).toEqual({ code: 0, stdout: '[]\n', stderr: '' });
});
