import { blobHash, readDocument } from '../documents/read.ts';
import type { Archive } from '../source/entries.ts';
import type { ResolvedCatalog } from './collections.ts';
import type { JsonSchema } from './json-schema.ts';
import { type Catalog, catalogPath, catalogSchema, defaultCatalog, mostCatalogBytes } from './model.ts';
import { catalogInvalid } from './refused.ts';

/** Files of a repository that a catalog is made of, with their blobs; null for one that isn't there, and would be if it were. */
export type CatalogFiles = Readonly<Record<string, string | null>>;

/** A catalog, and what it was made of. */
export interface FoundCatalog {
  readonly catalog: ResolvedCatalog;
  readonly files: CatalogFiles;
  /** What is to be named when something is wrong with it. */
  readonly where: string | undefined;
}

/**
 * The catalog of a repository, with the JSON Schemas that it names. The archive is read for it as far as the files are: they
 * may be anywhere, and what is before them in the archive can't be understood without.
 *
 * @param given the message's, instead of the repository's own
 * @throws OperationError `CATALOG_INVALID`
 */
export async function findCatalog(
  open: () => Promise<Archive>,
  given: Catalog | undefined,
): Promise<FoundCatalog> {
  const own = given === undefined ? (await readFiles(open, [catalogPath])).get(catalogPath) : undefined;
  const catalog = given ?? (own ? parseCatalog(own) : defaultCatalog);
  const where = given === undefined ? catalogPath : 'config';
  const paths = Object.values(catalog.collections).flatMap(({ schema }) =>
    typeof schema === 'string' ? [schema] : [],
  );
  const schemas = paths.length > 0 ? await readFiles(open, paths) : new Map<string, Buffer>();
  const missing = [...new Set(paths)].filter((path) => !schemas.has(path));
  if (missing.length > 0) {
    throw catalogInvalid(
      missing.map((path) => ({ path, message: 'is named as a schema, and is no file of the repository' })),
      where,
    );
  }
  const collections = Object.entries(catalog.collections).map(([name, collection]) => {
    const { schema, ...rest } = collection;
    if (schema === undefined) return [name, rest];
    return [
      name,
      { ...rest, schema: typeof schema === 'string' ? parseSchema(schema, schemas.get(schema)) : schema },
    ];
  });
  return {
    catalog: { ...catalog, collections: Object.fromEntries(collections) as ResolvedCatalog['collections'] },
    files: {
      ...(given === undefined && { [catalogPath]: own ? blobHash(own) : null }),
      ...Object.fromEntries([...schemas].map(([path, content]) => [path, blobHash(content)])),
    },
    where: own || given ? where : undefined,
  };
}

/** Some files of an archive, which is read until all of them were found. */
async function readFiles(
  open: () => Promise<Archive>,
  paths: readonly string[],
): Promise<Map<string, Buffer>> {
  const wanted = new Set(paths);
  const found = new Map<string, Buffer>();
  for await (const entry of await open()) {
    const { path, kind, bytes } = entry;
    if (!wanted.has(path)) continue;
    if (kind === 'link') throw catalogInvalid([{ path, message: 'is a symbolic link' }], path);
    if (bytes > mostCatalogBytes) {
      throw catalogInvalid([{ path, message: `has more than ${mostCatalogBytes} bytes` }], path);
    }
    found.set(path, await entry.content());
    wanted.delete(path);
    if (wanted.size === 0) break;
  }
  return found;
}

function parseCatalog(content: Buffer): Catalog {
  const parsed = catalogSchema.safeParse(parse('yaml', catalogPath, content));
  if (parsed.success) return parsed.data;
  throw catalogInvalid(
    parsed.error.issues.map((issue) => ({
      path: issue.path.join('.') || 'the catalog',
      message: issue.message,
    })),
  );
}

function parseSchema(path: string, content: Buffer | undefined): JsonSchema {
  const value = parse(path.endsWith('.json') ? 'json' : 'yaml', path, content ?? Buffer.alloc(0));
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonSchema;
  throw catalogInvalid([{ path, message: 'is no JSON Schema: it has to be an object' }], path);
}

function parse(format: 'yaml' | 'json', path: string, content: Buffer): unknown {
  const reading = readDocument(format, content);
  if ('content' in reading) return reading.content.metadata;
  const { message, line } = reading.fault;
  throw catalogInvalid([{ path, message, ...(line === undefined ? {} : { line }) }], path);
}
