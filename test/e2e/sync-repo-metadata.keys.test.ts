import { describe, expect, it } from 'vitest';
import { catalogFile, useRepositories } from './repositories.ts';

const cloud = useRepositories();

const pages = { files: ['**/*.md'], format: 'markdown', path: '{folder...}/{name}.md', key: '{name}' };

describe('keys', () => {
  it('that two files have are told, and the first file has its row', async () => {
    const files = {
      ...catalogFile({ pages }),
      'b/index.md': '# B\n',
      'a/index.md': '# A\n',
      'c/index.md': '# C\n',
      'c/other.md': '# Other\n',
    };
    const { summary, result } = await cloud.sync('duplicates', files);

    expect(summary).toMatchObject({ documents: 2, added: 2, problems: 2 });
    expect(result?.problems).toEqual([
      expect.objectContaining({
        code: 'KEY_TAKEN',
        path: 'b/index.md',
        message: expect.stringContaining('a/index.md'),
      }),
      expect.objectContaining({
        code: 'KEY_TAKEN',
        path: 'c/index.md',
        message: expect.stringContaining('a/index.md'),
      }),
    ]);
    const rows = () => cloud.query('SELECT key, path, title FROM duplicates.pages ORDER BY 1');
    expect(await rows()).toMatchObject([{ key: 'index', path: 'a/index.md', title: 'A' }, { key: 'other' }]);

    const { 'a/index.md': _, ...rest } = files;
    expect((await cloud.sync('duplicates', rest)).summary).toMatchObject({
      updated: 1,
      deleted: 0,
      problems: 1,
    });
    expect(await rows()).toMatchObject([{ key: 'index', path: 'b/index.md', title: 'B' }, { key: 'other' }]);

    expect((await cloud.sync('duplicates', files)).summary).toMatchObject({ updated: 1, problems: 2 });
    expect(await rows()).toMatchObject([{ key: 'index', path: 'a/index.md', title: 'A' }, { key: 'other' }]);
  });

  it('that differ in case are of two rows', async () => {
    const files = { 'Readme.md': '# One\n', 'README.md': '# Two\n', 'readme.md': '# Three\n' };
    expect((await cloud.sync('cases', files)).summary).toMatchObject({ documents: 3, problems: 0 });
    expect(await cloud.query('SELECT key, title FROM cases.documents ORDER BY key')).toEqual([
      { key: 'README.md', title: 'Two' },
      { key: 'Readme.md', title: 'One' },
      { key: 'readme.md', title: 'Three' },
    ]);
  });

  it('that change places are each of the right row', async () => {
    const named = { files: ['?.yaml'], format: 'yaml' };
    await cloud.sync('swapped', {
      ...catalogFile({ named }),
      'a.yaml': 'title: A\n',
      'b.yaml': 'title: B\n',
    });
    const { summary } = await cloud.sync('swapped', {
      ...catalogFile({ named }),
      'a.yaml': 'title: B\n',
      'b.yaml': 'title: A\n',
    });
    expect(summary).toMatchObject({ updated: 2 });
    expect(await cloud.query('SELECT key, title FROM swapped.named ORDER BY 1')).toEqual([
      { key: 'a.yaml', title: 'B' },
      { key: 'b.yaml', title: 'A' },
    ]);
  });

  it('that are made in another way from now on leave the row of a file that can’t be read, or has no place, alone', async () => {
    const folder = { ...pages, files: ['docs/*.md'], path: 'docs/{name}.md' };
    const files = { 'docs/a.md': '# A\n', 'docs/b.md': '# B\n', 'docs/c-1.md': '# C\n' };
    await cloud.sync('rekeyed', { ...catalogFile({ pages: folder }), ...files });
    const numbered = { ...folder, path: 'docs/{name}-{number}.md', key: '{number}' };
    const broken = { 'docs/b.md': '---\nx: [\n---\n' };
    const odd = await cloud.sync('rekeyed', { ...catalogFile({ pages: numbered }), ...files });
    expect(odd.result?.problems?.map(({ code, path }) => [code, path])).toEqual([
      ['PATH_NOT_MATCHED', 'docs/a.md'],
      ['PATH_NOT_MATCHED', 'docs/b.md'],
    ]);
    expect(odd.summary).toMatchObject({ documents: 3, added: 1, deleted: 1 });
    const prefixed = { ...folder, key: 'page-{name}' };
    await cloud.sync('rekeyed', { ...catalogFile({ pages: prefixed }), ...files, ...broken });
    expect(await cloud.query('SELECT key, title FROM rekeyed.pages ORDER BY 1')).toEqual([
      { key: 'b', title: 'B' },
      { key: 'page-a', title: 'A' },
      { key: 'page-c-1', title: 'C' },
    ]);
  });

  it('that are too long, or of no path that the collection has, are told', async () => {
    const { result, summary } = await cloud.sync('longs', {
      ...catalogFile({ pages: { ...pages, key: '{name}{name}{name}' } }),
      [`a/${'x'.repeat(240)}${'é'.repeat(60)}.md`]: '# Long\n',
      'top.md': '# Top\n',
      'a/b.md': '# B\n',
    });
    expect(summary).toMatchObject({ documents: 1, problems: 2 });
    expect(result?.problems?.map(({ code }) => code).sort()).toEqual(['KEY_INVALID', 'PATH_NOT_MATCHED']);
  });
});

describe('values', () => {
  it('are what the file says: a score of 0, dates with offsets, all digits of a number', async () => {
    const schema = {
      properties: {
        score: { type: 'number' },
        at: { type: 'string', format: 'date-time' },
        empty: { type: 'string' },
      },
    };
    const notes = { files: ['*.md', '*.yml'], format: 'markdown', schema };
    const data = { files: ['*.json'], format: 'json' };
    const { summary } = await cloud.sync('exact', {
      ...catalogFile({ notes, data }),
      'a.md': '---\nscore: 0\nat: 2024-03-31T02:30:00+02:00\nempty: ""\nno: no\n---\n',
      'n.json': '{"big": 12345678901234567890.123, "zero": -0.0, "list": [0, false, null, ""]}',
    });
    expect(summary).toMatchObject({ problems: 0 });
    expect(await cloud.query('SELECT score, at, empty, metadata FROM exact.notes')).toEqual([
      {
        score: '0',
        at: new Date('2024-03-31T00:30:00Z'),
        empty: '',
        metadata: { score: 0, at: '2024-03-31T02:30:00+02:00', empty: '', no: 'no' },
      },
    ]);
    expect(
      await cloud.query(`SELECT metadata ->> 'big' AS big, metadata -> 'list' AS list FROM exact.data`),
    ).toEqual([{ big: '12345678901234567890.123', list: [0, false, null, ''] }]);
  });
});

describe('references', () => {
  const codes = { files: ['codes/*.yaml'], format: 'yaml', path: 'codes/{code}.yaml', key: '{code}' };
  const notes = {
    files: ['notes/*.yaml'],
    format: 'yaml',
    references: [{ field: 'about', collection: 'codes' }],
  };

  it('to what isn’t there are told, until it is', async () => {
    const files = {
      ...catalogFile({ codes, notes }),
      'codes/one.yaml': 'title: One\n',
      'notes/a.yaml': 'about: [one, two]\n',
    };
    const { result, summary } = await cloud.sync('dangling', files);
    expect(summary).toMatchObject({ documents: 2, problems: 1 });
    expect(result?.problems).toEqual([
      {
        code: 'REFERENCE_NOT_FOUND',
        path: 'notes/a.yaml',
        collection: 'notes',
        message: 'about names two, which is no document of codes',
      },
    ]);
    const next = await cloud.sync('dangling', { ...files, 'codes/two.yaml': 'title: Two\n' });
    expect(next.summary).toMatchObject({ added: 1, updated: 0, problems: 0 });
  });

  it('to what has a name of any length are told in few words', async () => {
    const long = Object.fromEntries(
      Array.from({ length: 30 }, (_, n) => [`notes/${n}.yaml`, `about: ${'x'.repeat(900)}${n}\n`]),
    );
    const { summary } = await cloud.sync('endless', { ...catalogFile({ codes, notes }), ...long });
    expect(summary).toMatchObject({ documents: 30, problems: 30 });
    const [{ bytes } = {}] = await cloud.query('SELECT length(problem::text) AS bytes FROM endless.syncs');
    expect(bytes).toBeLessThan(20_000);
  });
});
