import { describe, expect, it } from 'vitest';
import { localInstance } from '../../local/stack.ts';
import type { RepositoryProblem } from '../../shared/registry/repositories/model.ts';
import { permissivePolicy, uploads } from '../support/stack.ts';
import { catalogFile, type SyncEnded, type Tree, useRepositories } from './repositories.ts';

const [strict] = [
  {
    functions: ['sync-repo-metadata'],
    targets: [`${localInstance}/strict`],
    repositories: [`gs://${uploads}/repositories/**`],
  },
];

const cloud = useRepositories({
  databases: { open: ['app', 'strict'] },
  policy: { rules: [...permissivePolicy.rules, strict] },
});

const numbered = (count: number, from = 0): Tree =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`docs/${from + index}.md`, `# Document ${from + index}\n`]),
  );

const titles = (schema: string) => cloud.query(`SELECT path, title FROM ${schema}.documents ORDER BY path`);

const problemsIn = ({ result }: SyncEnded): readonly RepositoryProblem[] => result?.problems ?? [];

describe('what would be lost', () => {
  it('is not, where a scan finds nothing', async () => {
    const error = await cloud.refused(await cloud.upload('never', { LICENSE: 'free' }), 'EMPTY_SCAN');
    expect(error.message).toMatch(/No collection covers any file.*allowDeletes/s);
    await cloud.sync('emptied', numbered(3));
    const before = await cloud.everything('emptied');

    const message = await cloud.upload('emptied', { LICENSE: 'free' });
    expect(await cloud.refused(message, 'EMPTY_SCAN')).toMatchObject({ details: { documents: 3 } });
    expect(await cloud.everything('emptied')).toEqual(before);

    const { summary } = await cloud.done({ ...message, allowDeletes: true });
    expect(summary).toMatchObject({ documents: 0, deleted: 3 });
  });

  it('is not, where it is more than the threshold', async () => {
    await cloud.sync('shrunk', numbered(12));
    const before = await cloud.everything('shrunk');
    const message = await cloud.upload('shrunk', numbered(8));

    const error = await cloud.refused(message, 'LOSS_TOO_GREAT');
    expect(error).toMatchObject({
      message: expect.stringMatching(/4 of 12 documents of markdown.*maxLoss \(0\.25\).*allowDeletes: true/s),
      details: { losses: [{ collection: 'markdown', before: 12, deleted: 4 }] },
    });
    expect(await cloud.everything('shrunk')).toEqual(before);

    expect((await cloud.done({ ...message, allowDeletes: true })).summary).toMatchObject({ deleted: 4 });
    expect(await cloud.sync('shrunk', numbered(5))).toMatchObject({ summary: { documents: 5, deleted: 3 } });
  });

  it('is as much as the catalog says', async () => {
    const docs = { docs: { files: ['docs/*.md'], format: 'markdown' } };
    await cloud.sync('allowed', { ...catalogFile(docs, { maxLoss: 0.5 }), ...numbered(12) });
    const { summary } = await cloud.sync('allowed', {
      ...catalogFile(docs, { maxLoss: 0.5 }),
      ...numbered(6),
    });
    expect(summary).toMatchObject({ deleted: 6 });
  });

  it('can be allowed only by whoever may', async () => {
    const message = await cloud.upload('guarded', numbered(1), {
      target: { instance: localInstance, database: 'strict' },
    });
    const error = await cloud.refused({ ...message, allowDeletes: true }, 'NOT_ALLOWED');
    expect(error.message).toContain('allowDeletes');
    await cloud.done(message);
  });
});

describe('a file that can’t be read', () => {
  const good = { 'a.md': '---\ntitle: A\n---\n', 'b.yaml': 'title: B\n', 'c.json': '{"title": "C"}' };

  it('keeps its last good row, is told with path, line and reason, and the rest goes on', async () => {
    await cloud.sync('kept', { ...good, 'd.md': '# D\n' });
    const broken = {
      'a.md': '---\ntitle: A2\n bad: indent\n---\n',
      'b.yaml': 'title: B2\nother: [1, 2\n',
      'c.json': '{"title": "C2",\n "x": }',
      'd.md': '# D2\n',
    };
    const record = await cloud.sync('kept', broken);

    expect(record.summary).toEqual({
      documents: 4,
      added: 0,
      updated: 1,
      deleted: 0,
      unchanged: 3,
      problems: 3,
    });
    expect(problemsIn(record)).toEqual([
      expect.objectContaining({ code: 'INVALID_YAML', path: 'a.md', line: 2, collection: 'markdown' }),
      expect.objectContaining({ code: 'INVALID_YAML', path: 'b.yaml', line: expect.any(Number) }),
      expect.objectContaining({ code: 'INVALID_JSON', path: 'c.json', line: 2, column: 7 }),
    ]);
    expect(await titles('kept')).toEqual([
      { path: 'a.md', title: 'A' },
      { path: 'b.yaml', title: 'B' },
      { path: 'c.json', title: 'C' },
      { path: 'd.md', title: 'D2' },
    ]);
    const again = await cloud.sync('kept', { ...broken, 'e.md': '# E\n' });
    expect(problemsIn(again)).toEqual(problemsIn(record));
    const mended = await cloud.sync('kept', {
      ...good,
      'd.md': '# D2\n',
      'e.md': '# E\n',
      'b.yaml': 'title: B3\n',
    });
    expect(mended.summary).toMatchObject({ updated: 1, unchanged: 4, problems: 0 });
  });

  const bomb = `a0: &a0 [x]\n${Array.from({ length: 30 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(9).fill(`*a${n}`).join(', ')}]`).join('\n')}\n`;
  const deep = '['.repeat(100_000);

  const bad: readonly (readonly [code: string, path: string, content: string | Buffer])[] = [
    ['INVALID_UTF8', 'latin.md', Buffer.from('# Caf\xe9\n', 'latin1')],
    ['INVALID_UTF8', 'utf16.json', Buffer.from('\ufeff{"a": 1}', 'utf16le')],
    ['NUL_IN_TEXT', 'nul.md', '# A\0B\n'],
    ['NUL_IN_TEXT', 'nul.json', '{"a": "x\\u0000y"}'],
    ['NUL_IN_TEXT', 'nul.yaml', 'a: "x\\0y"\n'],
    ['ANCHORS_EXPLODE', 'bomb.yaml', bomb],
    ['ANCHORS_EXPLODE', 'bomb.md', `---\n${bomb}---\n`],
    ['DUPLICATE_KEY', 'twice.yaml', 'a: 1\na: 2\n'],
    ['DUPLICATE_KEY', 'twice.json', '{"a": 1, "a": 2}'],
    ['INVALID_YAML', 'tab.yaml', 'a:\n\tb: 1\n'],
    ['TOO_DEEP', 'deep.json', deep],
    ['TOO_DEEP', 'deep.yaml', deep],
    ['EMPTY', 'empty.yaml', '# nothing\n'],
    ['EMPTY', 'empty.json', ''],
    ['INVALID_FRONT_MATTER', 'list.md', '---\n- a\n---\n'],
    ['NOT_STORABLE', 'big.json', '{"a": 1e400000}'],
    ['TOO_LARGE', 'large.yaml', `a: ${'x'.repeat(100 * 1024 * 1024)}\n`],
  ];

  it('is one problem, whatever is in it', async () => {
    const record = await cloud.sync('bad', {
      ...good,
      ...Object.fromEntries(bad.map(([, path, content]) => [path, content])),
      'z.md': '# Z\n',
    });
    expect(problemsIn(record)).toEqual(bad.map(([code, path]) => expect.objectContaining({ code, path })));
    expect((await titles('bad')).map((row) => row['title'])).toEqual(['A', 'B', 'C', 'Z']);
  });

  it('is one where it is not what its JSON Schema says', async () => {
    const schema = { properties: { score: { type: 'integer' } }, required: ['score'] };
    const files = catalogFile({ docs: { files: ['*.md'], format: 'markdown', schema } });
    const record = await cloud.sync('violated', {
      ...files,
      'a.md': '---\nscore: 0\n---\n',
      'b.md': '---\nscore: zero\n---\n',
      'c.md': '# C\n',
    });
    expect(record.summary).toMatchObject({ documents: 1, problems: 2 });
    expect(problemsIn(record)).toEqual([
      {
        code: 'SCHEMA_VIOLATION',
        path: 'b.md',
        collection: 'docs',
        message: expect.stringContaining('score must be integer'),
      },
      {
        code: 'SCHEMA_VIOLATION',
        path: 'c.md',
        collection: 'docs',
        message: expect.stringContaining('score'),
      },
    ]);
    expect(await cloud.query('SELECT key, score FROM violated.docs')).toEqual([{ key: 'a.md', score: '0' }]);
  });

  it('is one whatever it calls things', async () => {
    const schema = { type: 'object', properties: {}, additionalProperties: false };
    const files = catalogFile({ docs: { files: ['*.json'], format: 'json', schema } });
    const record = await cloud.sync('emoji', {
      ...files,
      'even.json': JSON.stringify({ ['😀'.repeat(400)]: 1 }),
      'odd.json': JSON.stringify({ [`x${'😀'.repeat(400)}`]: 1 }),
      'plain.json': '{}',
    });
    expect(problemsIn(record).map(({ path }) => path)).toEqual(['even.json', 'odd.json']);
  });

  it('is none for having more words than can be searched', async () => {
    const letters = Array.from({ length: 300 }, (_, index) => String.fromCodePoint(0x20000 + index));
    const words = letters.flatMap((one) =>
      letters.slice(0, 66).map((other) => `${one}${other}-${other}${one}`),
    );
    const record = await cloud.sync('wordy', { 'many.md': `# Many\n${words.join(' ')}\n`, 'a.md': '# A\n' });
    expect(record.summary).toMatchObject({ documents: 2, problems: 0 });
  });
});
