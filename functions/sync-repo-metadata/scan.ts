import { OperationError } from '../../shared/operation/errors.ts';
import type { ReadyCollection } from './catalog/collections.ts';
import type { CatalogFiles } from './catalog/find.ts';
import { mostCatalogBytes } from './catalog/model.ts';
import { referencesOf } from './catalog/references.ts';
import type { Problem } from './documents/document.ts';
import { blobHash, readDocument } from './documents/read.ts';
import type { Change } from './loss.ts';
import type { Archive, Entry } from './source/entries.ts';
import type { StagedDocument } from './tables/staging.ts';
import type { KnownDocument } from './tables/state.ts';
import { wordsOf } from './words.ts';

export interface ScanOptions {
  readonly collections: readonly ReadyCollection[];
  /** The rows there are. */
  readonly known: readonly KnownDocument[];
  /** The files that the catalog was made of. */
  readonly catalogFiles: CatalogFiles;
  /** Read files also that are as they were. */
  readonly rebuild: boolean;
  /** A longer file is not read. */
  readonly documentBytes: number;
  readonly stage: (document: StagedDocument) => Promise<void>;
}

/** What there is in an archive, against what there is in the tables. */
export interface Scanned {
  readonly commit: string | undefined;
  /** That collections cover, each counted for each of them. */
  readonly files: number;
  /** Documents that are staged: of how many there was no row, and of how many one that may be another. */
  readonly staged: { readonly added: number; readonly updated: number };
  /** Documents that were staged and are not to be written: another file has their key. */
  readonly losers: readonly Pick<StagedDocument, 'collection' | 'key' | 'path'>[];
  /** Rows whose files are gone. */
  readonly gone: readonly KnownDocument[];
  readonly changes: ReadonlyMap<string, Change>;
  readonly problems: Problems;
}

/** Thrown where the repository's own catalog isn't the one that is used: read that first, and begin anew. */
export class CatalogChanged extends Error {
  override readonly name = 'CatalogChanged';
}

/** All of what is wrong, and the first of it. */
export class Problems {
  readonly first: Problem[] = [];
  count = 0;

  add(problem: Problem): void {
    this.count += 1;
    if (this.first.length === mostProblems) return;
    this.first.push({ ...problem, message: storable(problem.message) });
  }
}

/** Of more nobody reads the list; how many there are is told. */
export const mostProblems = 1000;

/** Messages quote what files say, cut anywhere, and PostgreSQL has no NUL and no half of a character. */
function storable(message: string): string {
  return message.slice(0, 1000).replaceAll('\0', '\ufffd').toWellFormed();
}

/** Each is known by its key, path and hash while an archive is read: about a kilobyte. */
const mostDocuments = 100_000;

function tooManyDocuments(): OperationError {
  return new OperationError(
    'TOO_MANY_DOCUMENTS',
    `The repository has more than ${mostDocuments} documents, a file counted for each collection that covers it: have its catalog cover less`,
    { details: { most: mostDocuments } },
  );
}

/** Reads an archive from its beginning to its end, and stages what is new or not as it was. */
export async function scan(archive: Archive, options: ScanOptions): Promise<Scanned> {
  const run = new Scan(options);
  for await (const entry of archive) await run.take(entry);
  return run.end(archive.commit);
}

interface Holder {
  readonly path: string;
  readonly staged: boolean;
}

class Scan {
  readonly #options: ScanOptions;
  readonly #known: ReadonlyMap<string, KnownDocument>;
  /** Which file has a key, by collection and key. */
  readonly #holders = new Map<string, Holder>();
  readonly #losers: Scanned['losers'][number][] = [];
  /** Files that stay what they were in the tables, by collection and path. */
  readonly #kept = new Set<string>();
  readonly #catalogFiles = new Set<string>();
  readonly #problems = new Problems();
  #files = 0;

  constructor(options: ScanOptions) {
    this.#options = options;
    this.#known = new Map(options.known.map((one) => [pair(one.collection, one.path), one]));
  }

  async take(entry: Entry): Promise<void> {
    const { path } = entry;
    const isCatalog = this.#isOfCatalog(path);
    const covering = this.#options.collections.filter(({ covers }) => covers(path));
    if (covering.length === 0 && !isCatalog) return;
    let read: Promise<{ content: Buffer; blob: string }> | undefined;
    const contentOf = () => {
      read ??= entry.content().then((content) => ({ content, blob: blobHash(content) }));
      return read;
    };
    if (isCatalog) await this.#compareCatalog(entry, contentOf);
    for (const collection of covering) await this.#document(entry, collection, contentOf);
  }

  end(commit: string | undefined): Scanned {
    const { catalogFiles, known } = this.#options;
    const isMissing = ([path, blob]: [string, string | null]) =>
      blob !== null && !this.#catalogFiles.has(path);
    if (Object.entries(catalogFiles).some(isMissing)) throw new CatalogChanged();
    const gone = known.filter(
      ({ collection, key, path }) =>
        !this.#holders.has(pair(collection, key)) && !this.#kept.has(pair(collection, path)),
    );
    const changes = new Map<string, { before: number; deleted: KnownDocument[] }>();
    for (const one of known) {
      const change = changes.get(one.collection) ?? { before: 0, deleted: [] };
      change.before += 1;
      changes.set(one.collection, change);
    }
    for (const one of gone) changes.get(one.collection)?.deleted.push(one);
    return {
      commit,
      files: this.#files,
      staged: this.#countStaged(),
      losers: this.#losers,
      gone,
      changes,
      problems: this.#problems,
    };
  }

  #countStaged(): Scanned['staged'] {
    const there = new Set(this.#options.known.map(({ collection, key }) => pair(collection, key)));
    let added = 0;
    let updated = 0;
    for (const [at, { staged }] of this.#holders) {
      if (staged && there.has(at)) updated += 1;
      else if (staged) added += 1;
    }
    return { added, updated };
  }

  #isOfCatalog(path: string): boolean {
    return Object.hasOwn(this.#options.catalogFiles, path);
  }

  async #compareCatalog(
    { path, kind, bytes }: Entry,
    contentOf: () => Promise<{ blob: string }>,
  ): Promise<void> {
    // Who reads it says what is wrong with it.
    if (kind === 'link' || bytes > mostCatalogBytes) throw new CatalogChanged();
    const { blob } = await contentOf();
    if (this.#options.catalogFiles[path] !== blob) throw new CatalogChanged();
    this.#catalogFiles.add(path);
  }

  async #document(
    { path, kind, bytes }: Entry,
    collection: ReadyCollection,
    contentOf: () => Promise<{ content: Buffer; blob: string }>,
  ): Promise<void> {
    this.#files += 1;
    if (this.#files > mostDocuments) throw tooManyDocuments();
    const { name, format, title } = collection;
    const problem = (fault: Omit<Problem, 'path' | 'collection'>) => {
      this.#kept.add(pair(name, path));
      this.#problems.add({ ...fault, path, collection: name });
    };
    const placed = collection.place(path);
    if ('code' in placed) return problem(placed);
    const { key, parts } = placed;
    const holds = this.#holdKey(name, key, path);
    if (!holds) return;
    if (kind === 'link') {
      return problem({ code: 'LINK', message: 'is a symbolic link, which is not followed' });
    }
    const { documentBytes, rebuild, stage } = this.#options;
    if (bytes > documentBytes) {
      const message = `has ${bytes} bytes: more than ${documentBytes} (DROVER_DOCUMENT_BYTES) are not read`;
      return problem({ code: 'TOO_LARGE', message });
    }
    const { content, blob } = await contentOf();
    const known = this.#known.get(pair(name, path));
    const isAsItWas = known?.blob === blob && known.definition === collection.definition && known.key === key;
    if (isAsItWas && !rebuild) return;
    const reading = readDocument(format, content, title);
    if ('fault' in reading) return problem(reading.fault);
    const { metadata, json, text } = reading.content;
    const violations = collection.violations(metadata);
    if (violations.length > 0) {
      return problem({ code: 'SCHEMA_VIOLATION', message: violations.join('; ') });
    }
    this.#holders.set(pair(name, key), { path, staged: true });
    await stage({
      collection: name,
      key,
      path,
      parts: JSON.stringify(parts),
      blob,
      definition: collection.definition,
      language: collection.language,
      title: reading.content.title,
      metadata: json,
      text,
      words: wordsOf(metadata),
      refs: JSON.stringify(referencesOf(metadata, collection.references)),
    });
  }

  /** Of files with the same key the one whose path comes first has it, in whatever order they are read. */
  #holdKey(collection: string, key: string, path: string): boolean {
    const at = pair(collection, key);
    const holder = this.#holders.get(at);
    const [first, second] =
      holder === undefined || path < holder.path ? [path, holder?.path] : [holder.path, path];
    if (second !== undefined) {
      this.#problems.add({
        code: 'KEY_TAKEN',
        path: second,
        collection,
        message: `has the key ${key} of ${first}: only that one is used. Make keys of more of the path`,
      });
    }
    if (first !== path) return false;
    if (holder?.staged) this.#losers.push({ collection, key, path: holder.path });
    this.#holders.set(at, { path, staged: false });
    return true;
  }
}

/** Two texts as one: neither has a NUL. */
function pair(one: string, other: string): string {
  return `${one}\0${other}`;
}
