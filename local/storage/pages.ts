import { invalid } from './errors.ts';

const maximumResults = 1000;

/** A page of a list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextPageToken?: string;
}

/**
 * A page of a list that is sorted by keys. A page token holds the last key before the page, so that items that come and
 * go meanwhile neither shift nor repeat others.
 *
 * @param all in the order of their keys, by UTF-8 bytes
 */
export function page<Item>(
  all: readonly Item[],
  keyOf: (item: Item) => string,
  { maxResults, pageToken }: Readonly<Record<string, string>>,
): Page<Item> {
  const after = pageToken === undefined ? undefined : decode(pageToken);
  const rest = after === undefined ? all : all.filter((item) => compareUtf8(keyOf(item), after) > 0);
  const items = rest.slice(0, sizeOf(maxResults));
  const last = items.at(-1);
  return {
    items,
    ...(last !== undefined && rest.length > items.length && { nextPageToken: encode(keyOf(last)) }),
  };
}

/** Which text comes first, by UTF-8 bytes: not by UTF-16 units, as JavaScript has it. */
export function compareUtf8(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

function sizeOf(maxResults: string | undefined): number {
  if (maxResults === undefined) return maximumResults;
  if (!/^\d+$/.test(maxResults) || Number(maxResults) === 0) {
    throw invalid(`Invalid value '${maxResults}' for maxResults.`);
  }
  return Math.min(Number(maxResults), maximumResults);
}

function encode(key: string): string {
  return Buffer.from(key).toString('base64');
}

function decode(token: string): string {
  const key = Buffer.from(token, 'base64').toString();
  if (key === '' || encode(key) !== token) throw invalid('Invalid page token.');
  return key;
}
