import type { Message } from '../grpc/server.ts';
import { invalidArgument } from './errors.ts';

const defaultPageSize = 100;
const maximumPageSize = 1_000;

/** One page of a list. */
export interface Page<Item> {
  readonly items: Item[];
  readonly nextPageToken: string;
  /** Of all pages. */
  readonly totalSize: number;
}

/**
 * A page of what is only ever added to, so that its place in the list can be the page token.
 *
 * @see https://google.aip.dev/158
 */
export function page<Item>(all: readonly Item[], { pageSize, pageToken }: Message): Page<Item> {
  const size = Number(pageSize ?? 0);
  if (size < 0) throw invalidArgument('The page size must not be negative.');
  const start = decode(pageToken);
  const end = start + Math.min(size || defaultPageSize, maximumPageSize);
  return {
    items: all.slice(start, end),
    nextPageToken: end < all.length ? Buffer.from(String(end)).toString('base64url') : '',
    totalSize: all.length,
  };
}

function decode(pageToken: unknown): number {
  if (!pageToken) return 0;
  const text = Buffer.from(String(pageToken), 'base64url').toString();
  if (!/^\d+$/.test(text)) throw invalidArgument('The page token is invalid.');
  return Number(text);
}
