import { invalidArgument } from './errors.ts';

const defaultPageSize = 100;

/**
 * One page of a list in the order of names. A page token names the last item before the page, so that items
 * which come and go meanwhile neither shift nor repeat others.
 *
 * @see https://google.aip.dev/158
 */
export function page<Item>(
  items: readonly Item[],
  nameOf: (item: Item) => string,
  pageSize: unknown,
  pageToken: unknown,
): { items: Item[]; nextPageToken: string } {
  const size = Number(pageSize ?? 0) || defaultPageSize;
  if (size < 0) throw invalidArgument(`The value for page_size must not be negative. You passed ${size}.`);
  const after = decode(pageToken);
  const rest = items
    .filter((item) => after === '' || nameOf(item) > after)
    .sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const shown = rest.slice(0, size);
  const last = shown.at(-1);
  const more = rest.length > shown.length && last !== undefined;
  return { items: shown, nextPageToken: more ? Buffer.from(nameOf(last)).toString('base64url') : '' };
}

function decode(pageToken: unknown): string {
  if (pageToken === undefined || pageToken === '') return '';
  const name = Buffer.from(String(pageToken), 'base64url').toString();
  if (!name.startsWith('projects/')) throw invalidArgument(`Invalid page_token given (${pageToken}).`);
  return name;
}
