import type { StoredObject } from './object.ts';
import { compareUtf8, page } from './pages.ts';

/** What objects.list shows: objects, and in the place of those beyond a delimiter what their names begin with. */
export interface ObjectList {
  readonly items: readonly StoredObject[];
  readonly prefixes: readonly string[];
  readonly nextPageToken?: string;
}

interface Entry {
  readonly key: string;
  readonly object?: StoredObject;
}

/** @see https://cloud.google.com/storage/docs/json_api/v1/objects/list */
export function listObjects(
  objects: Iterable<StoredObject>,
  query: Readonly<Record<string, string>>,
): ObjectList {
  const { prefix = '', startOffset, endOffset } = query;
  const found = [...objects]
    .filter(({ name }) => name.startsWith(prefix))
    .filter(({ name }) => startOffset === undefined || compareUtf8(name, startOffset) >= 0)
    .filter(({ name }) => !endOffset || compareUtf8(name, endOffset) < 0)
    .sort((one, other) => compareUtf8(one.name, other.name));
  const { items, ...rest } = page(collapse(found, prefix, query), ({ key }) => key, query);
  return {
    items: items.flatMap(({ object }) => object ?? []),
    prefixes: items.filter(({ object }) => object === undefined).map(({ key }) => key),
    ...rest,
  };
}

/** @param objects sorted by name, all of which begin with the prefix */
function collapse(
  objects: readonly StoredObject[],
  prefix: string,
  { delimiter, includeTrailingDelimiter }: Readonly<Record<string, string>>,
): Entry[] {
  const entries: Entry[] = [];
  for (const object of objects) {
    const at = delimiter ? object.name.indexOf(delimiter, prefix.length) : -1;
    const common = at < 0 ? undefined : object.name.slice(0, at + (delimiter ?? '').length);
    if (common !== undefined && entries.findLast(isPrefix)?.key !== common) entries.push({ key: common });
    const shown = common === undefined || (includeTrailingDelimiter === 'true' && common === object.name);
    if (shown) entries.push({ key: object.name, object });
  }
  return entries;
}

function isPrefix({ object }: Entry): boolean {
  return object === undefined;
}
