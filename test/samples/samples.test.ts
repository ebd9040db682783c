import { createReadStream, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import picomatch from 'picomatch';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readyCollections } from '../../functions/sync-repo-metadata/catalog/collections.ts';
import { findCatalog } from '../../functions/sync-repo-metadata/catalog/find.ts';
import { catalogPath, catalogSchema } from '../../functions/sync-repo-metadata/catalog/model.ts';
import { referencesOf } from '../../functions/sync-repo-metadata/catalog/references.ts';
import { scan } from '../../functions/sync-repo-metadata/scan.ts';
import { readTar } from '../../functions/sync-repo-metadata/source/tar.ts';
import type { StagedDocument } from '../../functions/sync-repo-metadata/tables/staging.ts';
import { samples, type UnpackedArchive, unpack } from './archive.ts';

describe('sqlstates.tar.gz', () => {
  let archive: UnpackedArchive;
  let documents: Documents;
  beforeAll(async () => {
    archive = await unpack('sqlstates.tar.gz');
    documents = documentsOf(archive.files);
  });

  it('is what git archive makes of a release', () => {
    expect(archive.root).toBe('sqlstates-1.0.0');
    expect(archive.commit).toMatch(/^[0-9a-f]{40}$/);
    expect([...archive.types].sort()).toEqual(['Directory', 'File']);
    // As its readme says, which has to be changed when it is packed anew.
    expect(readFileSync(path.join(samples, 'README.md'), 'utf8')).toContain(archive.commit);
  });

  it('has as many documents as its readme says', () => {
    const counts = Object.fromEntries(Object.entries(documents).map(([name, { size }]) => [name, size]));
    expect(counts).toEqual({
      codes: 262,
      classes: 43,
      examples: 139,
      scripts: 139,
      drivers: 22,
      policies: 9,
      guides: 6,
    });
    const readme = archive.files.get('README.md')?.toString() ?? '';
    for (const name of ['codes', 'classes', 'examples', 'drivers', 'policies'])
      expect(readme).toMatch(new RegExp(String.raw`\[${name}\].* ${counts[name]} \|`));
  });

  it('has metadata that is valid by its own schemas, as strictly as they can be read', () => {
    const { collections } = catalogOf(archive.files);
    const ajv = strictAjv();
    for (const [name, { schema }] of Object.entries(collections)) {
      if (typeof schema !== 'string') continue;
      const validate = ajv.compile(JSON.parse(archive.files.get(schema)?.toString() ?? ''));
      const invalid = [...(documents[name] ?? [])].flatMap(([key, { metadata }]) =>
        validate(metadata) ? [] : [{ key, errors: validate.errors }],
      );
      expect(invalid).toEqual([]);
    }
  });

  it('has no reference that leads nowhere, in metadata and in links', () => {
    const { collections } = catalogOf(archive.files);
    const all = Object.entries(collections).flatMap(([name, { references }]) =>
      [...(documents[name]?.values() ?? [])].flatMap(({ metadata }) => referencesOf(metadata, references)),
    );
    expect(all.filter(({ collection, key }) => !documents[collection]?.has(key))).toEqual([]);
    expect(all.length).toBeGreaterThan(800);

    const files = [...archive.files.keys()];
    const foldersOf = (file: string) =>
      file.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'));
    const places = new Set(files.flatMap(foldersOf));
    const links = files
      .filter((file) => file.endsWith('.md'))
      .flatMap((file) => linksOf(archive.files, file));
    expect(links.filter(({ to }) => !places.has(to))).toEqual([]);
    expect(links.length).toBeGreaterThan(500);
  });

  it('is read by Drover without a problem, to the last document', async () => {
    const signal = AbortSignal.timeout(30_000);
    const open = async () =>
      readTar(createReadStream(path.join(samples, 'sqlstates.tar.gz')), {
        limits: { entries: 1000, bytes: 2 ** 20 },
        retryable: false,
        signal,
      });
    const { catalog, files: catalogFiles } = await findCatalog(open, undefined);
    const staged: StagedDocument[] = [];
    const scanned = await scan(await open(), {
      collections: readyCollections(catalog),
      known: [],
      catalogFiles,
      rebuild: false,
      documentBytes: 2 ** 16,
      stage: async (document) => {
        staged.push(document);
      },
    });
    expect(scanned).toMatchObject({ commit: archive.commit, problems: { count: 0, first: [] } });
    const paths = Object.values(documents).flatMap((all) => [...all.values()].map((one) => one.path));
    expect(staged.map((one) => one.path).sort()).toEqual(paths.sort());
    expect(staged.filter(({ collection, title }) => collection !== 'scripts' && !title)).toEqual([]);
  });

  it('says of each code what follows from the code', () => {
    const { codes, classes, policies } = documents;
    const byClass = new Map<string, number>();
    for (const [key, { metadata, path: file }] of codes ?? []) {
      const { code, class: of, retry, retryable } = metadata as Record<string, unknown>;
      expect({ code, of, file }).toEqual({ code: key, of: key.slice(0, 2), file: `codes/${of}/${key}.md` });
      expect(retryable).toBe(retry !== 'none');
      expect(textOf(archive.files, file)).toContain(`\n# ${key}: `);
      byClass.set(String(of), (byClass.get(String(of)) ?? 0) + 1);
    }
    for (const [key, { metadata }] of classes ?? []) {
      expect(metadata).toMatchObject({ class: key, codes: byClass.get(key) });
    }
    for (const { metadata } of policies?.values() ?? []) {
      const { codes: named, attempts } = metadata as { codes: string[]; attempts: number };
      for (const code of named) expect(codes?.get(code)?.metadata).toMatchObject({ retryable: attempts > 0 });
    }
  });

  it('has what is hard to keep: zeros, codes that look like numbers, offsets', () => {
    const all = [...(documents['codes']?.values() ?? [])].map(
      ({ metadata }) => metadata as Record<string, unknown>,
    );
    expect(all.filter(({ frequency }) => frequency === 0).length).toBeGreaterThan(50);
    expect(all.filter(({ code }) => /^\d+$/.test(String(code))).length).toBeGreaterThan(100);
    expect(new Set(all.map(({ reviewed }) => String(reviewed).slice(19))).size).toBeGreaterThan(3);
  });
});

describe('the shipped catalogs', () => {
  const files = globSync('catalogs/*.yaml', { cwd: samples });

  it('are those that the documentation speaks of', () => {
    expect(files.sort()).toEqual(['catalogs/minimal.yaml', 'catalogs/plots.yaml']);
  });

  it.each(files)('%s can be used', (file) => {
    const catalog = catalogSchema.parse(parse(readFileSync(path.join(samples, file), 'utf8')));
    const ajv = strictAjv();
    for (const { schema } of Object.values(catalog.collections))
      if (typeof schema === 'object') ajv.compile(schema);
    // Whatever has schemas in it is resolved.
    expect(() => readyCollections(catalog as Parameters<typeof readyCollections>[0])).not.toThrow();
  });

  it('makes keys of pages by their folders', () => {
    const catalog = catalogSchema.parse(
      parse(readFileSync(path.join(samples, 'catalogs/minimal.yaml'), 'utf8')),
    );
    const [pages] = readyCollections(catalog as Parameters<typeof readyCollections>[0]);
    const covered = ['docs/index.md', 'docs/guides/install.md', 'docs/drafts/new.md', 'README.md'].filter(
      (file) => pages?.covers(file),
    );
    expect(covered.map((file) => pages?.place(file))).toMatchObject([
      { key: 'index' },
      { key: 'guides/install' },
    ]);
  });
});

interface Document {
  readonly path: string;
  readonly metadata: unknown;
}

/** By collection and key. */
type Documents = Readonly<Record<string, ReadonlyMap<string, Document>>>;

function catalogOf(files: ReadonlyMap<string, Buffer>) {
  return catalogSchema.parse(parse(textOf(files, catalogPath)));
}

/** Read by the libraries that everybody has and not by Drover. */
function documentsOf(files: ReadonlyMap<string, Buffer>): Documents {
  const catalog = catalogOf(files);
  const withoutSchemas = Object.fromEntries(
    Object.entries(catalog.collections).map(([name, { schema: _, ...rest }]) => [name, rest]),
  );
  const collections = readyCollections({ ...catalog, collections: withoutSchemas });
  return Object.fromEntries(
    collections.map(({ name, format, place }) => {
      const covers = picomatch(catalog.collections[name]?.files ?? []);
      const documents = new Map<string, Document>();
      for (const file of [...files.keys()].filter((one) => covers(one))) {
        const placed = place(file);
        if (!('key' in placed)) throw new Error(`${file}: ${placed.message}`);
        if (documents.has(placed.key)) throw new Error(`${file}: ${placed.key} is there twice`);
        documents.set(placed.key, { path: file, metadata: metadataOf(format, textOf(files, file)) });
      }
      return [name, documents];
    }),
  );
}

function metadataOf(format: string, text: string): unknown {
  switch (format) {
    case 'json':
      return JSON.parse(text);
    case 'yaml':
      return parse(text);
    case 'markdown':
      return parse(/^---\n(.*?)^---\n/ms.exec(text)?.[1] ?? '{}');
    default:
      return {};
  }
}

/** Where the links of a page lead that stay within the repository. */
function linksOf(files: ReadonlyMap<string, Buffer>, from: string) {
  return [...textOf(files, from).matchAll(/\]\(([^)#:]+)\)/g)].map(([, link = '']) => ({
    from,
    to: path.posix.join(path.posix.dirname(from), link),
  }));
}

function textOf(files: ReadonlyMap<string, Buffer>, file: string): string {
  const content = files.get(file);
  if (content === undefined) throw new Error(`there is no ${file}`);
  return new TextDecoder('utf-8', { fatal: true }).decode(content);
}

function strictAjv(): Ajv2020 {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
  // By its default: the module is CommonJS.
  (addFormats as unknown as { default: (to: Ajv2020) => void }).default(ajv);
  return ajv;
}
