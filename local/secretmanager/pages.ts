import type { Message } from '../grpc/server.ts';
import { invalidArgument } from './errors.ts';

const defaultPageSize = 100;
const maximumPageSize = 25_000;

/** One page of a list. */
export interface Page<Item> {
  readonly items: Item[];
  readonly nextPageToken: string;
  /** Of all pages; 0 where a filter is given. */
  readonly totalSize: number;
}

/**
 * A page of a list in which the newest comes first. A page token holds when the last item before the page was created,
 * so that items that come and go meanwhile neither shift nor repeat others.
 *
 * @param all in that order
 * @see https://google.aip.dev/158
 */
export function page<Item extends { readonly createTime: number }>(
  all: readonly Item[],
  matches: (item: Item) => boolean,
  { pageSize, pageToken, filter }: Message,
): Page<Item> {
  const size = Number(pageSize ?? 0);
  if (size < 0) throw invalidArgument('Page size must not be negative.');
  const before = decode(pageToken);
  const rest = all.filter((item) => item.createTime < before && matches(item));
  const items = rest.slice(0, Math.min(size || defaultPageSize, maximumPageSize));
  const last = items.at(-1);
  return {
    items,
    nextPageToken: last && rest.length > items.length ? encode(last.createTime) : '',
    totalSize: filter ? 0 : all.length,
  };
}

function encode(createTime: number): string {
  return Buffer.from(String(createTime)).toString('base64url');
}

function decode(pageToken: unknown): number {
  if (!pageToken) return Number.POSITIVE_INFINITY;
  const text = Buffer.from(String(pageToken), 'base64url').toString();
  if (!/^\d+$/.test(text)) throw invalidArgument('Invalid page token.');
  return Number(text);
}
