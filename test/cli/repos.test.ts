import { describe, expect, test } from 'vitest';
import { cells, droverHere, droverInCloud, facts, useCloud } from './fixture.ts';
import {
  failed,
  instance,
  neverSynced,
  problems,
  repositoryRecord,
  seed,
  syncFunction,
  withProblems,
} from './repos-fixture.ts';

const cloud = useCloud([syncFunction]);
const repos = (...args: string[]) => droverInCloud('repos', ...args);

const inUtc = {
  committedAt: '2026-03-01T07:00:00.000Z',
  syncedAt: '2026-03-01T08:00:09.876Z',
  publishedAt: '2026-03-01T08:00:00.000Z',
};

describe('drover repos show', () => {
  test('shows what is where, which commit, and what the last sync did', async () => {
    await seed(cloud, { repository: 'acme/shown', ref: 'refs/heads/evil\u001b[2J' });
    const { code, stdout, stderr } = await repos('show', 'acme/shown');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(facts(stdout)).toEqual({
      '': '',
      'acme/shown': 'synced',
      where: `${instance}/app.site`,
      source: 'github, refs/heads/evil\\x1b[2J',
      commit: `${'c0ffee'.padEnd(40, '0')} of 2026-03-01 07:00:00Z`,
      synced: `2026-03-01 08:00:09Z: drover operations ${'a'.repeat(40)}`,
      sync: '12',
      documents: '340: 12 added, 3 updated, 325 unchanged; 1 deleted',
      collections: 'authors 40, posts 300',
      problems: '0',
    });
  });

  test('shows beside it what failed since and what to do, and the first problems', async () => {
    await seed(cloud, { repository: 'acme/broken', ...failed, ...withProblems(problems(12), 240) });
    const { stdout } = await repos('show', 'acme/broken', '--schema', 'site');
    const lines = stdout.split('\n');
    expect(lines[0]).toBe('acme/broken  failed');
    expect(stdout).toContain('2026-03-01 08:00:09Z'); // the last good one
    const from = lines.indexOf('Failure:');
    expect(lines.slice(from, from + 6)).toEqual([
      'Failure:',
      '  GITHUB_TOKEN_REFUSED: GitHub refuses the token Bearer [redacted]: store a new one',
      `  At 2026-03-02 09:00:00Z: drover operations ${'b'.repeat(40)}`,
      `  When that is mended: drover dead-letters replay ${'b'.repeat(40)}, or send a newer message`,
      '',
      'Problems:',
    ]);
    expect(lines.slice(from + 6)).toEqual([
      ...problems(10).map(({ message }, index) =>
        `  posts/${index}.md:${index + 1}:3`.padEnd(17).concat(`  YAML_SYNTAX  ${message}`),
      ),
      '  … and 230 more: drover repos problems acme/broken --schema site',
      '',
    ]);
  });

  test('has no line for what there is not', async () => {
    await seed(cloud, neverSynced({ repository: 'acme/never' }));
    const { stdout } = await repos('show', 'acme/never');
    const found = facts(stdout.slice(0, stdout.indexOf('Failure:')));
    expect(found).toEqual({
      '': '',
      'acme/never': 'failed',
      where: `${instance}/app.site`,
      source: 'github',
      synced: 'never',
    });
  });

  test('as JSON is the record, times in UTC, without what must not be seen', async () => {
    const [problem] = problems(1);
    if (problem === undefined) throw new Error('none');
    const leaking = { ...problem, message: "PASSWORD 'hunter2'" };
    await seed(cloud, { repository: 'acme/json', ...failed, ...withProblems([leaking]) });
    const { stdout } = await repos('show', 'acme/json', '--json');
    const record = JSON.parse(stdout) as object;
    expect(Object.keys(record)[0]).toBe('repository');
    expect(record).toEqual({
      ...repositoryRecord({ repository: 'acme/json', ...withProblems([leaking]) }),
      ...inUtc,
      problems: [{ ...problem, message: "PASSWORD '[redacted]'" }],
      state: 'failed',
      failure: {
        ...failed.failure,
        message: 'GitHub refuses the token Bearer [redacted]: store a new one',
        at: '2026-03-02T09:00:00.123Z',
        publishedAt: '2026-03-02T08:59:00.000Z',
      },
    });
  });
});

describe('drover repos problems', () => {
  test('shows each where it is, why, and of which collection', async () => {
    const whole = { code: 'CATALOG_INVALID', path: 'drover.catalog.yaml', message: "PASSWORD 'x'\nno" };
    const kept = [...problems(2), whole];
    await seed(cloud, { repository: 'acme/problems', ...withProblems(kept) });
    const { code, stdout, stderr } = await repos('problems', 'acme/problems');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(cells(stdout)).toEqual([
      ['PLACE', 'CODE', 'COLLECTION', 'MESSAGE'],
      ['posts/0.md:1:3', 'YAML_SYNTAX', 'posts', 'no. 0'],
      ['posts/1.md:2:3', 'YAML_SYNTAX', 'authors', 'no. 1'],
      ['drover.catalog.yaml', 'CATALOG_INVALID', '-', "PASSWORD '[redacted]'\\nno"],
    ]);
  });

  test('of one collection, as JSON too', async () => {
    await seed(cloud, { repository: 'acme/one', ...withProblems(problems(4)) });
    const { stdout } = await repos('problems', 'acme/one', '--collection', 'authors', '--json');
    expect(JSON.parse(stdout)).toEqual(problems(4).filter(({ collection }) => collection === 'authors'));
  });

  test('says when there are more, and where', async () => {
    await seed(cloud, { repository: 'acme/many', ...withProblems(problems(100), 240) });
    const many = await repos('problems', 'acme/many', '--json');
    expect(many.code).toBe(0);
    expect(JSON.parse(many.stdout)).toHaveLength(100);
    expect(many.stderr).toBe(
      `The registry keeps the first 100 of 240. All are in site.syncs of ${instance}/app, in the row of acme/many with the number 12.\n`,
    );
  });

  test('says whose they are where a message failed since', async () => {
    await seed(cloud, { repository: 'acme/since', ...failed, ...withProblems(problems(1)) });
    const { stderr } = await repos('problems', 'acme/since', '--database', 'app');
    expect(stderr).toMatch(
      /last sync that was done; GITHUB_TOKEN_REFUSED since: drover repos show acme\/since --database app\n$/,
    );
  });

  test('says so where there are none, and does not promise more than it knows', async () => {
    const collections = { posts: 1, authors: 1, drafts: 0 };
    await seed(
      cloud,
      { repository: 'acme/fine' },
      { repository: 'acme/some', collections, ...withProblems(problems(2)) },
      { repository: 'acme/most', collections, ...withProblems(problems(100), 101) },
    );
    const none = (stderr: string) => ({ code: 0, stdout: '', stderr });
    expect(await repos('problems', 'acme/fine')).toEqual(none('There are no problems.\n'));
    expect(await repos('problems', 'acme/some', '--collection', 'drafts')).toEqual(
      none('There are no problems of the collection drafts.\n'),
    );
    const most = await repos('problems', 'acme/most', '--collection', 'drafts');
    expect(most.stderr).toMatch(
      /^Among the first 100 are no problems of the collection drafts\.\nThe registry keeps/,
    );
    expect(await repos('problems', 'acme/some', '--collection', 'draft')).toEqual({
      code: 2,
      stdout: '',
      stderr: 'drover: There is no collection draft in it. Did you mean drafts?\n',
    });
  });
});

describe.each(['show', 'problems'])('%s of a repository', (command) => {
  test('that nobody knows names the nearest', async () => {
    await seed(cloud, { repository: 'acme/ledger' });
    const { code, stdout, stderr } = await repos(command, 'acme/leger');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^REPOSITORY_NOT_SYNCED: .*acme\/leger .*Did you mean acme\/ledger\? See: drover repos list/,
    );
  });

  test('in several places lists them, and takes the one that is named', async () => {
    const other = 'test-project:europe-west1:other';
    await seed(
      cloud,
      { repository: 'acme/twice' },
      { repository: 'acme/twice', schema: 'preview' },
      { repository: 'acme/twice', instance: other, database: 'app2' },
    );
    const { code, stdout, stderr } = await repos(command, 'acme/twice');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    const [first, ...rows] = cells(stderr.replaceAll(/^ {2}/gm, ''));
    expect(first?.[0]).toMatch(/acme\/twice is synced to several places\. Name one by --instance/);
    const syncedAt = '2026-03-01 08:00:09Z';
    expect(rows).toEqual([
      ['INSTANCE', 'DATABASE', 'SCHEMA', 'STATE', 'SYNCED'],
      [instance, 'app', 'preview', 'synced', syncedAt],
      [instance, 'app', 'site', 'synced', syncedAt],
      [other, 'app2', 'site', 'synced', syncedAt],
    ]);
    expect((await repos(command, 'acme/twice', '--schema', 'site')).code).toBe(2);
    for (const place of [
      ['--schema', 'preview'],
      ['--database', 'app2'],
      ['--instance', other],
    ]) {
      expect(await repos(command, 'acme/twice', ...place)).toMatchObject({ code: 0 });
    }
    const elsewhere = await repos(command, 'acme/twice', '--database', 'app3');
    expect(elsewhere.code).toBe(1);
    expect(elsewhere.stderr).toMatch(
      /REPOSITORY_NOT_SYNCED: .*not synced to that place, but to .*app\.preview, /,
    );
  });
});

test.each([
  ['no repository', ['show'], /Which repository\?.*drover repos list/],
  ['an empty name', ['problems', ''], /Which repository\?/],
  ['two repositories', ['show', 'a/b', 'c/d'], /Unexpected argument: c\/d/],
  ['an instance that can not be one', ['show', 'a/b', '--instance', 'main'], /instance "main" must be/],
  ['a schema that can not be one', ['list', '--schema', 'a-b'], /--schema "a-b" must be/],
  [
    'a database that can not be one',
    ['list', '--database', 'template0'],
    /--database "template0" is a database of/,
  ],
  ['a state that there is not', ['list', '--state', 'sinced'], /--state must be .* Did you mean synced\?/],
  ['a limit that is no number', ['list', '--limit', 'x'], /--limit must be/],
])('refuses %s, with 2', async (_case, args, message) => {
  const ran = await droverHere('repos', ...args);
  expect(ran).toMatchObject({ code: 2, stdout: '' });
  expect(ran.stderr).toMatch(message);
});

test.each([
  ['list', ['--instance', '--database', '--schema', '--state', '--limit', '--json']],
  ['show', ['--instance', '--database', '--schema', '--json']],
  ['problems', ['--instance', '--database', '--schema', '--collection', '--json']],
])('the help of %s has its usage, its options and an example', async (command, options) => {
  const { code, stdout, stderr } = await droverHere('repos', command, '--help');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(new RegExp(`Usage:\n  drover repos ${command}`));
  expect(stdout).toMatch(new RegExp(`Examples:\n  drover repos ${command}`));
  for (const option of options) expect(stdout).toMatch(new RegExp(`^  ${option}( \\S+)? {2,}\\S`, 'm'));
});
