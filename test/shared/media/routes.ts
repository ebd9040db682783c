import fc from 'fast-check';
import { type MediaRoute, routeSchema } from '../../../shared/routes.ts';

const target = { instance: 'acme-dev:europe-west1:main', database: 'app' };
export const bucket = 'uploads';

/** A media route for such objects: of tenants, where the patterns say so. */
export function mediaRoute(...objects: string[]): MediaRoute {
  const whose = objects.some((one) => one.includes('{tenant}')) ? {} : { target, schema: 'photos' };
  const route = routeSchema.parse({ kind: 'media', bucket, objects, ...whose });
  if (route.kind !== 'media') throw new Error(`not a media route: ${route.kind}`);
  return route;
}

/** What people may be called, of which some look like more than a name. */
export const userName = fc.oneof(
  fc.constantFrom(
    ...['a', 'b', 'a/b', '..', '.', '', 'alice', 'alice/../b', 'alice%2F', 'alice%2Fb', '/', 'a/', '%2e%2e'],
    ...['\u00e9', 'e\u0301', '{user}', '{tenant}', '$&', '$1', '*', '**', 'photos', 'previews', 'tenants'],
    ...['0123456789abcdef0123456789abcdef', '1', 'original', '\n', 'constructor'],
  ),
  fc.string({ maxLength: 6 }),
);

const folder = fc.constantFrom('photos', 'a', 'a/b', 'photos/alice', 'tenants', 'tenants/a');
const user = fc.constantFrom('', '/{user}', '/{user}', '/{user}');
const rest = fc.constantFrom(...['/**', '/original/**', '/*.jpg', '/x-*/**', '/**.png', '/{album}/*']);
const pattern = fc.tuple(folder, user, rest).map((parts) => parts.join(''));
const patterns = fc.array(pattern, { minLength: 1, maxLength: 3 });

/** Media routes of one bucket, in one another's way. */
export const mediaRoutes = fc
  .array(fc.tuple(patterns, fc.boolean()), { minLength: 1, maxLength: 3 })
  .map((list) =>
    list.map(([objects, ofTenants]) =>
      mediaRoute(...objects.map((one) => (ofTenants ? `tenants/{tenant}/${one}` : one))),
    ),
  );

/** Routes, and the name of an object that one of them covers, or almost: names may have slashes. */
export const routesAndObject = mediaRoutes.chain((routes) =>
  fc
    .record({
      pattern: fc.constantFrom(...routes.flatMap(({ objects }) => objects)),
      user: userName,
      tenant: userName,
      file: userName,
    })
    .map(({ pattern: chosen, user, tenant, file }) => {
      const parts: Readonly<Record<string, string>> = {
        '{user}': user,
        '{tenant}': tenant,
        '**': `${file}/x`,
      };
      const object = chosen.replaceAll(/\{\w+\}|\*\*|\*/g, (part) => parts[part] ?? file);
      return { routes, object, user, tenant };
    }),
);
