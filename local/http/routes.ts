import { notImplemented } from './api-error.ts';

/**
 * A method of a REST API: its verb, its path with parameters in braces (`instances/{instance}/users`), its name in the
 * API's reference, and parameters of the query that it takes.
 */
export type Route = readonly [verb: string, path: string, method: string, query?: readonly string[]];

/** A request without its body. */
export interface RoutedCall {
  /** As the API's reference names it, such as `users.list`. */
  readonly method: string;
  /** Parts of the path, decoded, by the names in the route. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
}

/** Parameters that every method has, and that change nothing here. */
const anyQuery = ['alt', 'prettyPrint'];

/**
 * @param prefix regular expression for what all paths begin with; its named groups are parts of the path, too
 * @returns what finds the method that a request calls; it throws ApiError 501 for a method or parameter that isn't here
 */
export function createRouter(
  prefix: string,
  routes: readonly Route[],
): (verb: string | undefined, url: string | undefined) => RoutedCall {
  const patterns = routes.map(([verb, path, method, query = []]) => ({
    verb,
    pattern: new RegExp(`^${prefix}${path.replace(/\{(\w+)\}/g, '(?<$1>[^/:]+)')}$`),
    method,
    query,
  }));
  return (verb, address) => {
    const url = new URL(address ?? '/', 'http://localhost');
    for (const route of patterns) {
      // A colon in a name says nothing about the path while it is encoded.
      const found = route.verb === verb ? route.pattern.exec(url.pathname) : null;
      if (found === null) continue;
      const known = [...route.query, ...anyQuery];
      const strange = [...url.searchParams.keys()].find((name) => !known.includes(name));
      if (strange !== undefined) throw notImplemented(`the parameter ${strange} of ${route.method}`);
      return {
        method: route.method,
        path: Object.fromEntries(
          Object.entries(found.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)]),
        ),
        query: Object.fromEntries(url.searchParams),
      };
    }
    throw notImplemented(`${verb} ${url.pathname}`);
  };
}
