import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTable } from '../../../functions/ingest-object/media/definition.ts';
import { localPassword } from '../../../local/postgres/cloudsql.ts';
import { listMedia, type MediaItem, type MediaListing } from '../../../shared/media/list.ts';
import { desired, type PreparedCluster, startPrepared } from '../../support/postgres.ts';

let cluster: PreparedCluster;
let owner: pg.Client;
let reader: pg.Client;
beforeAll(async () => {
  cluster = await startPrepared();
  await cluster.open('app');
  await cluster.converge(desired('app', 'media'));
  await cluster.createLogin('web', 'password');
  owner = new pg.Client(cluster.superuserUrl('app'));
  await owner.connect();
  await owner.query('GRANT app__media__reader TO web');
  await owner.query('SET ROLE app__media__owner');
  for (const { text } of createTable('media', 'media')) await owner.query(text);
  reader = new pg.Client(cluster.url('web', localPassword, 'app'));
  await reader.connect();
  // Whatever an application's sessions are like.
  await reader.query("SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'German'");
});
afterAll(async () => {
  await reader.end();
  await owner.end();
  await cluster.remove();
});
beforeEach(() => owner.query('DELETE FROM media.media'));

interface Given {
  readonly id?: string;
  readonly user?: string | null;
  readonly object?: string;
  readonly uploadedAt?: string;
  readonly capturedLocal?: string;
  readonly capturedOffset?: number;
}

let objects = 0;
async function add(given: Given = {}, client: pg.Client = owner): Promise<string> {
  objects += 1;
  const { user = 'alice', object = `photos/${objects}`, uploadedAt = '2026-03-01T12:00:00Z' } = given;
  const { rows } = await client.query(
    `INSERT INTO media.media (id, user_id, bucket, object, generation, type, bytes, width, height, frames,
       captured_local, captured_offset_minutes, camera_make, latitude, longitude, placeholder, crc32c, content_type,
       metadata, uploaded_at, previews, recipe)
     VALUES (coalesce($1::uuid, gen_random_uuid()), $2, 'b', $3, 1795310988186001, 'image/jpeg', 5000000000, 64, 48, 1,
       $4, $5, 'Acme', 47.1, -8.5, '\\x0102', 'AAAAAA==', null, '{"album": "Alps"}', $6,
       '[{"object": "p/1.jpg", "contentType": "image/jpeg", "width": 4, "height": 3, "bytes": 7}]', 'r')
     RETURNING id`,
    [given.id, user, object, given.capturedLocal, given.capturedOffset, uploadedAt],
  );
  return (rows[0] as { id: string }).id;
}

const place = { schema: 'media', table: 'media' };
const list = (more: Partial<MediaListing> = {}) => listMedia(reader, { ...place, user: 'alice', ...more });

async function all(limit: number, between: () => Promise<unknown> = async () => undefined) {
  const items: MediaItem[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await list({ limit, cursor });
    expect(page.items.length).toBeLessThanOrEqual(limit);
    items.push(...page.items);
    if (page.cursor === undefined) return items;
    expect(page.items).toHaveLength(limit);
    cursor = page.cursor;
    await between();
  }
}

describe('a list of media', () => {
  it('has what the rows have', async () => {
    const id = await add({ capturedLocal: '2026-02-03T04:05:06.789', capturedOffset: 330 });

    const { items, cursor } = await list();

    expect(cursor).toBeUndefined();
    expect(items).toEqual([
      {
        id,
        user: 'alice',
        bucket: 'b',
        object: `photos/${objects}`,
        generation: '1795310988186001',
        type: 'image/jpeg',
        bytes: 5_000_000_000,
        width: 64,
        height: 48,
        frames: 1,
        capturedLocal: '2026-02-03T04:05:06.789',
        capturedOffset: 330,
        capturedAt: new Date('2026-02-02T22:35:06.789Z'),
        camera: { make: 'Acme', model: undefined, lens: undefined },
        location: { latitude: 47.1, longitude: -8.5, altitude: undefined },
        placeholder: Buffer.from([1, 2]),
        crc32c: 'AAAAAA==',
        contentType: undefined,
        metadata: { album: 'Alps' },
        uploadedAt: new Date('2026-03-01T12:00:00Z'),
        previews: [{ object: 'p/1.jpg', contentType: 'image/jpeg', width: 4, height: 3, bytes: 7 }],
        createdAt: expect.any(Date),
        updatedAt: expect.any(Date),
      },
    ]);
    expect(Math.abs(Date.now() - (items[0]?.createdAt.getTime() ?? 0))).toBeLessThan(3_600_000);
  });

  it('is of one user, or of what is nobody’s', async () => {
    for (const user of ['alice', 'bob', null, "o'hara\\", 'Alice']) await add({ user });

    for (const user of ['alice', 'bob', undefined, "o'hara\\"])
      expect((await list({ user })).items.map((item) => item.user)).toEqual([user]);
    expect((await list({ user: '' })).items).toEqual([]);
    expect((await listMedia(owner, { ...place, user: 'bob' })).items).toHaveLength(1);
  });

  it('leaves nothing set in the session', async () => {
    await add();
    await list();

    const { rows } = await reader.query('SELECT user_id FROM media.media');
    expect(rows).toEqual([]);
    expect(reader.getTransactionStatus()).toBe('I');
  });

  it('is by when photographs were taken, as far as that is known, and newest first', async () => {
    const uploaded = await add({ uploadedAt: '2026-01-01T10:00:00Z' });
    const east = await add({ capturedLocal: '2026-01-01T12:30:00', capturedOffset: 180 });
    const unknown = await add({ capturedLocal: '2026-01-01T11:00:00' });

    expect((await list()).items.map(({ id }) => id)).toEqual([unknown, uploaded, east]);
  });

  it('in pages of any size has each once, by time to the microsecond and then by id', async () => {
    const time = fc.integer({ min: 0, max: 3 }).map((micros) => `2026-03-01T12:00:00.00000${micros}Z`);
    const captured = fc.constantFrom(undefined, '0001-01-01T00:00:00', '9999-12-31T23:59:59.999');
    const offset = fc.constantFrom(undefined, -840, 840);
    const row = fc.record({ uploadedAt: time, capturedLocal: captured, capturedOffset: offset });
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 12 }),
        fc.integer({ min: 1, max: 5 }),
        async (rows, limit) => {
          await owner.query('DELETE FROM media.media');
          for (const { uploadedAt, capturedLocal, capturedOffset } of rows)
            await add({
              uploadedAt,
              ...(capturedLocal && { capturedLocal }),
              ...(capturedOffset && { capturedOffset }),
            });
          const sorted = await owner.query('SELECT id FROM media.media ORDER BY sorted_at DESC, id DESC');

          const items = await all(limit);

          expect(items.map(({ id }) => id)).toEqual(sorted.rows.map(({ id }) => id));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('goes on where it was, whatever is added and taken away meanwhile', async () => {
    const at = (minute: number) => `2026-03-01T12:0${minute}:00Z`;
    const ids: string[] = [];
    for (let minute = 0; minute < 8; minute += 1) ids.unshift(await add({ uploadedAt: at(minute) }));
    const between = async () => {
      await add({ uploadedAt: '2026-04-01T00:00:00Z' });
      await owner.query('DELETE FROM media.media WHERE id = $1', [ids[1]]);
    };

    expect((await all(2, between)).map(({ id }) => id)).toEqual(ids);
  });

  it('is found by the index', async () => {
    await owner.query(
      `INSERT INTO media.media (user_id, bucket, object, generation, type, bytes, width, height, frames, placeholder, crc32c,
         metadata, uploaded_at, previews, recipe)
       SELECT 'u' || n % 100, 'b', n::text, 1, 't', 1, 1, 1, 1, '', '', '{}', now() - n * interval '1 s', '[]', 'r'
         FROM generate_series(1, 5000) n`,
    );
    await owner.query('ANALYZE media.media');
    const { cursor } = await list({ user: 'u7', limit: 10 });
    const sent: string[] = [];
    const spy = { query: async (text: string) => void sent.push(text) } as unknown as pg.Client;
    await listMedia(spy, { ...place, user: 'u7', limit: 10, cursor }).catch(() => undefined);

    const statement =
      sent[0]?.replace(/\nSELECT pg_catalog\.jsonb/, '\nEXPLAIN SELECT pg_catalog.jsonb') ?? '';
    const results = (await reader.query(statement)) as unknown as pg.QueryResult[];

    const plan = results[2]?.rows.map((row: { 'QUERY PLAN': string }) => row['QUERY PLAN']).join('\n');
    expect(plan).toMatch(/Index Scan using media_user_id_sorted_at_id_idx/);
    expect(plan).toMatch(/Index Cond:.*ROW\(sorted_at, id\) </);
    expect(plan).not.toMatch(/Sort/);
  });

  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const id = '00000000-0000-4000-8000-000000000000';
  it.each([
    '',
    'rubbish',
    encode(null),
    encode({ at: 'now', id }),
    encode({ at: 7, id }),
    encode({ at: '1 day', id }),
    encode({ at: '-999999999999999999', id }),
    encode({ at: '7', id: "x' OR true --" }),
    encode({ at: '7', id, more: 1 }),
  ])('doesn’t go on from what is no cursor: %s', async (cursor) => {
    await expect(list({ cursor })).rejects.toMatchObject({ code: 'INVALID_CURSOR', retryable: false });
  });

  it('takes no other text for a cursor', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.json().map((text) => Buffer.from(text).toString('base64url')),
        ),
        async (cursor) => {
          await expect(list({ cursor })).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
        },
      ),
    );
  });

  it.each([0, 201, 1.5, Number.NaN])('has no pages of %s', async (limit) => {
    await expect(list({ limit })).rejects.toMatchObject({ code: 'INVALID_LIMIT' });
  });

  it('that fails leaves no transaction open', async () => {
    await expect(listMedia(reader, { ...place, table: 'nothing', user: 'alice' })).rejects.toThrow('nothing');

    expect(reader.getTransactionStatus()).toBe('I');
  });
});
