import { describe, expect, it } from 'vitest';
import { readyCollections } from '../../../../functions/sync-repo-metadata/catalog/collections.ts';
import { catalogSchema, defaultCatalog } from '../../../../functions/sync-repo-metadata/catalog/model.ts';
import type { OperationError } from '../../../../shared/operation/errors.ts';

const ready = (collections: object) => readyCollections(catalogSchema.parse({ collections }) as never);
const docs = { files: ['docs/**'], format: 'yaml' };

function problemsOf(collections: object): string[] {
  try {
    ready(collections);
    return [];
  } catch (error) {
    const { code, details = {} } = error as OperationError;
    expect(code).toBe('CATALOG_INVALID');
    return (details['problems'] as { path: string }[]).map(({ path }) => path);
  }
}

describe('a catalog', () => {
  it('has everything told that is wrong with it', () => {
    expect(
      problemsOf({
        one: { ...docs, files: ['/docs'], exclude: ['!x'], path: '{a}{b}', key: '{c}' },
        two: { ...docs, schema: { type: 'strin' } },
      }),
    ).toEqual([
      'collections.one.files',
      'collections.one.exclude',
      'collections.one.path',
      'collections.one.key',
      'collections.two.schema',
    ]);
  });

  it.each([
    ['leads back to itself', { properties: { a: { $ref: '#/properties/a' } } }],
    ['leads nowhere', { properties: { a: { $ref: '#/%' } } }],
    ['is endless by its items', { $defs: { a: { items: { $ref: '#/$defs/a' } } }, $ref: '#/$defs/a' }],
  ])('is refused whose schema %s', (_, schema) => {
    expect(problemsOf({ docs: { ...docs, schema } })).toEqual(['collections.docs.schema']);
  });

  it('may be none', () => {
    const [markdown, yaml] = readyCollections(defaultCatalog as never);
    expect(markdown?.covers('a/b.md')).toBe(true);
    expect(yaml?.place('a/b.yaml')).toEqual({ key: 'a/b.yaml', parts: {} });
  });
});

describe('a collection', () => {
  it('is defined by how its files are read, and not by which they are', () => {
    const definition = (more: object) => ready({ docs: { ...docs, ...more } })[0]?.definition;
    expect(definition({ files: ['other/**'], exclude: ['x'] })).toBe(definition({}));
    for (const more of [
      { format: 'json' },
      { key: '{stem}' },
      { path: '{a}' },
      { title: 'name' },
      { schema: {} },
      { language: 'english' },
      { references: [{ field: 'a', collection: 'docs' }] },
    ]) {
      expect(definition(more), JSON.stringify(more)).not.toBe(definition({}));
    }
  });

  it('has a column for what its paths are made of, and others for its metadata', () => {
    const schema = { properties: { id: { type: 'integer' }, score: { type: 'integer' } } };
    const [collection] = ready({ docs: { ...docs, path: 'docs/{id}.yaml', schema } });
    expect(collection?.names).toEqual(['id']);
    expect(collection?.columns.map(({ name }) => name)).toEqual(['metadata_id', 'score']);
  });

  it.each(['documents', 'documents_search', 'syncs_pkey'])('can’t be called %s', (name) => {
    expect(catalogSchema.safeParse({ collections: { [name]: docs } }).success).toBe(false);
  });
});
