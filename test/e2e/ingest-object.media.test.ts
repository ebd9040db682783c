import { readFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import sharp from 'sharp';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { localPassword } from '../../local/postgres/cloudsql.ts';
import { localProject } from '../../local/stack.ts';
import { listMedia } from '../../shared/media/list.ts';
import { signMediaUrl } from '../../shared/media/sign.ts';
import { routeSchema } from '../../shared/routes.ts';
import { get } from '../shared/gcp/storage/fixture.ts';
import { cameraExif, photograph } from '../support/photos.ts';
import { target, uploads } from '../support/stack.ts';
import { claimingToBeHuge, contentOf, expectShown, rowsOf } from './media.ts';
import { documentIdOf, operationIdOf, routes, useObjects } from './objects.ts';
import { zipped } from './repositories.ts';
import { tenantMessage } from './tenants.ts';

const tenants = `${localProject}-tenants`;
const tenantRoute = {
  kind: 'media',
  bucket: tenants,
  objects: 'tenants/{tenant}/photos/{user}/original/**',
  previews: [{ name: 'small', width: 32, formats: ['webp'] }],
};

const cloud = useObjects({ environment: { DROVER_ROUTES: JSON.stringify([...routes, tenantRoute]) } });

let tests = 0;
/** Of each test one: all in his folder is the test's. */
let user: string;
let object: string;
beforeEach(() => {
  tests += 1;
  user = `user${tests}`;
  object = `photos/${user}/original/a.jpg`;
});

let seeds = 0;
/** A picture that no other test has. */
const picture = (more: Partial<Parameters<typeof photograph>[0]> = {}) =>
  photograph({ width: 160, height: 120, seed: ++seeds, format: 'jpeg', ...more });

const fixture = (name: string) =>
  readFile(path.resolve(import.meta.dirname, '../functions/ingest-object/media/fixtures', name));

const noted = (code: string) => ({ state: 'succeeded', notes: [{ code }] });

/** Result events of what was told of an object: one may come more than once. */
const resultsOf = (name: string, generation: string) =>
  new Set(cloud.stack.results.get(documentIdOf(name, generation))?.map(({ id }) => id));

/** Counts the previews that are written while something is done. */
async function writtenDuring(work: () => Promise<unknown>): Promise<string[]> {
  const written: string[] = [];
  const { storage } = cloud.stack;
  if (storage === undefined) throw new Error('the stack is not whole');
  storage.intercept = ({ method, phase, request }) => {
    const name = String(request['name']);
    if (method === 'objects.insert' && phase === 'after' && name.startsWith('previews/')) written.push(name);
  };
  await work();
  return written;
}

describe('a photograph', () => {
  it('has a row of what its camera says, and previews that say nothing of that', async () => {
    const place = { latitude: 52.52, longitude: 13.405 };
    const exif = cameraExif({ at: '2026:03:29 01:30:00', offset: '+01:00', place });
    const content = await picture({ width: 1000, height: 600, exif, orientation: 6 });

    const generation = await cloud.put(object, content, 'image/png');
    const record = await cloud.ended(object, generation);

    expect(record).toMatchObject({
      state: 'succeeded',
      summary: { previews: 7 },
      result: { user, type: 'image/jpeg', width: 600, height: 1000, takenAt: '2026-03-29T01:30:00+01:00' },
    });
    const [row] = await expectShown(cloud, user, { [object]: generation });
    expect(row).toMatchObject({
      type: 'image/jpeg',
      content_type: 'image/png',
      width: 600,
      height: 1000,
      captured_at: new Date('2026-03-29T00:30:00Z'),
      captured_offset_minutes: 60,
      camera_make: 'Drover',
      camera_model: 'Field Camera',
      lens: '35mm F1.8',
      latitude: expect.closeTo(52.52, 4),
      longitude: expect.closeTo(13.405, 4),
    });
    const sizes = Object.fromEntries(
      (row?.previews ?? []).map(({ object: name, width, height }) => [
        name.split('/').at(-1),
        `${width} × ${height}`,
      ]),
    );
    const whole = { '800.webp': '600 × 1000', '1200.webp': '600 × 1000' };
    const asPng = { '400.png': '400 × 667', '800.png': '600 × 1000', '1200.png': '600 × 1000' };
    expect(sizes).toEqual({ 'thumbnail.jpg': '180 × 300', '400.webp': '400 × 667', ...whole, ...asPng });
    for (const preview of row?.previews ?? []) {
      const [said] = await cloud.storage.bucket(uploads).file(preview.object).getMetadata();
      expect(said).toMatchObject({
        contentType: preview.contentType,
        cacheControl: 'private, max-age=604800, immutable',
      });
      const made = await contentOf(cloud, preview.object);
      const found = await sharp(made).metadata();
      expect(`image/${found.format}`).toBe(preview.contentType);
      expect([found.width, found.height]).toEqual([preview.width, preview.height]);
      const { exif: tags, xmp, icc, iptc } = found;
      expect({ tags, xmp, icc, iptc, isTurned: (found.orientation ?? 1) !== 1 }).toEqual({ isTurned: false });
      expect(made.includes('Field Camera')).toBe(false);
    }
    expect((await contentOf(cloud, object)).equals(content)).toBe(true);
    expect(await cloud.tagsOf(object)).toEqual({});
  });

  it('of HEIC has previews that browsers show, and one as large as it is', async () => {
    object = object.replace('.jpg', '.heic');
    const generation = await cloud.put(object, await fixture('exif.heic'));

    expect(await cloud.ended(object, generation)).toMatchObject({
      state: 'succeeded',
      result: { type: 'image/heic', takenAt: expect.stringMatching(/^2026-03-29T02:30:00.125\+02:00$/) },
    });
    const [row] = await expectShown(cloud, user, { [object]: generation });
    const full = row?.previews.find(({ object: name }) => name.endsWith('/full.jpg'));
    expect(full).toMatchObject({ contentType: 'image/jpeg', width: 64, height: 48 });
    expect(await sharp(await contentOf(cloud, full?.object ?? '')).metadata()).toMatchObject({
      format: 'jpeg',
      width: 64,
      height: 48,
    });
  });

  it('doesn’t meet one of the same name with another ending', async () => {
    const heic = object.replace('.jpg', '.heic');
    const [jpegs, heics] = [
      await cloud.put(object, await picture()),
      await cloud.put(heic, await fixture('plain.heic')),
    ];
    await Promise.all([cloud.ended(object, jpegs), cloud.ended(heic, heics)]);
    await expectShown(cloud, user, { [object]: jpegs, [heic]: heics });

    await cloud.deleted(object);

    await expectShown(cloud, user, { [heic]: heics });
  });

  it('that is told of ten times at once has its previews written once, and one result', async () => {
    const first = cloud.holdEvent(object);
    const generation = await cloud.put(object, await picture());
    await first.met;

    const written = await writtenDuring(async () => {
      await Promise.all(Array.from({ length: 10 }, () => cloud.tell(object, generation)));
      first.letGo();
      await cloud.ended(object, generation);
      await cloud.idle();
    });

    const [row] = await expectShown(cloud, user, { [object]: generation });
    expect(written.sort()).toEqual(row?.previews.map((preview) => preview.object).sort());
    expect(resultsOf(object, generation).size).toBe(1);
  });

  it('that is deleted loses its row and previews', async () => {
    await cloud.done(object, await picture());

    expect(await cloud.deleted(object)).toMatchObject({
      state: 'succeeded',
      changes: [
        { action: 'delete', kind: 'media' },
        { action: 'delete', kind: 'previews' },
      ],
    });

    await expectShown(cloud, user, {});
  });

  it('that is deleted before it is dealt with is gone', async () => {
    const told = cloud.holdEvent(object);
    const generation = await cloud.put(object, await picture());
    await told.met;
    await cloud.deleted(object);
    told.letGo();

    expect(await cloud.ended(object, generation)).toMatchObject({ ...noted('GONE'), changes: [] });
    await expectShown(cloud, user, {});
  });
});

describe('a photograph in the place of another', () => {
  it('is shown, though it was told of first', async () => {
    const told = cloud.holdEvent(object);
    const older = await cloud.put(object, await picture());
    await told.met;
    const newer = await cloud.put(object, await picture());
    await cloud.ended(object, newer);
    told.letGo();

    expect(await cloud.ended(object, older)).toMatchObject({ ...noted('SUPERSEDED'), changes: [] });
    await cloud.idle();
    await expectShown(cloud, user, { [object]: newer });
  });

  it('is shown, though the end of the other is told of last, or once more', async () => {
    const older = await cloud.put(object, await picture());
    await cloud.ended(object, older);
    const end = cloud.holdEvent(object, 'OBJECT_DELETE');
    const newer = await cloud.put(object, await picture());
    await Promise.all([cloud.ended(object, newer), end.met]);
    await expectShown(cloud, user, { [object]: newer });
    end.letGo();
    expect(await cloud.ended(object, older, 'OBJECT_DELETE')).toMatchObject(noted('SUPERSEDED'));
    await cloud.tell(object, older, 'OBJECT_DELETE');
    await cloud.tell(object, older);
    await cloud.idle();

    await expectShown(cloud, user, { [object]: newer });
  });

  it.each([
    ['before the other is read', { method: 'objects.get', phase: 'before' }],
    ['while the other is read', { method: 'objects.get', phase: 'after' }],
    ['before the other’s first preview is there', { method: 'objects.insert', phase: 'before' }],
    ['when the other’s first preview is there', { method: 'objects.insert', phase: 'after' }],
  ])('is shown, if it came %s, and nothing of the other is left', async (_, { method, phase }) => {
    const held = cloud.holdCall(
      (call) =>
        call.method === method &&
        call.phase === phase &&
        (method === 'objects.insert'
          ? String(call.request['name']).startsWith(`previews/photos/${user}/`)
          : call.request['object'] === object && call.request['alt'] === 'media'),
    );
    const older = await cloud.put(object, await picture());
    await held.met;
    const newer = await cloud.put(object, await picture({ format: 'png' }));
    await cloud.ended(object, newer);
    held.letGo();

    expect(await cloud.ended(object, older)).toMatchObject(noted('SUPERSEDED'));
    await cloud.idle();
    const [row] = await expectShown(cloud, user, { [object]: newer });
    expect(row).toMatchObject({ type: 'image/png' });
  });
});

describe('what is no photograph', () => {
  const files: Readonly<Record<string, () => Promise<readonly [Buffer, string]>>> = {
    'a JPEG that is cut off': async () => [(await picture()).subarray(0, 3000), 'IMAGE_DAMAGED'],
    'a ZIP with a JPEG behind it': async () => [
      Buffer.concat([await zipped({ 'a.md': '# A' }), await picture()]),
      'NOT_AN_IMAGE',
    ],
    'a PNG that claims to be 60,000 × 60,000': async () => [
      claimingToBeHuge(await picture({ format: 'png' })),
      'IMAGE_TOO_LARGE',
    ],
    'a text': async () => [Buffer.from('dear'), 'NOT_AN_IMAGE'],
    nothing: async () => [Buffer.alloc(0), 'OBJECT_EMPTY'],
  };

  it.each(Object.keys(files))(
    '(%s) fails for good, is tagged, and takes what was before with it',
    async (name) => {
      await cloud.done(object, await picture());
      const [content, code] = (await files[name]?.()) ?? [Buffer.alloc(0), ''];
      const generation = await cloud.put(object, content, 'image/jpeg');

      const { error } = await cloud.ended(object, generation);

      expect(error).toMatchObject({ code, message: expect.stringContaining('upload') });
      await cloud.idle();
      await expectShown(cloud, user, {});
      const id = documentIdOf(object, generation);
      const tags = { 'drover-state': 'failed', 'drover-error': code, 'drover-operation': id };
      expect(await cloud.tagsOf(object)).toEqual(tags);
      expect((await contentOf(cloud, object)).equals(content)).toBe(true);
      const failed = { state: 'failed', reason: 'permanent', deadLettered: true, epoch: 1, error: { code } };
      const record = () => cloud.stack.record('ingest-object', operationIdOf(object, generation));
      expect(await record()).toMatchObject(failed);
      expect(resultsOf(object, generation).size).toBe(1);

      const again = await cloud.replayed(object, generation);
      expect(again).toMatchObject({ ...failed, deadLettered: expect.anything(), epoch: 2 });
      await cloud.idle();
      expect(await record()).toMatchObject({ ...failed, epoch: 2 });
      expect(await cloud.tagsOf(object)).toEqual(tags);

      const better = await cloud.put(object, await picture());
      expect(await cloud.ended(object, better)).toMatchObject({ state: 'succeeded' });
      await cloud.idle();
      await expectShown(cloud, user, { [object]: better });
      expect(await cloud.tagsOf(object)).toEqual({});
    },
  );

  it('but a photograph with a ZIP behind it is one, and nothing of that gets into previews', async () => {
    const zip = await zipped({ 'secret.md': 'SECRET' });
    const content = Buffer.concat([await picture(), zip]);

    const generation = await cloud.put(object, content);

    expect(await cloud.ended(object, generation)).toMatchObject({ state: 'succeeded' });
    const [row] = await expectShown(cloud, user, { [object]: generation });
    for (const preview of row?.previews ?? []) {
      const made = await contentOf(cloud, preview.object);
      expect([made.includes('PK\u0003\u0004'), made.includes('secret.md')]).toEqual([false, false]);
    }
    expect((await contentOf(cloud, object)).equals(content)).toBe(true);
  });
});

describe('whoever shows photographs', () => {
  let reader: pg.Client;
  beforeAll(async () => {
    await cloud.done('photos/anybody/original/a.jpg', await picture());
    await cloud.stack.cluster.createLogin('web', 'password');
    const grants = [{ principal: 'web', kind: 'login', level: 'reader' }];
    const message = { target: target('app'), schema: 'photos', mode: 'add', grants };
    await cloud.stack.send('grant-roles', message, { id: 'web' });
    expect(await cloud.stack.ended('grant-roles', 'web')).toMatchObject({ state: 'succeeded' });
    reader = new pg.Client(cloud.stack.cluster.url('web', localPassword, 'app'));
    await reader.connect();
    // By these a process finds the buckets, and signs.
    process.env['STORAGE_EMULATOR_HOST'] = cloud.stack.environment['STORAGE_EMULATOR_HOST'];
    process.env['GOOGLE_CLOUD_PROJECT'] = localProject;
    process.env['GOOGLE_APPLICATION_CREDENTIALS'] = cloud.stack.environment['DROVER_LOCAL_SIGNING_KEY'];
    return () => reader.end();
  });

  it('sees those of the user that a session is for, changes none, and nobody else’s', async () => {
    await cloud.done(object, await picture());
    const seen = async () => (await reader.query('SELECT user_id FROM photos.media')).rows as unknown[];

    expect(await seen()).toEqual([]);
    await reader.query(`SELECT set_config('drover.user', $1, false)`, [user]);
    expect(await seen()).toEqual([{ user_id: user }]);
    for (const statement of [
      'DELETE FROM photos.media',
      `UPDATE photos.media SET user_id = '${user}'`,
      'INSERT INTO photos.media DEFAULT VALUES',
      'ALTER TABLE photos.media DISABLE ROW LEVEL SECURITY',
    ])
      await expect(reader.query(statement)).rejects.toMatchObject({ code: '42501' });
    await reader.query(`SELECT set_config('drover.user', '', false)`);
    expect(await seen()).toEqual([]);
  });

  it('lists them newest first, and signs URLs under which just they are read', async () => {
    const { signal } = new AbortController();
    const content = await picture();
    const exif = (at: string) => cameraExif({ at, offset: '+00:00' });
    const older = object.replace('a.jpg', 'older.jpg');
    await cloud.done(object, content);
    await cloud.done(older, await picture({ exif: exif('2020:01:01 00:00:00') }));
    const listing = { schema: 'photos', table: 'media', user, limit: 1 };
    const parsed = routes.map((route) => routeSchema.parse(route));

    const first = await listMedia(reader, listing);
    const second = await listMedia(reader, { ...listing, cursor: first.cursor });

    const items = [...first.items, ...second.items];
    expect(items.map((item) => item.object)).toEqual([object, older]);
    expect(second.cursor).toBeUndefined();
    const [item] = items;
    const sign = (name: string, more: object = {}) =>
      signMediaUrl({ user, bucket: uploads, object: name, signal, ...more }, parsed);
    const preview = item?.previews.find(({ contentType }) => contentType === 'image/webp');
    expect((await get(await sign(preview?.object ?? ''))).headers).toMatchObject({
      'content-type': 'image/webp',
      'cache-control': 'private, max-age=604800, immutable',
      'content-length': String(preview?.bytes),
    });
    const original = await fetch(await sign(object, { contentType: item?.type, inline: true }));
    expect(original.headers.get('content-type')).toBe('image/jpeg');
    expect(Buffer.from(await original.arrayBuffer()).equals(content)).toBe(true);
    for (const name of [object, preview?.object ?? ''])
      await expect(sign(name, { user: 'anybody' })).rejects.toMatchObject({ code: 'NOT_YOURS' });
    const [others] = (await rowsOf(cloud, 'anybody'))[0]?.previews ?? [];
    await expect(sign(others?.object ?? '')).rejects.toMatchObject({ code: 'NOT_YOURS' });
  });
});

describe('a photograph of a tenant', () => {
  const features = { analytics: false, storage: true, apiKey: false };
  const put = async (name: string, content: Buffer) => {
    const generation = await cloud.put(name, content, 'image/jpeg', tenants);
    return {
      generation,
      record: await cloud.ended(name, generation, 'OBJECT_FINALIZE', tenants),
    };
  };

  it('has its row in the tenant’s schema, and its previews in the tenant’s folder', async () => {
    await cloud.stack.send('bootstrap-tenant', tenantMessage('acme', { features }), { id: 'acme' });
    expect(await cloud.stack.ended('bootstrap-tenant', 'acme')).toMatchObject({ state: 'succeeded' });
    const name = `tenants/acme/photos/${user}/original/a.jpg`;
    const where = { bucket: tenants, folder: 'tenants/acme/previews/', table: 'tenant_acme.media' };

    const { generation, record } = await put(name, await picture());

    expect(record).toMatchObject({ state: 'succeeded' });
    const [row] = await expectShown(cloud, user, { [name]: generation }, where);
    expect(row?.previews).toMatchObject([
      { object: expect.stringContaining(`tenants/acme/previews/photos/${user}/`), width: 32, height: 24 },
    ]);

    await cloud.storage.bucket(tenants).file(name).delete();
    await cloud.ended(name, generation, 'OBJECT_DELETE', tenants);
    await expectShown(cloud, user, {}, where);
  });

  it('that there is not is refused, until it is there', async () => {
    const name = `tenants/later/photos/${user}/original/a.jpg`;

    const { generation, record } = await put(name, await picture());

    expect(record).toMatchObject({ state: 'failed', error: { code: 'TENANT_NOT_ACTIVE' } });
    expect(await cloud.query(`SELECT FROM pg_namespace WHERE nspname = 'tenant_later'`)).toEqual([]);
    const [{ metadata }] = await cloud.storage.bucket(tenants).file(name).getMetadata();
    expect(metadata).toMatchObject({ 'drover-error': 'TENANT_NOT_ACTIVE' });

    await cloud.stack.send('bootstrap-tenant', tenantMessage('later', { features }), { id: 'later' });
    await cloud.stack.ended('bootstrap-tenant', 'later');
    expect(await cloud.replayed(name, generation, tenants)).toMatchObject({ state: 'succeeded', epoch: 2 });
    const where = { bucket: tenants, folder: 'tenants/later/previews/', table: 'tenant_later.media' };
    await expectShown(cloud, user, { [name]: generation }, where);
    const [after] = await cloud.storage.bucket(tenants).file(name).getMetadata();
    expect(after.metadata ?? {}).toEqual({});
  });
});
