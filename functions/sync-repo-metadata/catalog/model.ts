import * as z from 'zod';
import { text } from '../../../shared/postgres/target.ts';
import { formats } from '../documents/document.ts';
import { tables } from '../tables/definition.ts';

/** Where a repository says itself what there is in it. */
export const catalogPath = 'drover.catalog.yaml';

/** A file of a catalog is smaller: itself, or a JSON Schema. */
export const mostCatalogBytes = 256 * 1024;

/** Text search configurations that every PostgreSQL from 15 on has. */
export const languages = [
  'simple',
  'arabic',
  'armenian',
  'basque',
  'catalan',
  'danish',
  'dutch',
  'english',
  'finnish',
  'french',
  'german',
  'greek',
  'hindi',
  'hungarian',
  'indonesian',
  'irish',
  'italian',
  'lithuanian',
  'nepali',
  'norwegian',
  'portuguese',
  'romanian',
  'russian',
  'serbian',
  'spanish',
  'swedish',
  'tamil',
  'turkish',
  'yiddish',
] as const;

/** A collection's name is its view's. */
export const collectionName = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,62}$/, {
    error: 'must be lower-case letters, digits and underscores, and begin with a letter',
  })
  .refine((name) => !tables.some((table) => name === table || name.startsWith(`${table}_`)), {
    error: `begins with a name that the schema’s own tables and indexes have: ${tables.join(', ')}`,
  });

/** A path or a part of one, as it is written in a catalog. */
const pathText = text(512).min(1);

/** `specification.title`: a field of the metadata, by its keys from the outside in. */
const field = z.string().regex(/^[^.\0]{1,128}(?:\.[^.\0]{1,128}){0,7}$/, {
  error: 'must be the keys of a field of the metadata, separated by dots',
});

const reference = z.strictObject({
  /** The field that holds a key of the other collection, or a list of keys. */
  field,
  collection: collectionName,
});

const collection = z.strictObject({
  /** Globs of its files, from the repository's root. */
  files: z.array(pathText).min(1).max(20),
  /** Globs of files that are none of its own, though `files` covers them. */
  exclude: z.array(pathText).max(20).default([]),
  format: z.enum(formats),
  /**
   * What a path is made of: `plots/{id}/{language}/{library}.yaml`. A name stands for one part of the path, or some of one;
   * `{name...}` for one part or more.
   */
  path: pathText.optional(),
  /** How the key is made of the names in `path`; `{path}`, `{directory}`, `{stem}` and `{extension}` are always there. */
  key: pathText.default('{path}'),
  /** The field of the metadata that is the title. */
  title: field.default('title'),
  /** JSON Schema (2020-12) of the metadata, or the path of a file of the repository that holds one. */
  schema: z.union([z.record(z.string(), z.unknown()), pathText]).optional(),
  references: z.array(reference).max(20).default([]),
  /** The language that full text search takes its text to be in. */
  language: z.enum(languages).default('simple'),
});

/** The part of a collection that may be deleted, where nobody says. */
export const defaultMaxLoss = 0.25;

/** What there is in a repository. */
export const catalogSchema = z
  .strictObject({
    /** Of this format. */
    version: z.literal(1).default(1),
    collections: z
      .record(collectionName, collection)
      .refine((all) => Object.keys(all).length >= 1 && Object.keys(all).length <= 50, {
        error: 'must be 1 to 50 collections',
      }),
    /** A sync that would delete more than this part of a collection is refused. */
    maxLoss: z.number().min(0).max(1).default(defaultMaxLoss),
  })
  .superRefine(({ collections }, context) => {
    for (const [name, { references }] of Object.entries(collections)) {
      references.forEach(({ collection: other }, index) => {
        if (Object.hasOwn(collections, other)) return;
        context.addIssue({
          code: 'custom',
          path: ['collections', name, 'references', index, 'collection'],
          message: `there is no collection ${other}`,
        });
      });
    }
  });

export type Catalog = z.infer<typeof catalogSchema>;
export type Collection = Catalog['collections'][string];

/** Of a repository that has no catalog: every Markdown, YAML and JSON file, by its path. */
export const defaultCatalog: Catalog = catalogSchema.parse({
  collections: {
    markdown: { files: ['**/*.{md,markdown}'], format: 'markdown' },
    yaml: { files: ['**/*.{yaml,yml}'], format: 'yaml' },
    json: { files: ['**/*.json'], format: 'json' },
  },
});
