import { beforeAll, describe, expect, it } from 'vitest';
import { writeObject } from '../../../shared/gcp/storage/write.ts';
import { type MediaUrlRequest, signMediaUrl } from '../../../shared/media/sign.ts';
import { bucket, get, useStorage } from '../gcp/storage/fixture.ts';
import { mediaRoute } from './routes.ts';

const storage = useStorage();
const { signal } = new AbortController();
const routes = ['photos/{user}/original/**', 'tenants/{tenant}/photos/{user}/**', 'catalogue/**'].map(
  (objects) => ({ ...mediaRoute(objects), bucket }),
);
const digest = '0123456789abcdef0123456789abcdef';
const original = 'photos/alice/original/2026/Ä "1".jpg';
const preview = `previews/photos/alice/${digest}/1-0123456789abcdef/400.webp`;
const theirs = [
  ['alice’s original', { user: 'alice', object: original }],
  ['alice’s preview', { user: 'alice', object: preview }],
  ['a tenant’s original', { user: 'alice', tenant: 'acme', object: 'tenants/acme/photos/alice/a.jpg' }],
  [
    'a tenant’s preview',
    {
      user: 'alice',
      tenant: 'acme',
      object: `tenants/acme/previews/photos/alice/${digest}/1-0123456789abcdef/400.webp`,
    },
  ],
  ['one of a catalogue', { user: undefined, object: 'catalogue/a.png' }],
] as const;

const sign = (request: Omit<MediaUrlRequest, 'bucket' | 'signal'>) =>
  signMediaUrl({ bucket, signal, ...request }, routes);

beforeAll(async () => {
  for (const [, { object }] of theirs) {
    const contentType = object.endsWith('.webp') ? 'image/webp' : 'text/html';
    await writeObject({ bucket, name: object }, object, { signal, contentType, cacheControl: 'private' });
  }
});

describe('a URL', () => {
  it.each(theirs)('of %s is its owner’s', async (_, request) => {
    expect(await get(await sign(request))).toMatchObject({ status: 200, text: request.object });
  });

  it('lasts a quarter of an hour', async () => {
    const url = await sign({ user: 'alice', object: preview });
    storage.server.advance(14 * 60);
    expect(await get(url)).toMatchObject({ status: 200 });
    storage.server.advance(2 * 60);
    expect(await get(url)).toMatchObject({ status: 400, code: 'ExpiredToken' });
    storage.server.advance(-16 * 60);
  });

  it('lasts a week at most', async () => {
    const seconds = 7 * 24 * 60 * 60;
    expect(await get(await sign({ user: 'alice', object: preview, seconds }))).toMatchObject({ status: 200 });
    await expect(sign({ user: 'alice', object: preview, seconds: seconds + 1 })).rejects.toMatchObject({
      code: 'UNSIGNABLE',
    });
  });

  it('of somebody’s is not another’s, whatever is changed in it', async () => {
    await writeObject({ bucket, name: 'photos/bob/original/a.jpg' }, 'bob’s', {
      signal,
      contentType: 'image/jpeg',
    });
    await writeObject({ bucket, name: 'photos/alice/original/a.jpg' }, 'alice’s', {
      signal,
      contentType: 'image/jpeg',
    });
    const url = await sign({ user: 'alice', object: 'photos/alice/original/a.jpg' });
    expect(await get(url)).toMatchObject({ status: 200, text: 'alice’s' });
    for (const path of ['photos/bob/original/a.jpg', 'photos/alice/../bob/original/a.jpg', preview]) {
      const changed = url.replace('photos/alice/original/a.jpg', path);
      expect(await get(changed)).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' });
    }
  });

  it('is of one generation, if asked for', async () => {
    const place = { bucket, name: 'photos/alice/original/generations.jpg' };
    const { generation } = await writeObject(place, 'first', { signal, contentType: 'image/jpeg' });
    const url = await sign({ user: 'alice', object: place.name, generation });
    expect(await get(url)).toMatchObject({ status: 200, text: 'first' });

    await writeObject(place, 'second', { signal, contentType: 'image/jpeg' });

    expect(await get(url)).toMatchObject({ status: 404 });
  });
});

describe('an original', () => {
  const saved = `attachment; filename="_ _1_.jpg"; filename*=UTF-8''%C3%84%20%221%22.jpg`;

  it.each([
    ['without a type that was found', {}, 'application/octet-stream', saved],
    ['that is no image', { contentType: 'text/html', inline: true }, 'application/octet-stream', saved],
    ['that runs scripts', { contentType: 'image/svg+xml', inline: true }, 'application/octet-stream', saved],
    ['to be saved', { contentType: 'image/heic' }, 'image/heic', saved],
    [
      'to be looked at',
      { contentType: 'image/jpeg', inline: true },
      'image/jpeg',
      saved.replace('attachment', 'inline'),
    ],
  ])('%s is served so', async (_, options, contentType, contentDisposition) => {
    const { headers } = await get(await sign({ user: 'alice', object: original, ...options }));

    expect(headers).toMatchObject({
      'content-type': contentType,
      'content-disposition': contentDisposition,
    });
  });
});

it('a preview is served as Drover wrote it', async () => {
  const { headers } = await get(await sign({ user: 'alice', object: preview, contentType: 'text/html' }));

  expect(headers).toMatchObject({ 'content-type': 'image/webp', 'cache-control': 'private' });
  expect(headers).not.toHaveProperty('content-disposition');
});

describe('nobody has signed', () => {
  const others = [
    'bob',
    'Alice',
    'alice ',
    'alic',
    'alice/',
    '',
    'alice%2F',
    '..',
    'alice/../alice',
    'ali\u0301ce',
  ];
  it.each(theirs.flatMap(([what, request]) => others.map((user) => [what, user, request] as const)))(
    '%s as %j',
    async (_, user, request) => {
      await expect(sign({ ...request, user })).rejects.toMatchObject({
        code: 'NOT_YOURS',
        retryable: false,
        message: expect.stringContaining(request.object),
      });
    },
  );

  it.each([
    ['as no user', { user: undefined, object: original }],
    ['as another tenant’s', { user: 'alice', tenant: 'other', object: theirs[2][1].object }],
    ['as no tenant’s', { user: 'alice', object: theirs[3][1].object }],
    ['as a tenant’s', { user: 'alice', tenant: 'acme', object: original }],
    ['what no route covers', { user: 'alice', object: 'photos/alice/secret.txt' }],
    ['a manifest’s result', { user: 'alice', object: 'results/photos/alice/1.json' }],
    [
      'a folder of another by way of the own one',
      { user: 'alice', object: 'photos/alice/../bob/original/a.jpg' },
    ],
  ])('an object %s', async (_, request) => {
    await expect(sign(request)).rejects.toMatchObject({ code: 'NOT_YOURS' });
  });

  it('what a browser would take for another’s', async () => {
    await expect(
      sign({ user: 'alice', object: 'photos/alice/original/../../bob/original/a.jpg' }),
    ).rejects.toMatchObject({ code: 'UNSIGNABLE' });
  });
});
