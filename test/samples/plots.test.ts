import { describe, expect, it } from 'vitest';
import {
  type ResolvedCatalog,
  readyCollections,
} from '../../functions/sync-repo-metadata/catalog/collections.ts';
import { type Scanned, scan } from '../../functions/sync-repo-metadata/scan.ts';
import type { Archive, Entry } from '../../functions/sync-repo-metadata/source/entries.ts';
import type { StagedDocument } from '../../functions/sync-repo-metadata/tables/staging.ts';
import {
  faultyPath,
  filesPerPlot,
  type PlotsFault,
  plotId,
  plotsCatalog,
  plotsFiles,
  plotsTree,
} from '../support/plots.ts';

const collections = readyCollections(plotsCatalog() as ResolvedCatalog);

describe('a repository of plots', () => {
  it('is the same for the same options, and another for another seed', () => {
    expect(plotsTree({ plots: 3 })).toEqual(plotsTree({ plots: 3 }));
    const [one, other] = [plotsTree({ plots: 3 }), plotsTree({ plots: 3, seed: 2 })];
    expect(Object.keys(other)).toEqual(Object.keys(one));
    expect(Object.entries(other).filter(([file, content]) => one[file] === content)).toEqual([]);
  });

  it('begins with what a smaller one has, whatever else there is', () => {
    const files = Object.keys(plotsTree({ plots: 100 }));
    expect(files.slice(0, 2 * filesPerPlot)).toEqual(Object.keys(plotsTree({ plots: 2 })));
    expect(files).toHaveLength(100 * filesPerPlot);
    expect(new Set(Array.from({ length: 1000 }, (_, number) => plotId(number))).size).toBe(1000);
  });

  it('has files of different content, as long as they are to be', () => {
    const contents = [...plotsFiles({ plots: 20, fileBytes: 4000 })].map(([, content]) => content);
    expect(new Set(contents).size).toBe(contents.length);
    expect(contents.filter(({ length }) => length < 4000 || length >= 4500)).toEqual([]);
  });

  it('is covered by the shipped catalog: each file by one collection, whose key it has', () => {
    const files = Object.keys(plotsTree({ plots: 20 })).map((file) => {
      const [first, ...others] = collections.filter(({ covers }) => covers(file));
      return { file, others, placed: first?.place(file) };
    });
    expect(files.filter(({ others, placed }) => others.length > 0 || !placed || 'code' in placed)).toEqual(
      [],
    );
  });

  it('is read without a problem, and every reference leads to a document', async () => {
    const { staged, scanned } = await scanTree(plotsTree({ plots: 10, fileBytes: 2000 }));
    expect(scanned.problems).toMatchObject({ count: 0, first: [] });
    expect(scanned.staged).toEqual({ added: 10 * filesPerPlot, updated: 0 });
    expect(danglingOf(staged)).toEqual([]);
  });

  it('has columns of every type', () => {
    const types = collections.flatMap(({ columns }) => columns.map(({ type }) => type));
    expect([...new Set(types)].sort()).toEqual(
      ['bigint', 'boolean', 'jsonb', 'numeric', 'text', 'text[]', 'timestamptz'].sort(),
    );
  });
});

describe('a fault', () => {
  it('is in its own file, and all others are as they are without', () => {
    const whole = plotsTree({ plots: 8 });
    const faulty = plotsTree({ plots: 8, faults: faultsHere });
    const differing = [...new Set([...Object.keys(whole), ...Object.keys(faulty)])].filter(
      (file) => whole[file] !== faulty[file],
    );
    const named = Object.entries(faultsHere).map(([fault, plot]) => faultyPath(fault as PlotsFault, plot));
    expect(differing.sort()).toEqual(named.sort());
  });

  it.each<[PlotsFault, string]>([
    ['yaml-error', 'INVALID_YAML'],
    ['duplicate-field', 'DUPLICATE_KEY'],
    ['duplicate-key', 'KEY_TAKEN'],
    ['unknown-library', 'SCHEMA_VIOLATION'],
  ])('of %s is the one problem there is: %s', async (fault, code) => {
    const { staged, scanned } = await scanTree(plotsTree({ plots: 5, faults: { [fault]: 3 } }));
    const file = faultyPath(fault, 3);
    expect(scanned.problems.first).toMatchObject([{ code, path: file }]);
    expect(staged.some(({ path }) => path === file)).toBe(false);
    const isMore = fault === 'duplicate-key' || fault === 'unknown-library';
    expect(staged).toHaveLength(5 * filesPerPlot - (isMore ? 0 : 1));
  });

  it('of a file that is missing leaves a reference to nothing', async () => {
    const { staged } = await scanTree(plotsTree({ plots: 5, faults: { 'missing-file': 3 } }));
    expect(staged.map(({ path }) => path)).not.toContain(faultyPath('missing-file', 3));
    expect(danglingOf(staged)).toEqual([`specifications ${plotId(3)}`]);
  });

  it('is no score of 0: it is kept as one', async () => {
    const { staged, scanned } = await scanTree(plotsTree({ plots: 5, faults: { 'zero-score': 3 } }));
    expect(scanned.problems.count).toBe(0);
    const zeros = staged.filter(
      ({ collection, metadata }) =>
        collection === 'library_metadata' && JSON.parse(metadata).quality_score === 0,
    );
    expect(zeros.map(({ path }) => path)).toEqual([faultyPath('zero-score', 3)]);
  });
});

/** One in each plot. */
const faultsHere: Readonly<Record<PlotsFault, number>> = {
  'yaml-error': 0,
  'duplicate-field': 1,
  'duplicate-key': 2,
  'missing-file': 3,
  'unknown-library': 4,
  'zero-score': 5,
};

async function scanTree(
  tree: Record<string, string>,
): Promise<{ staged: StagedDocument[]; scanned: Scanned }> {
  const staged: StagedDocument[] = [];
  const scanned = await scan(archiveOf(tree), {
    collections,
    known: [],
    catalogFiles: {},
    rebuild: false,
    documentBytes: 1024 * 1024,
    stage: async (document) => {
      staged.push(document);
    },
  });
  return { staged, scanned };
}

function archiveOf(tree: Record<string, string>): Archive {
  return {
    commit: undefined,
    async *[Symbol.asyncIterator](): AsyncGenerator<Entry, void, void> {
      for (const [path, content] of Object.entries(tree)) {
        const bytes = Buffer.from(content);
        yield { path, kind: 'file', bytes: bytes.length, content: async () => bytes };
      }
    },
  };
}

/** Documents that others name and that aren't there. */
function danglingOf(staged: readonly StagedDocument[]): string[] {
  const there = new Set(staged.map(({ collection, key }) => `${collection} ${key}`));
  const named = staged.flatMap(({ refs }) =>
    (JSON.parse(refs) as { collection: string; key: string }[]).map(
      ({ collection, key }) => `${collection} ${key}`,
    ),
  );
  return [...new Set(named)].filter((one) => !there.has(one));
}
