import type { Call } from './call.ts';
import { invalid } from './errors.ts';

const defaultSize = 50;

/**
 * A page of a list. The token is the id of the last item before the page, so that items that come and go meanwhile
 * neither shift nor repeat others.
 *
 * @param all in the order of their ids; `compare` says which one that is
 */
export function page<Item>(
  all: readonly Item[],
  idOf: (item: Item) => string,
  { query }: Pick<Call, 'query'>,
): { items: Item[]; nextPageToken: string | undefined } {
  const sorted = all.toSorted((a, b) => order(idOf(a), idOf(b)));
  const after = query['pageToken'] ? decode(query['pageToken']) : undefined;
  const rest = after === undefined ? sorted : sorted.filter((item) => order(idOf(item), after) > 0);
  const items = rest.slice(0, sizeOf(query) ?? defaultSize);
  const last = items.at(-1);
  return { items, nextPageToken: last && items.length < rest.length ? encode(idOf(last)) : undefined };
}

/** @throws ApiError 400 unless `maxResults` is a whole number, zero or more */
export function sizeOf({ maxResults }: Call['query']): number | undefined {
  if (maxResults === undefined) return undefined;
  if (/^\d+$/.test(maxResults)) return Number(maxResults);
  throw invalid(`Invalid value for maxResults: ${maxResults}`);
}

export function encode(position: string): string {
  return Buffer.from(`after:${position}`).toString('base64url');
}

/** @throws ApiError 400 for a token that was not given here */
export function decode(token: string): string {
  const [, position] = /^after:(.*)$/s.exec(Buffer.from(token, 'base64url').toString()) ?? [];
  if (position === undefined) throw invalid('Invalid page token.');
  return position;
}

function order(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
