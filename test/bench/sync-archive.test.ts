import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readyCollections } from '../../functions/sync-repo-metadata/catalog/collections.ts';
import { findCatalog } from '../../functions/sync-repo-metadata/catalog/find.ts';
import { scan } from '../../functions/sync-repo-metadata/scan.ts';
import { readTar } from '../../functions/sync-repo-metadata/source/tar.ts';
import type { StagedDocument } from '../../functions/sync-repo-metadata/tables/staging.ts';
import { writeArchive } from './sync-archive.ts';
import { languages, type Tree } from './sync-repository.ts';

const commit = 'c'.repeat(40);
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'drover-sync-archive-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What Drover finds in it. */
async function documentsOf(tree: Tree) {
  const file = path.join(folder, `${JSON.stringify(tree)}.tar.gz`);
  const archived = await writeArchive(file, tree, commit);
  const open = async () =>
    readTar(createReadStream(file), {
      limits: { entries: 10_000, bytes: 1e9 },
      retryable: false,
      signal: new AbortController().signal,
    });
  const { catalog, files: catalogFiles } = await findCatalog(open, undefined);
  const documents: StagedDocument[] = [];
  const scanned = await scan(await open(), {
    collections: readyCollections(catalog),
    known: [],
    catalogFiles,
    rebuild: false,
    documentBytes: 1e6,
    stage: async (document) => {
      documents.push(document);
    },
  });
  return { archived, scanned, documents };
}

it('is an archive of a commit in which Drover finds every document, and nothing wrong', async () => {
  const { archived, scanned, documents } = await documentsOf({ documents: 300 });

  expect(archived.files).toBe(300 + 4);
  expect(scanned).toMatchObject({ commit, files: 300, problems: { count: 0 } });
  expect(new Set(documents.map(({ collection }) => collection))).toEqual(new Set(Object.keys(languages)));
  const keys = new Set(documents.map(({ collection, key }) => `${collection} ${key}`));
  expect(keys.size).toBe(300);
  const named = documents.flatMap(({ refs }) => JSON.parse(refs) as { collection: string; key: string }[]);
  expect(named.length).toBeGreaterThan(300);
  expect(named.filter(({ collection, key }) => !keys.has(`${collection} ${key}`))).toEqual([]);
});

it('is the same each time, but for the one article that was changed', async () => {
  const blobs = async (tree: Tree) =>
    (await documentsOf(tree)).documents.map(({ path: at, blob }) => `${at} ${blob}`);
  const before = await blobs({ documents: 100 });
  const changed = await blobs({ documents: 100, changed: 7 });

  expect(await blobs({ documents: 100 })).toEqual(before);
  expect(changed.filter((one) => !before.includes(one))).toEqual([
    expect.stringMatching(/^content\/guides\/article-00007\.md /),
  ]);
});
