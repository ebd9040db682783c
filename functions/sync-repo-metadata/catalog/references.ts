import type { Collection } from './model.ts';

/** A document that another one names. */
export interface Reference {
  readonly field: string;
  readonly collection: string;
  readonly key: string;
}

/** Of a document that names more, the rest is left out. */
const mostReferences = 1000;

/** No document has a longer key. */
const longestKeyBytes = 1000;

/** What a document's metadata refers to: each field holds a key, or a list of keys. */
export function referencesOf(metadata: unknown, declared: Collection['references']): Reference[] {
  return [...allReferences(metadata, declared).take(mostReferences)];
}

function* allReferences(metadata: unknown, declared: Collection['references']): Generator<Reference> {
  for (const { field, collection } of declared) {
    for (const key of valuesAt(metadata, field.split('.'))) yield { field, collection, key };
  }
}

/** The keys at a field; of a list on the way, at that field of each. What can't be a key is passed over. */
function* valuesAt(value: unknown, path: readonly string[]): Generator<string> {
  if (Array.isArray(value)) {
    for (const one of value) yield* valuesAt(one, path);
    return;
  }
  const [key, ...rest] = path;
  if (key === undefined) {
    if (typeof value !== 'string' && typeof value !== 'number') return;
    const text = String(value);
    if (canBeKey(text)) yield text;
    return;
  }
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return;
  yield* valuesAt((value as Record<string, unknown>)[key], rest);
}

function canBeKey(text: string): boolean {
  // No character is less than a byte.
  return text.length <= longestKeyBytes && Buffer.byteLength(text) <= longestKeyBytes && !text.includes('\0');
}
