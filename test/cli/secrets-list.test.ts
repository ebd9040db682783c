import { expect, test } from 'vitest';
import { secretsCollection } from '../../shared/registry/secrets/model.ts';
import { cells, drover, droverInCloud, useCloud } from './fixture.ts';
import { inDays, secretsFunction, seed, shown } from './secrets-fixture.ts';

const cloud = useCloud([secretsFunction]);
const secrets = (...args: string[]) => droverInCloud('secrets', ...args);
const names = (stdout: string) => (JSON.parse(stdout) as { secret: string }[]).map(({ secret }) => secret);

const elsewhere = 'test-project:europe-west1:list';

test('shows by name what each is, where, how it stands and when it is due', async () => {
  const due = inDays(26);
  const failed = {
    at: inDays(-1),
    action: 'rotate',
    operation: 'b'.repeat(40),
    code: 'LOGIN_IN_USE',
  } as const;
  await seed(
    cloud,
    { secret: 'list-b', instance: elsewhere, failures: 2, last: failed, nextRotation: due },
    { secret: 'list-a', instance: elsewhere, nextRetirement: inDays(1), nextRotation: null, last: null },
  );
  const { code, stdout, stderr } = await secrets('list', '--instance', elsewhere);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(cells(stdout)).toEqual([
    ['SECRET', 'KIND', 'WHERE', 'STATE', 'AGE', 'DUE', 'LAST'],
    ['list-a', 'postgres two-user', `${elsewhere}/app.billing writer`, 'retiring', '3 d', '-', '-'],
    [
      ...['list-b', 'postgres two-user', `${elsewhere}/app.billing writer`, 'failing', '3 d', shown(due)],
      'rotate failed: LOGIN_IN_USE',
    ],
  ]);
});

test('filters by what is due and by what failed, before the limit counts', async () => {
  const place = 'test-project:europe-west1:filters';
  await seed(
    cloud,
    { secret: 'filter-ok', instance: place },
    { secret: 'filter-due', instance: place, nextRotation: inDays(-1) },
    { secret: 'filter-failed', instance: place, failures: 1 },
    { secret: 'filter-failed-due', instance: place, failures: 1, nextRotation: inDays(-1) },
    { secret: 'filter-key', instance: null, nextRotation: inDays(-1) },
  );
  const list = (...args: string[]) => secrets('list', '--json', ...args);
  const due = await list('--instance', place, '--due');
  const failed = await list('--instance', place, '--failed');
  const both = await list('--instance', place, '--failed', '--due');
  const first = await list('--instance', place, '--due', '--limit', '1');
  const everywhere = await list('--due');
  expect(names(due.stdout)).toEqual(['filter-due', 'filter-failed-due']);
  expect(names(failed.stdout)).toEqual(['filter-failed', 'filter-failed-due']);
  expect(names(both.stdout)).toEqual(['filter-failed-due']);
  expect(names(first.stdout)).toEqual(['filter-due']);
  expect(first.stderr).toBe('There are more than 1; --limit lists more.\n');
  expect(due.stderr).toBe('');
  expect(names(everywhere.stdout)).toContain('filter-key');
});

test('reads on where a page ends, and as JSON has the state and no history', async () => {
  const place = 'test-project:europe-west1:pages';
  const many = Array.from({ length: 201 }, (_, index) => `page-${String(index).padStart(3, '0')}`);
  await seed(cloud, ...many.map((secret) => ({ secret, instance: place })));
  const { stdout } = await secrets('list', '--instance', place, '--limit', '1000', '--json');
  expect(names(stdout)).toEqual(many);
  const [one] = JSON.parse(stdout) as Record<string, unknown>[];
  expect(one).toMatchObject({ secret: 'page-000', state: 'ok', policy: { everyDays: 30 } });
  expect(one?.['rotatedAt']).toBe(new Date(String(one?.['rotatedAt'])).toISOString());
  expect(one).not.toHaveProperty('history');
});

test('says what to do where there is no secret, and only that there are none such where it was asked for some', async () => {
  await cloud.db.recursiveDelete(cloud.db.collection(secretsCollection));
  const none = await drover(['secrets', 'list']);
  const noSuch = await secrets('list', '--due');
  expect(none).toMatchObject({ code: 0, stdout: '' });
  expect(none.stderr).toMatch(/no secrets yet.*create.*adopt.*\n.*drover send rotate-secret/);
  expect(noSuch).toEqual({ code: 0, stdout: '', stderr: 'There are no such secrets.\n' });
});
