import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ApiError } from '../../local/http/api-error.ts';
import type { InterceptedCall } from '../../local/http/interceptor.ts';
import { classify } from '../../shared/operation/classify.ts';
import { bucket, place, startWorld, type World } from '../shared/archive/fixture.ts';
import { connected } from '../support/postgres.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
  await world.schema('app', 'shop');
  await world.as(
    'app',
    'shop',
    'CREATE TABLE shop.a (id int)',
    'INSERT INTO shop.a VALUES (1)',
    'CREATE TABLE shop.b (id int, filler text)',
    // What doesn't compress, so that an upload takes more than one piece.
    `INSERT INTO shop.b SELECT n, '${randomBytes(600).toString('hex')}' || md5(n::text) || md5((n * 7)::text) FROM generate_series(1, 20000) n`,
    'CREATE TABLE shop.c (id int)',
  );
});
afterEach(() => {
  world.storage.intercept = undefined;
});
afterAll(() => world?.close());

const about = (part: string) => (call: Pick<InterceptedCall, 'request'>) =>
  JSON.stringify(call.request).includes(part);

/** Sessions of Drover's that are at anything. */
const busy = () =>
  world.query(
    'app',
    `SELECT state, query FROM pg_stat_activity
      WHERE application_name LIKE 'drover%' AND (state <> 'idle' OR xact_start IS NOT NULL)`,
  );

const waitFor = async (condition: () => Promise<boolean>) => {
  for (const until = Date.now() + 10_000; Date.now() < until; await delay(50)) if (await condition()) return;
  throw new Error('it did not come about');
};

test('an archive that was interrupted goes on where it was', async () => {
  world.storage.intercept = (call) => {
    if (about('shop.c.copy.gz')(call)) throw new ApiError(403, 'forbidden', 'not today');
  };
  await expect(world.archive('app', ['shop'], 'resumed')).rejects.toMatchObject({
    code: 'GOOGLE_PERMISSION_DENIED',
  });
  expect(await world.objects('resumed/')).toEqual([
    'resumed/data/shop.a.copy.gz',
    'resumed/data/shop.b.copy.gz',
  ]);
  const written: string[] = [];
  world.storage.intercept = ({ method, phase, request }) => {
    if (method === 'objects.insert' && phase === 'after' && request['name'])
      written.push(String(request['name']));
  };

  const { resumed, manifest } = await world.archive('app', ['shop'], 'resumed');

  expect(resumed).toBe(2);
  expect([...new Set(written)].filter((name) => name.includes('/data/'))).toEqual([
    'resumed/data/shop.c.copy.gz',
  ]);
  expect(manifest.tables.map(({ table, rows }) => [table, rows])).toEqual([
    ['a', 1],
    ['b', 20_000],
    ['c', 0],
  ]);
});

test('rows of an interrupted archive that are not those of today are written again', async () => {
  world.storage.intercept = (call) => {
    if (about('manifest.json')(call) && call.method === 'objects.insert')
      throw new ApiError(403, 'forbidden', 'no');
  };
  await expect(world.archive('app', ['shop'], 'stale')).rejects.toMatchObject({
    code: 'GOOGLE_PERMISSION_DENIED',
  });
  world.storage.intercept = undefined;
  await world.as('app', 'shop', 'INSERT INTO shop.c VALUES (7)', 'ALTER TABLE shop.a RENAME id TO number');

  const { resumed, manifest } = await world.archive('app', ['shop'], 'stale');

  await world.as('app', 'shop', 'DELETE FROM shop.c', 'ALTER TABLE shop.a RENAME number TO id');
  expect(resumed).toBe(1);
  expect(manifest.tables).toMatchObject([{ columns: ['number'] }, {}, { rows: 1 }]);
});

test('an archive that is there is left as it is', async () => {
  const first = await world.archive('app', ['shop'], 'done');
  await world.as('app', 'shop', 'INSERT INTO shop.c VALUES (8)');

  const second = await world.archive('app', ['shop'], 'done');

  await world.as('app', 'shop', 'DELETE FROM shop.c');
  expect(second.manifest).toEqual(first.manifest);
});

test('an archive of something else is not written over', async () => {
  await world.schema('app', 'other');
  await world.archive('app', ['other'], 'taken');

  await expect(world.archive('app', ['shop'], 'taken')).rejects.toMatchObject({
    code: 'ARCHIVE_DESTINATION_TAKEN',
    details: { place: `${place('taken')}manifest.json` },
  });
});

test('two workers at the same archive end with one', async () => {
  const [one, other] = await Promise.all([
    world.archive('app', ['shop'], 'both'),
    world.archive('app', ['shop'], 'both'),
  ]);

  expect(one.manifest).toEqual(other.manifest);
  await world.schema('both', 'shop');
  expect(await world.restore('both', 'both')).toMatchObject({ rows: 20_001, manifest: one.manifest });
});

test('an archive survives an outage that is over in a moment', async () => {
  let failures = 0;
  world.storage.intercept = (call) => {
    if (about('shop.b.copy.gz')(call) && call.phase === 'before' && ++failures <= 2) {
      throw new ApiError(503, 'backendError', 'a moment');
    }
  };

  const { manifest } = await world.archive('app', ['shop'], 'moment');

  expect(failures).toBeGreaterThan(2);
  expect(manifest.tables).toMatchObject([{}, { rows: 20_000 }, {}]);
});

test.each([
  [403, 'GOOGLE_PERMISSION_DENIED', false],
  [404, 'GOOGLE_NOT_FOUND', false],
  [503, 'GOOGLE_UNAVAILABLE', true],
])(
  'what Cloud Storage refuses with %i is told with the object it was about',
  async (status, code, retryable) => {
    const prefix = `refused-${status}`;
    world.storage.intercept = (call) => {
      if (about('shop.b.copy.gz')(call)) throw new ApiError(status, 'injected', 'because of the weather');
    };

    const archiving = world.archive('app', ['shop'], prefix);

    const error = classify(await archiving.catch((thrown: unknown) => thrown));
    expect(error).toMatchObject({ code, retryable });
    expect(error.message).toContain(`gs://${bucket}/${prefix}/data/shop.b.copy.gz`);
    expect(error.message).toContain('because of the weather');
    expect(await world.objects(`${prefix}/`)).toEqual([`${prefix}/data/shop.a.copy.gz`]);
    await waitFor(async () => (await busy()).length === 0);
  },
);

test('an archive whose storage doesn’t answer ends with its signal, and so does its session', async () => {
  const stuck = Promise.withResolvers<void>();
  world.storage.intercept = (call) => (about('shop.b.copy.gz')(call) ? stuck.promise : undefined);
  const controller = new AbortController();
  const archiving = world.archive('app', ['shop'], 'stuck', { signal: controller.signal });
  archiving.catch(() => undefined);
  await waitFor(async () => (await busy()).some(({ query }) => String(query).startsWith('COPY')));

  controller.abort(new Error('out of time'));

  await expect(archiving).rejects.toThrow('out of time');
  await waitFor(async () => (await busy()).length === 0);
  stuck.resolve();
});

test('rows wait in the database while their storage stands still, and not in memory', async () => {
  await world.schema('app', 'wide');
  await world.as('app', 'wide', 'CREATE TABLE wide.noise (noise bytea)');
  await connected(world.cluster.superuserUrl('app'), async (client) => {
    for (let n = 0; n < 22; n += 1)
      await client.query('INSERT INTO wide.noise VALUES ($1)', [randomBytes(2 ** 20)]);
  });
  const { promise: still, resolve: go } = Promise.withResolvers<void>();
  world.storage.intercept = ({ request }) => (request['upload_id'] === undefined ? undefined : still);
  const sent = async () => {
    const [copy] = await world.query<{ bytes: string }>(
      'app',
      'SELECT bytes_processed AS bytes FROM pg_stat_progress_copy',
    );
    return Number(copy?.bytes ?? 0);
  };

  const archiving = world.archive('app', ['wide'], 'wide');
  await waitFor(async () => (await sent()) > 2 ** 23);
  const held = await steady(sent);
  go();

  // As text a byte is two characters. What it is held in: sockets' buffers, gzip's, and one piece of the upload.
  expect(held).toBeLessThan(30 * 2 ** 20);
  expect((await archiving).manifest.tables).toMatchObject([{ rows: 22 }]);
});

test('a restore whose storage doesn’t answer ends with its signal, and leaves nothing', async () => {
  await world.archive('app', ['shop'], 'unread');
  await world.schema('unread', 'shop');
  const stuck = Promise.withResolvers<void>();
  world.storage.intercept = ({ request, method }) =>
    method === 'objects.get' && about('shop.b.copy.gz')({ request }) ? stuck.promise : undefined;
  const controller = new AbortController();
  const restoring = world.restore('unread', 'unread', {}, { signal: controller.signal });
  restoring.catch(() => undefined);
  await waitFor(async () => (await busy()).some(({ state }) => state === 'idle in transaction'));

  controller.abort(new Error('out of time'));

  await expect(restoring).rejects.toThrow('out of time');
  await waitFor(async () => (await busy()).length === 0);
  expect(
    await world.query('unread', `SELECT relname FROM pg_class WHERE relnamespace = 'shop'::regnamespace`),
  ).toEqual([]);
  stuck.resolve();
});

test('a restore whose storage fails in the middle says why, and leaves nothing', async () => {
  await world.archive('app', ['shop'], 'half');
  await world.schema('half', 'shop');
  world.storage.intercept = ({ request, method }) => {
    if (method === 'objects.get' && about('shop.b.copy.gz')({ request }))
      throw new ApiError(403, 'forbidden', 'not yours');
  };

  await expect(world.restore('half', 'half')).rejects.toMatchObject({
    code: 'GOOGLE_PERMISSION_DENIED',
    message: expect.stringContaining(`gs://${bucket}/half/data/shop.b.copy.gz`),
  });

  expect(
    await world.query('half', `SELECT relname FROM pg_class WHERE relnamespace = 'shop'::regnamespace`),
  ).toEqual([]);
});

test('an archive waits for nobody who holds a table for long', async () => {
  const held = await world.hold('app', 'LOCK TABLE shop.a IN ACCESS EXCLUSIVE MODE');
  try {
    const error = classify(await world.archive('app', ['shop'], 'held').catch((thrown: unknown) => thrown));

    expect(error).toMatchObject({ code: 'LOCK_TIMEOUT', retryable: true });
  } finally {
    await held.release();
  }
});

/** What a reading comes to when it doesn't change any more. */
async function steady(read: () => Promise<number>): Promise<number> {
  for (let [last, same] = [await read(), 0]; ; ) {
    const next = await read();
    same = next === last ? same + 1 : 0;
    if (same === 200) return next;
    last = next;
  }
}
