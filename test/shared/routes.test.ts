import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isOwnObject, type Route, routeOf, routeSchema } from '../../shared/routes.ts';

const target = { instance: 'acme-dev:europe-west1:main', database: 'app' };
const photos = {
  kind: 'media',
  bucket: 'uploads',
  objects: 'photos/{user}/original/**',
  target,
  schema: 'photos',
};

const routes: readonly Route[] = [
  photos,
  { kind: 'media', bucket: 'uploads', objects: 'catalogue/**.png', target, schema: 'site' },
  { kind: 'media', bucket: 'tenants', objects: 'tenants/{tenant}/photos/{user}/**' },
  { kind: 'manifest', bucket: 'uploads', objects: ['manifests/**.yaml', 'manifests/**.yml'] },
  {
    kind: 'archive',
    bucket: 'uploads',
    objects: ['repositories/**.tar.gz', 'repositories/**.zip'],
    target,
  },
  { kind: 'archive', bucket: 'uploads', objects: 'other/{repository}-*.zip', target },
].map((route) => routeSchema.parse(route));

const found = (object: string, bucket = 'uploads') => {
  const { route, parts, folder } = routeOf({ bucket, object }, routes) ?? {};
  return route && { route: routes.indexOf(route), ...parts, folder };
};

describe('the route of an object', () => {
  it.each([
    ['photos/alice/original/a.jpg', { route: 0, user: 'alice', rest: 'a.jpg', folder: 'photos/alice/' }],
    [
      'photos/alice/original/2026/a.jpg',
      { route: 0, user: 'alice', rest: '2026/a.jpg', folder: 'photos/alice/' },
    ],
    ['photos/a@b.c/original/\n', { route: 0, user: 'a@b.c', rest: '\n', folder: 'photos/a@b.c/' }],
    ['photos/alice/other/a.jpg', undefined],
    ['photos//original/a.jpg', undefined],
    ['photos/a/b/original/a.jpg', undefined],
    ['xphotos/alice/original/a.jpg', undefined],
    ['catalogue/x/y.png', { route: 1, rest: 'x/y', folder: 'catalogue/' }],
    ['catalogue/x/y.PNG', undefined],
    ['manifests/app.yaml', { route: 3, rest: 'app', folder: 'manifests/' }],
    ['manifests/a/b.yml', { route: 3, rest: 'a/b', folder: 'manifests/' }],
    ['manifests/app.json', undefined],
    ['repositories/acme/plots.tar.gz', { route: 4, rest: 'acme/plots', folder: 'repositories/' }],
    ['repositories/plots.zip', { route: 4, rest: 'plots', folder: 'repositories/' }],
    ['other/plots-1.zip', { route: 5, repository: 'plots', folder: 'other/' }],
    ['other/a/plots-1.zip', undefined],
  ])('%s', (object, expected) => {
    expect(found(object)).toEqual(expected);
  });

  it('is one of its own bucket', () => {
    expect(found('photos/alice/original/a.jpg', 'tenants')).toBeUndefined();
    expect(found('tenants/acme/photos/bob/a.jpg', 'tenants')).toEqual({
      route: 2,
      tenant: 'acme',
      user: 'bob',
      rest: 'a.jpg',
      folder: 'tenants/acme/photos/bob/',
    });
  });

  it('puts no object into the folder of another user, or of another tenant', () => {
    const part = fc.string({
      unit: fc.constantFrom('a', 'b', '.', '/', '%', '\n'),
      minLength: 1,
      maxLength: 5,
    });
    fc.assert(
      fc.property(part, part, part, part, (one, other, tenant, rest) => {
        const objects = [
          [`photos/${one}/original/${rest}`, 'uploads'],
          [`photos/${other}/original/${rest}`, 'uploads'],
          [`tenants/${tenant}/photos/${one}/${rest}`, 'tenants'],
          [`tenants/${tenant}/photos/${other}/${rest}`, 'tenants'],
        ] as const;
        const matched = objects.flatMap(([object, bucket]) => {
          const route = routeOf({ bucket, object }, routes);
          return route ? [{ ...route, object }] : [];
        });
        for (const a of matched) {
          expect(a.object.startsWith(a.folder)).toBe(true);
          for (const b of matched) {
            const same = a.parts['user'] === b.parts['user'] && a.parts['tenant'] === b.parts['tenant'];
            expect(b.object.startsWith(a.folder)).toBe(same);
          }
        }
      }),
    );
  });
});

describe('what Drover writes', () => {
  it.each(['previews/a', 'results/a', 'tenants/acme/previews/x', 'tenants/acme/results/x'])(
    '%s is its own',
    (object) => {
      expect(isOwnObject(object)).toBe(true);
    },
  );

  it.each(['photos/previews/a', 'previews', 'Results/a', 'tenants/previews', 'a/tenants/b/previews/c'])(
    '%s is not',
    (object) => {
      expect(isOwnObject(object)).toBe(false);
    },
  );

  it('is never covered by a route, whatever its pattern', () => {
    const piece = fc.constantFrom(
      ...[
        'previews/',
        'results/',
        'tenants/{tenant}/',
        'photos/',
        '{user}/',
        '**',
        '*',
        'a',
        '/',
        '.',
        'tenants/',
      ],
    );
    const name = fc
      .array(fc.constantFrom('previews/', 'results/', 'tenants/', 'x/', 'photos/', 'a', '/'), {
        maxLength: 6,
      })
      .map((parts) => parts.join(''));
    const bucket = 'uploads';
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 5 }), name, (pieces, object) => {
        const given = { kind: 'manifest', bucket, objects: pieces.join('') };
        const parsed = routeSchema.safeParse(given);
        if (parsed.success && isOwnObject(object)) {
          expect(routeOf({ bucket, object }, [parsed.data])).toBeUndefined();
        }
      }),
      { numRuns: 5000 },
    );
  });
});

describe('a route', () => {
  const twice = [
    { name: 'a', width: 100, formats: ['png'] },
    { name: 'a', width: 200, formats: ['png'] },
  ];
  const archive = { kind: 'archive', bucket: 'uploads', objects: 'repositories/**.zip', target };

  it.each([
    ['a field that it has not', { ...photos, user: 'alice' }, /unrecognized/i],
    ['a kind that there is not', { ...photos, kind: 'video' }, /kind|discriminator/i],
    ['a pattern that is everything', { ...photos, objects: '**' }, /name of a folder/],
    ['a pattern that begins with a name', { ...photos, objects: '{user}/**' }, /name of a folder/],
    ['a tenant’s folder, all of it', { ...photos, objects: 'tenants/{tenant}/**' }, /go on with the name/],
    ['its own previews', { ...photos, objects: 'previews/{user}/**' }, /Drover writes to/],
    ['a brace that holds nothing', { ...photos, objects: 'photos/{}/**' }, /braces/],
    ['a name twice', { ...photos, objects: 'photos/{user}/{user}/**' }, /twice/],
    ['** twice', { ...photos, objects: 'photos/{user}/**/**' }, /\*\* twice/],
    ['a user that is part of a name', { ...photos, objects: 'photos/{user}-*' }, /folder of its own/],
    ['three that vary between slashes', { ...archive, objects: 'repositories/*-*-**.zip' }, /more than two/],
    ['no target', { ...photos, target: undefined }, /is needed/],
    ['no schema', { ...photos, schema: undefined }, /is needed/],
    ['a target beside a tenant', { ...photos, objects: 'tenants/{tenant}/a/{user}/**' }, /no place/],
    ['the name of a preview twice', { ...photos, previews: twice }, /one twice/],
    ['a preview of no format', { ...photos, previews: [{ name: 'a', width: 100, formats: [] }] }, />=1/],
    [
      'an archive without a name',
      { ...archive, objects: 'repositories/*.zip' },
      /what the repository is called/,
    ],
    ['a bucket that is none', { ...archive, bucket: 'Uploads!' }, /name of a bucket/],
  ])('is refused with %s', (_, given, problem) => {
    const parsed = routeSchema.safeParse(given);
    expect(parsed.error?.message).toMatch(problem);
  });

  it('of images has the sizes that pages ask for, by default', () => {
    const parsed = routeSchema.parse(photos);
    expect(parsed).toMatchObject({ table: 'media', gps: false, bytes: 52_428_800, pixels: 50_000_000 });
    const files = 'previews' in parsed ? parsed.previews.map(({ name, formats }) => [name, ...formats]) : [];
    expect(files).toEqual([
      ['thumbnail', 'jpeg'],
      ['400', 'webp', 'png'],
      ['800', 'webp', 'png'],
      ['1200', 'webp', 'png'],
    ]);
  });
});
