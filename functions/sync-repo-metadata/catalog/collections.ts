import { createHash } from 'node:crypto';
import { canonicalJson } from '../../../shared/operation/canonical.ts';
import type { Format } from '../documents/document.ts';
import { type Column, columnsOf, misfit } from './columns.ts';
import { anyOf } from './globs.ts';
import { compileJsonSchema, type JsonSchema } from './json-schema.ts';
import type { Catalog, Collection } from './model.ts';
import { type CatalogProblem, catalogInvalid } from './refused.ts';
import { documentColumns, givenParts, keyTemplate, type Parts, pathTemplate } from './template.ts';

/** Rises when documents are read in another way than before, so that all are read again. */
const readingVersion = 1;

/** An index has no room for longer ones. */
const longestKeyBytes = 1000;

/** A catalog whose schemas are in it. */
export type ResolvedCatalog = Omit<Catalog, 'collections'> & {
  readonly collections: Readonly<Record<string, ResolvedCollection>>;
};
type ResolvedCollection = Omit<Collection, 'schema'> & { readonly schema?: JsonSchema | undefined };

/** A document's place in its collection, or why it has none. */
export type Placed =
  | { readonly key: string; readonly parts: Parts }
  | { readonly code: string; readonly message: string };

/** A collection of a catalog, ready for use. */
export interface ReadyCollection {
  readonly name: string;
  readonly format: Format;
  /** The field of the metadata that is the title. */
  readonly title: string;
  readonly language: string;
  readonly references: Collection['references'];
  /** What paths are made of, beside the metadata. */
  readonly names: readonly string[];
  readonly columns: readonly Column[];
  /** Of how its documents are read: others may make other rows of the same file. */
  readonly definition: string;
  covers(path: string): boolean;
  place(path: string): Placed;
  /** What is wrong with the metadata of a document. */
  violations(metadata: unknown): string[];
}

/**
 * @param where the file that the catalog is from; undefined where it is the message's
 * @throws OperationError `CATALOG_INVALID` with everything that is wrong with it
 */
export function readyCollections(catalog: ResolvedCatalog, where?: string): ReadyCollection[] {
  const problems: CatalogProblem[] = [];
  const ready = Object.entries(catalog.collections).map(([name, collection]) => {
    const attempt = <T>(field: string, make: () => T, otherwise: T): T => {
      try {
        return make();
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        problems.push({ path: `collections.${name}.${field}`, message });
        return otherwise;
      }
    };
    return readyCollection(name, collection, attempt);
  });
  if (problems.length > 0) throw catalogInvalid(problems, where);
  return ready;
}

type Attempt = <T>(field: string, make: () => T, otherwise: T) => T;

function readyCollection(name: string, collection: ResolvedCollection, attempt: Attempt): ReadyCollection {
  const { files, exclude, format, title, language, references, schema } = collection;
  const covered = attempt('files', () => anyOf(files), never);
  const excluded = attempt('exclude', () => anyOf(exclude), never);
  const template =
    collection.path === undefined
      ? undefined
      : attempt('path', () => pathTemplate(collection.path ?? ''), undefined);
  const names = template?.names ?? [];
  const keyOf = attempt(
    'key',
    () => keyTemplate(collection.key, names),
    () => '',
  );
  // Only of a schema that was found good its columns can be told.
  const { validate, columns } = attempt('schema', () => readySchema(schema, names), noSchema);
  const read = {
    readingVersion,
    format,
    path: collection.path,
    key: collection.key,
    title,
    language,
    references,
    schema,
  };
  return {
    name,
    format,
    title,
    language,
    references,
    names,
    columns,
    definition: createHash('sha256').update(canonicalJson(read)).digest('hex').slice(0, 16),
    covers: (path) => covered(path) && !excluded(path),
    place(path) {
      const parts = template ? template.take(path) : {};
      if (parts === undefined) {
        const message = `does not match ${collection.path}, the path of the collection ${name}: rename the file, or leave it out by exclude`;
        return { code: 'PATH_NOT_MATCHED', message };
      }
      const key = keyOf({ ...givenParts(path), ...parts });
      if (key !== '' && Buffer.byteLength(key) <= longestKeyBytes) return { key, parts };
      return {
        code: 'KEY_INVALID',
        message: `its key is ${key === '' ? 'empty' : `longer than ${longestKeyBytes} bytes`}`,
      };
    },
    violations(metadata) {
      const violations = validate(metadata);
      if (violations.length > 0) return violations;
      return columns.flatMap((column) => misfit(column, propertyOf(metadata, column.property)) ?? []);
    },
  };
}

interface ReadySchema {
  readonly validate: (metadata: unknown) => string[];
  readonly columns: readonly Column[];
}

const noSchema: ReadySchema = { validate: () => [], columns: [] };

function readySchema(schema: JsonSchema | undefined, names: readonly string[]): ReadySchema {
  if (schema === undefined) return noSchema;
  const validate = compileJsonSchema(schema);
  return { validate, columns: columnsOf(schema, [...documentColumns, ...names]) };
}

function never(): boolean {
  return false;
}

function propertyOf(metadata: unknown, property: string): unknown {
  if (typeof metadata !== 'object' || metadata === null || !Object.hasOwn(metadata, property))
    return undefined;
  return (metadata as Record<string, unknown>)[property];
}
