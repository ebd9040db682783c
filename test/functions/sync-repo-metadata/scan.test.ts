import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readyCollections } from '../../../functions/sync-repo-metadata/catalog/collections.ts';
import { type Catalog, catalogSchema } from '../../../functions/sync-repo-metadata/catalog/model.ts';
import { blobHash } from '../../../functions/sync-repo-metadata/documents/read.ts';
import { CatalogChanged, type Scanned, scan } from '../../../functions/sync-repo-metadata/scan.ts';
import type { Archive, Entry } from '../../../functions/sync-repo-metadata/source/entries.ts';
import type { StagedDocument } from '../../../functions/sync-repo-metadata/tables/staging.ts';
import type { KnownDocument } from '../../../functions/sync-repo-metadata/tables/state.ts';

interface File {
  readonly path: string;
  readonly content: string;
  readonly link?: boolean;
}

function archiveOf(files: readonly File[]): Archive {
  return {
    commit: 'c'.repeat(40),
    async *[Symbol.asyncIterator]() {
      for (const { path, content, link } of files) {
        const bytes = Buffer.from(content);
        const entry: Entry = {
          path,
          kind: link ? 'link' : 'file',
          bytes: bytes.length,
          content: async () => bytes,
        };
        yield entry;
      }
    },
  };
}

const catalog = (collections: object): Catalog => catalogSchema.parse({ collections });
const docs = catalog({ docs: { files: ['docs/**'], format: 'yaml', key: '{stem}' } });

interface Ran {
  readonly scanned: Scanned;
  /** What will be written. */
  readonly staged: readonly StagedDocument[];
}

async function run(
  files: readonly File[],
  known: readonly KnownDocument[] = [],
  used: Catalog = docs,
  more: object = {},
): Promise<Ran> {
  const staged: StagedDocument[] = [];
  const scanned = await scan(archiveOf(files), {
    collections: readyCollections(used as never),
    known,
    catalogFiles: {},
    rebuild: false,
    documentBytes: 1000,
    stage: async (document) => void staged.push(document),
    ...more,
  });
  const isLoser = ({ collection, key, path }: StagedDocument) =>
    scanned.losers.some((one) => one.collection === collection && one.key === key && one.path === path);
  return { scanned, staged: staged.filter((one) => !isLoser(one)) };
}

/** The rows after a run. */
function rowsAfter(known: readonly KnownDocument[], { scanned, staged }: Ran): KnownDocument[] {
  const rows = new Map(known.map((row) => [`${row.collection} ${row.key}`, row]));
  for (const { collection, key } of scanned.gone) rows.delete(`${collection} ${key}`);
  for (const { collection, key, path, blob, definition } of staged)
    rows.set(`${collection} ${key}`, { collection, key, path, blob, definition });
  return [...rows.values()];
}

const codesOf = ({ scanned }: Ran) =>
  scanned.problems.first.map(({ code, path }) => `${code} ${path}`).sort();
const byKey = (rows: readonly KnownDocument[]) =>
  rows.map(({ key, path, blob }) => `${key} ${path} ${blob}`).sort();

describe('a scan', () => {
  it('stages what is new or changed, finds what is gone, and leaves the rest alone', async () => {
    const before = await run([
      { path: 'docs/a.yaml', content: 'n: 1' },
      { path: 'docs/b.yaml', content: 'n: 1' },
      { path: 'docs/c.yaml', content: 'n: 1' },
      { path: 'other/d.yaml', content: 'n: 1' },
    ]);
    const known = rowsAfter([], before);
    expect(before.staged.map(({ key }) => key)).toEqual(['a', 'b', 'c']);

    const ran = await run(
      [
        { path: 'docs/a.yaml', content: 'n: 1' },
        { path: 'docs/b.yaml', content: 'n: 2' },
        { path: 'docs/e.yaml', content: 'n: 1' },
      ],
      known,
    );
    expect(ran.staged.map(({ key }) => key)).toEqual(['b', 'e']);
    expect(ran.scanned.gone.map(({ key }) => key)).toEqual(['c']);
    expect(ran.scanned.staged).toEqual({ added: 1, updated: 1 });
    expect(ran.scanned.changes.get('docs')).toMatchObject({ before: 3, deleted: [{ path: 'docs/c.yaml' }] });
  });

  it('reads all of it where that is asked for', async () => {
    const files = [{ path: 'docs/a.yaml', content: 'n: 1' }];
    const known = rowsAfter([], await run(files));
    expect((await run(files, known)).staged).toEqual([]);
    expect((await run(files, known, docs, { rebuild: true })).staged).toHaveLength(1);
  });

  it('reads what is defined in another way again', async () => {
    const files = [{ path: 'docs/a.yaml', content: 'n: 1' }];
    const known = rowsAfter([], await run(files));
    const other = catalog({
      docs: { files: ['docs/**'], format: 'yaml', key: '{stem}', language: 'english' },
    });
    expect((await run(files, known, other)).staged).toHaveLength(1);
  });

  it('keeps the rows of files that can’t be read', async () => {
    const names = ['a', 'b', 'c', 'd'];
    const known = rowsAfter(
      [],
      await run(names.map((name) => ({ path: `docs/${name}.yaml`, content: 'n: 1' }))),
    );
    const ran = await run(
      [
        { path: 'docs/a.yaml', content: 'n: [1' },
        { path: 'docs/b.yaml', content: '#'.repeat(1001) },
        { path: 'docs/c.yaml', content: '../elsewhere', link: true },
        { path: 'docs/d.yaml', content: 'n: 1' },
      ],
      known,
    );
    expect(codesOf(ran)).toEqual(['INVALID_YAML docs/a.yaml', 'LINK docs/c.yaml', 'TOO_LARGE docs/b.yaml']);
    expect(ran.scanned.gone).toEqual([]);
    expect(ran.staged).toEqual([]);
  });

  it('keeps the row of a file whose metadata its schema doesn’t allow', async () => {
    const checked = (schema: object) => catalog({ docs: { files: ['**'], format: 'yaml', schema } });
    const files = [{ path: 'a.yaml', content: 'score: none' }];
    const known = rowsAfter([], await run(files, [], checked({})));
    const ran = await run(files, known, checked({ properties: { score: { type: 'integer' } } }));
    expect(codesOf(ran)).toEqual(['SCHEMA_VIOLATION a.yaml']);
    expect(ran.scanned.gone).toEqual([]);
  });

  it('keeps a row by its path where the path gives no key any more', async () => {
    const one = (path?: string) => catalog({ docs: { files: ['**'], format: 'yaml', path } });
    const files = [{ path: 'a/b.yaml', content: 'n: 1' }];
    const known = rowsAfter([], await run(files, [], one()));
    const ran = await run(files, known, one('{name}.yaml'));
    expect(codesOf(ran)).toEqual(['PATH_NOT_MATCHED a/b.yaml']);
    expect(ran.scanned.gone).toEqual([]);
  });

  it('deletes the rows of a collection that is no more', async () => {
    const files = [{ path: 'docs/a.yaml', content: 'n: 1' }];
    const known = rowsAfter([], await run(files));
    const other = catalog({ files: { files: ['docs/**'], format: 'yaml' } });
    const ran = await run(files, known, other);
    expect(ran.scanned.gone.map(({ collection }) => collection)).toEqual(['docs']);
    expect(ran.staged.map(({ collection }) => collection)).toEqual(['files']);
  });

  it('takes a file for each collection that covers it', async () => {
    const two = catalog({
      docs: { files: ['**/*.yaml'], format: 'yaml' },
      sources: { files: ['**'], format: 'source' },
    });
    const { staged } = await run([{ path: 'a.yaml', content: 'n: 1' }], [], two);
    expect(staged.map(({ collection, text }) => [collection, text])).toEqual([
      ['docs', undefined],
      ['sources', 'n: 1'],
    ]);
  });

  it('finds that the catalog is another one', async () => {
    const content = 'collections: {}';
    const files = [{ path: 'drover.catalog.yaml', content }];
    const withCatalog = (catalogFiles: object) => run(files, [], docs, { catalogFiles });
    const blob = blobHash(Buffer.from(content));
    await expect(withCatalog({ 'drover.catalog.yaml': blob })).resolves.toBeDefined();
    await expect(withCatalog({ 'drover.catalog.yaml': null })).rejects.toThrow(CatalogChanged);
    await expect(withCatalog({ 'drover.catalog.yaml': 'other' })).rejects.toThrow(CatalogChanged);
    await expect(withCatalog({ 'drover.catalog.yaml': blob, 'a.json': 'x' })).rejects.toThrow(CatalogChanged);
    await expect(withCatalog({})).resolves.toBeDefined();
  });
});

it('a repository of more documents than there is memory for is refused', async () => {
  const files = Array.from({ length: 100_001 }, (_, index) => ({
    path: `docs/${index}`,
    content: '',
    link: true,
  }));
  await expect(run(files)).rejects.toMatchObject({ code: 'TOO_MANY_DOCUMENTS' });
});

describe('files with the same key', () => {
  const both = [
    { path: 'docs/a/x.yaml', content: 'n: 1' },
    { path: 'docs/b/x.yaml', content: 'n: 2' },
  ];

  it.each([
    ['in order', both],
    ['the other way round', both.toReversed()],
  ])('are told of, and the first path has it: %s', async (_, files) => {
    const ran = await run(files);
    expect(ran.staged.map(({ path }) => path)).toEqual(['docs/a/x.yaml']);
    expect(codesOf(ran)).toEqual(['KEY_TAKEN docs/b/x.yaml']);
  });

  it('give it to each other', async () => {
    const known = rowsAfter([], await run(both));
    const ran = await run(both.slice(1), known);
    expect(ran.staged.map(({ path }) => path)).toEqual(['docs/b/x.yaml']);
    expect(ran.scanned.gone).toEqual([]);
    expect(ran.scanned.staged).toEqual({ added: 0, updated: 1 });
  });

  it('that differ in case are two', async () => {
    const files = [
      { path: 'docs/X.yaml', content: 'n: 1' },
      { path: 'docs/x.yaml', content: 'n: 2' },
    ];
    expect((await run(files)).staged.map(({ key }) => key)).toEqual(['X', 'x']);
  });
});

describe('any history of trees', () => {
  const path = fc.constantFrom('docs/a/x.yaml', 'docs/b/x.yaml', 'docs/x.yaml', 'docs/y.yaml', 'docs/z.yaml');
  const content = fc.constantFrom('n: 1', 'n: 2', 'n: 3');
  const tree = fc.uniqueArray(fc.record({ path, content }), { selector: (file) => file.path, maxLength: 5 });

  it('ends with the rows that the last tree alone would give, in whatever order its files come', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(tree, { minLength: 1, maxLength: 4 }), async (trees) => {
        let rows: KnownDocument[] = [];
        for (const files of trees) rows = rowsAfter(rows, await run(files, rows));
        const last = [...(trees.at(-1) ?? [])].sort((one, other) => (one.path < other.path ? -1 : 1));
        expect(byKey(rows)).toEqual(byKey(rowsAfter([], await run(last))));
      }),
    );
  });

  it('leaves nothing to do where the last tree comes again', async () => {
    await fc.assert(
      fc.asyncProperty(tree, tree, async (first, second) => {
        const rows = rowsAfter([], await run(first));
        const next = rowsAfter(rows, await run(second, rows));
        const again = await run(second, next);
        expect(again.scanned.gone).toEqual([]);
        expect(byKey(rowsAfter(next, again))).toEqual(byKey(next));
        expect(again.staged).toEqual([]);
      }),
    );
  });
});
