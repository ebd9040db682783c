import type { Collection } from './model.ts';

/** A document that another one names. */
export interface Reference {
  readonly field: string;
  readonly collection: string;
  readonly key: string;
}

/** Of a document that names more, the rest is left out. */
const mostReferences = 1000;

/** What a document's metadata refers to: each field holds a key, or a list of keys. */
export function referencesOf(metadata: unknown, declared: Collection['references']): Reference[] {
  return declared
    .flatMap(({ field, collection }) =>
      valuesAt(metadata, field.split('.')).map((key) => ({ field, collection, key })),
    )
    .slice(0, mostReferences);
}

/** The texts and numbers at a field; of a list on the way, at that field of each. */
function valuesAt(value: unknown, keys: readonly string[]): string[] {
  if (Array.isArray(value)) return value.flatMap((one) => valuesAt(one, keys));
  const [key, ...rest] = keys;
  if (key === undefined) return typeof value === 'string' || typeof value === 'number' ? [String(value)] : [];
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return [];
  return valuesAt((value as Record<string, unknown>)[key], rest);
}
