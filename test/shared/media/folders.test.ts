import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foldersOf, type MediaOwner, mediaOf, previewFolder } from '../../../shared/media/folders.ts';
import {
  isOwnObject,
  type MatchedRoute,
  type MediaRoute,
  routeOf,
  routeSchema,
} from '../../../shared/routes.ts';
import { bucket, mediaRoute, mediaRoutes, routesAndObject, userName } from './routes.ts';

const photos = mediaRoute('photos/{user}/original/**');
const ofTenants = mediaRoute('tenants/{tenant}/photos/{user}/**', 'tenants/{tenant}/scans/{user}/*.png');
const catalogue = mediaRoute('catalogue/**.png');

const match = (object: string, routes: readonly MediaRoute[]) =>
  routeOf({ bucket, object }, routes) as MatchedRoute<MediaRoute> | undefined;
const ownerOf = ({ parts }: MatchedRoute): MediaOwner => ({ user: parts['user'], tenant: parts['tenant'] });
const isSame = (one: MediaOwner, other: MediaOwner) => one.user === other.user && one.tenant === other.tenant;

describe('the folders of an owner', () => {
  it.each([
    [photos, { user: 'alice' }, ['photos/alice/'], ['previews/photos/alice/']],
    [
      ofTenants,
      { user: 'alice', tenant: 'acme' },
      ['tenants/acme/photos/alice/', 'tenants/acme/scans/alice/'],
      ['tenants/acme/previews/photos/alice/', 'tenants/acme/previews/scans/alice/'],
    ],
    [catalogue, { user: undefined }, ['catalogue/'], ['previews/catalogue/']],
    [mediaRoute('a/{user}/*.jpg', 'a/{user}/*.png'), { user: 'a' }, ['a/a/'], ['previews/a/a/']],
    [ofTenants, { user: '{tenant}', tenant: '$&' }, ['tenants/$&/photos/{tenant}/'], expect.anything()],
  ])('are those of the route: %#', (route, owner, [original], previews) => {
    const folders = foldersOf(route, owner);

    expect(folders.originals[0]).toBe(original);
    expect(folders.previews).toEqual(previews);
  });

  it.each([
    [photos, { user: undefined }],
    [photos, { user: '' }],
    [photos, { user: 'a/b' }],
    [photos, { user: 'alice', tenant: 'acme' }],
    [ofTenants, { user: 'alice' }],
    [ofTenants, { user: 'alice', tenant: '' }],
    [ofTenants, { user: undefined, tenant: 'acme' }],
    [catalogue, { user: 'alice' }],
  ])('are none where the route is about others, or nobody is called so: %#', (route, owner) => {
    expect(foldersOf(route, owner)).toEqual({ originals: [], previews: [] });
  });

  it('are where routes find their objects, and previews are put', () => {
    const counts = { matched: 0, unmatched: 0 };
    fc.assert(
      fc.property(routesAndObject, ({ routes, object }) => {
        const matched = match(object, routes);
        counts[matched ? 'matched' : 'unmatched'] += 1;
        if (matched === undefined) return;
        const { originals, previews } = foldersOf(matched.route, ownerOf(matched));
        expect(originals).toContain(matched.folder);
        const folder = previewFolder(matched, object);
        expect(previews).toContain(folder.replace(/[0-9a-f]{32}\/$/, ''));
        expect(isOwnObject(folder)).toBe(true);
      }),
      { numRuns: 3000 },
    );
    expect(Math.min(counts.matched, counts.unmatched)).toBeGreaterThan(300);
  });
});

describe('an image and its previews', () => {
  const preview = (object: string, routes: readonly MediaRoute[]) => {
    const matched = match(object, routes);
    return matched && `${previewFolder(matched, object)}1700000000000000-0123456789abcdef/400.webp`;
  };

  it('are their owner’s', () => {
    fc.assert(
      fc.property(userName, userName, userName, (user, tenant, file) => {
        const routes = [photos, ofTenants, catalogue];
        for (const [object, owner] of [
          [`photos/${user}/original/${file}`, { user }],
          [`tenants/${tenant}/photos/${user}/${file}`, { user, tenant }],
          [`catalogue/${file}.png`, { user: undefined }],
        ] as const) {
          const matched = match(object, routes);
          // What slashes make of it is somebody else's, or nobody's.
          if (matched === undefined || !isSame(ownerOf(matched), owner)) continue;
          expect(mediaOf({ bucket, name: object }, owner, routes)).toBe('original');
          expect(mediaOf({ bucket, name: preview(object, routes) ?? '' }, owner, routes)).toBe('preview');
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('are nobody else’s, whatever routes there are and however people are called', () => {
    const counts = { theirs: 0, others: 0 };
    const name = fc.option(userName, { nil: undefined });
    const asked = routesAndObject.chain((scene) =>
      fc
        .oneof(
          fc.record({ user: name, tenant: name }),
          fc.constantFrom<MediaOwner>(
            { user: scene.user },
            { user: scene.user, tenant: scene.tenant },
            { user: undefined, tenant: scene.tenant },
          ),
        )
        .map((asker) => ({ ...scene, asker })),
    );
    fc.assert(
      fc.property(asked, ({ routes, object, asker }) => {
        const matched = match(object, routes);
        const isTheirs = matched !== undefined && isSame(ownerOf(matched), asker);
        counts[isTheirs ? 'theirs' : 'others'] += 1;
        const got = (of: string) => mediaOf({ bucket, name: of }, asker, routes) !== undefined;
        expect(got(object)).toBe(isTheirs);
        const made = preview(object, routes);
        if (made !== undefined && !isTheirs) expect(got(made)).toBe(false);
      }),
      { numRuns: 5000 },
    );
    expect(Math.min(counts.theirs, counts.others)).toBeGreaterThan(200);
  });

  it('are never two people’s', () => {
    const asker = fc.record({
      user: fc.option(userName, { nil: undefined }),
      tenant: fc.option(fc.constantFrom('a', 'b'), { nil: undefined }),
    });
    const digest = '0123456789abcdef0123456789abcdef';
    const name = fc.tuple(
      fc.constantFrom('previews/', 'tenants/a/previews/', 'tenants/a/', ''),
      fc.array(fc.oneof(fc.constantFrom('photos', 'a', 'b', 'alice', digest, '1'), userName), {
        maxLength: 4,
      }),
      fc.constantFrom(`${digest}/1-0123456789abcdef/400.webp`, 'x.jpg', 'original/x.jpg', `1/${digest}`),
    );
    fc.assert(
      fc.property(mediaRoutes, asker, asker, name, (routes, one, other, [root, parts, end]) => {
        const place = { bucket, name: root + [...parts, end].join('/') };
        const got = [one, other].filter((each) => mediaOf(place, each, routes) !== undefined);
        if (got.length === 2) expect(isSame(one, other)).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['of another bucket', { bucket: 'others', name: 'photos/alice/original/a.jpg' }],
    ['that no route covers', { bucket, name: 'photos/alice/other/a.jpg' }],
    ['that is the folder', { bucket, name: 'photos/alice/' }],
    ['that is a folder of previews', { bucket, name: `previews/photos/alice/${'a'.repeat(32)}/` }],
    [
      'in the place of a digest',
      { bucket, name: 'previews/photos/alice/original/1-0123456789abcdef/a.webp' },
    ],
    ['without a recipe', { bucket, name: `previews/photos/alice/${'a'.repeat(32)}/1/a.webp` }],
    [
      'below a preview',
      { bucket, name: `previews/photos/alice/${'a'.repeat(32)}/1-0123456789abcdef/x/a.webp` },
    ],
    ['of the results', { bucket, name: `results/photos/alice/${'a'.repeat(32)}/1-0123456789abcdef/a.webp` }],
    [
      'of a tenant’s previews',
      { bucket, name: `tenants/a/previews/photos/alice/${'a'.repeat(32)}/1-0123456789abcdef/a.webp` },
    ],
  ])('are not taken from a name %s', (_, place) => {
    expect(mediaOf(place, { user: 'alice' }, [photos])).toBeUndefined();
  });

  it('are not what another kind of route covers before', () => {
    const manifests = routeSchema.parse({
      kind: 'manifest',
      bucket,
      objects: 'photos/{user}/original/*.yaml',
    });
    const place = { bucket, name: 'photos/alice/original/a.yaml' };

    expect(mediaOf(place, { user: 'alice' }, [photos])).toBe('original');
    expect(mediaOf(place, { user: 'alice' }, [manifests, photos])).toBeUndefined();
  });
});

it('each object has previews of its own, however alike their names are', () => {
  const folders = ['a.jpg', 'a.heic', 'A.jpg', 'a', 'a.jpg/', 'x/a.jpg'].map((file) => {
    const object = `photos/alice/original/${file}`;
    const matched = match(object, [photos]);
    return matched && previewFolder(matched, object);
  });

  expect(new Set(folders).size).toBe(folders.length);
  expect(folders[0]).toMatch(/^previews\/photos\/alice\/[0-9a-f]{32}\/$/);
});

describe('a route of images', () => {
  it.each(['photos/*/{user}/**', 'photos/{album}/{user}/**', 'photos/**/{user}/x'])(
    '%s is refused: its users have no folder of their own',
    (objects) => {
      expect(() => mediaRoute(objects)).toThrow(/must name the folders before \{user\}/);
    },
  );

  it('covers no previews, whatever its pattern', () => {
    expect(match('tenants/acme/previews/x', [mediaRoute('tenants/**')])).toBeUndefined();
  });
});
