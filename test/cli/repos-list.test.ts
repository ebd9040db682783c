import { expect, test } from 'vitest';
import { repositoriesCollection } from '../../shared/registry/repositories/model.ts';
import { cells, droverInCloud, useCloud } from './fixture.ts';
import {
  failed,
  neverSynced,
  problems,
  repositoryRecord,
  seed,
  syncFunction,
  withProblems,
} from './repos-fixture.ts';

const cloud = useCloud([syncFunction]);
const list = (...args: string[]) => droverInCloud('repos', 'list', ...args);
const names = ({ stdout }: { stdout: string }) =>
  (JSON.parse(stdout) as { repository: string }[]).map(({ repository }) => repository);

/** An instance of its own, for what a test lists alone. */
const on = (name: string) => `test-project:europe-west1:${name}`;

test('shows by name where each is, how it stands, and why the newest message failed', async () => {
  const instance = on('shown');
  await seed(
    cloud,
    { repository: 'list/b', instance, ...failed, ...withProblems(problems(2), 240) },
    neverSynced({ repository: 'list/c', instance }),
    { repository: 'list/a', instance, schema: 'second' },
    { repository: 'list/a', instance, schema: 'evil\u001b[2J' },
  );
  const { code, stdout, stderr } = await list('--instance', instance);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const last = ['c0ffee000000', '2026-03-01 08:00:09Z', '340'];
  expect(cells(stdout)).toEqual([
    ['REPOSITORY', 'STATE', 'WHERE', 'COMMIT', 'SYNCED', 'DOCUMENTS', 'PROBLEMS', 'FAILURE'],
    ['list/a', 'synced', `${instance}/app.evil\\x1b[2J`, ...last, '0'],
    ['list/a', 'synced', `${instance}/app.second`, ...last, '0'],
    ['list/b', 'failed', `${instance}/app.site`, ...last, '240', 'GITHUB_TOKEN_REFUSED'],
    ['list/c', 'failed', `${instance}/app.site`, '-', 'never', '0', '0', 'GITHUB_TOKEN_REFUSED'],
  ]);
});

test('shows one that is in several places by those', async () => {
  const instance = on('places');
  const schemas = ['a', 'b', 'c', 'd', 'e', 'f'];
  await seed(cloud, ...schemas.map((schema) => ({ repository: 'places/one', instance, schema })));
  const records = JSON.parse((await list('--instance', instance, '--json')).stdout) as { schema: string }[];
  expect(records.map(({ schema }) => schema)).toEqual(schemas);
});

test('selects by state and place, each alone and all together', async () => {
  const instance = on('selected');
  const place = { instance, database: 'selected', schema: 'selected' };
  await seed(
    cloud,
    { repository: 'select/1', ...place },
    { repository: 'select/2', ...place, ...failed },
    { repository: 'select/3', ...place, ...failed, schema: 'selected2' },
    { repository: 'select/4', ...place, ...failed, database: 'selected2' },
    { repository: 'select/5', ...place, ...failed, instance: on('selected2') },
  );
  const by = { instance, database: 'selected', schema: 'selected', state: 'failed' };
  const without = (left: string) =>
    Object.entries(by).flatMap(([name, value]) => (name === left ? [] : [`--${name}`, value]));
  const selected = async (...args: string[]) => names(await list('--json', ...args));
  expect(await selected(...without('state'))).toEqual(['select/1', 'select/2']);
  expect(await selected(...without('schema'))).toEqual(['select/2', 'select/3']);
  expect(await selected(...without('database'))).toEqual(['select/2', 'select/4']);
  expect(await selected(...without('instance'))).toEqual(['select/2', 'select/5']);
  expect(await selected(...without(''))).toEqual(['select/2']);
  expect(await selected('--schema', 'selected2')).toEqual(['select/3']);
});

test('reads on where a page ends, and says when there are more than the limit', async () => {
  const instance = on('pages');
  const many = Array.from({ length: 201 }, (_, index) => `page/${String(index).padStart(3, '0')}`);
  await seed(cloud, ...many.map((repository) => ({ repository, instance })));
  const whole = await list('--instance', instance, '--limit', '201', '--json');
  const first = await list('--instance', instance, '--limit', '2', '--json');
  expect(names(whole)).toEqual(many);
  expect(whole.stderr).toBe('');
  expect(names(first)).toEqual(['page/000', 'page/001']);
  expect(first.stderr).toBe('There are more than 2; --limit lists more.\n');
});

test('as JSON has the records without problems, times in UTC, without what must not be seen', async () => {
  const instance = on('json');
  await seed(cloud, { repository: 'json/1', instance, ...failed, ...withProblems(problems(3)) });
  const [one] = JSON.parse((await list('--instance', instance, '--json')).stdout) as unknown[];
  const { problems: _, ...summary } = repositoryRecord({
    repository: 'json/1',
    instance,
    ...withProblems(problems(3)),
  });
  expect(one).toMatchObject({
    ...summary,
    committedAt: '2026-03-01T07:00:00.000Z',
    syncedAt: '2026-03-01T08:00:09.876Z',
    publishedAt: '2026-03-01T08:00:00.000Z',
    state: 'failed',
    failure: { message: 'GitHub refuses the token Bearer [redacted]: store a new one' },
  });
  expect(one).not.toHaveProperty('problems');
});

test('says what to do where there is none, and only that there are none such where it was asked for some', async () => {
  await cloud.db.recursiveDelete(cloud.db.collection(repositoriesCollection));
  const none = await list();
  expect(none).toMatchObject({ code: 0, stdout: '' });
  expect(none.stderr).toMatch(/No repository was ever synced.*\n.*drover send sync-repo-metadata/);
  expect(await list('--state', 'failed')).toEqual({
    code: 0,
    stdout: '',
    stderr: 'There are no such repositories.\n',
  });
  expect(await list('--json')).toEqual({ code: 0, stdout: '[]\n', stderr: '' });
});
