import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { GrpcError } from '../../local/grpc/server.ts';
import {
  asAdmin,
  cloud,
  errors,
  type Login,
  loginOf,
  onRead,
  open,
  publish,
  publishText,
  readCount,
  rotateTo,
  secret,
  sessions,
  sessionsGone,
  setPassword,
  useRotatedSecret,
} from './reading-secrets.fixture.ts';

// As it is, so that a test can have the waits of the example pass faster.
vi.mock('node:timers/promises', async (importActual) => {
  const timers = await importActual<typeof import('node:timers/promises')>();
  return { ...timers, setTimeout: vi.fn(timers.setTimeout) };
});

const docs = path.resolve(import.meta.dirname, '..', '..', 'docs');

test.each([
  ['ts', 'node.ts'],
  ['python', 'python.py'],
  ['go', 'main.go'],
])('the page shows %s as it is in %s', (language, file) => {
  const page = readFileSync(path.join(docs, 'reading-secrets.md'), 'utf8');
  const source = readFileSync(path.join(docs, 'examples', 'reading-secrets', file), 'utf8');
  const blocks = [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].filter(([, of]) => of === language);
  expect(blocks.map(([, , code]) => code)).toContain(source);
});

useRotatedSecret();

describe.each(['current', 'latest'])('an application that reads %s', (alias) => {
  test('has no failed query while the credential is rotated, and closes what it replaces', async () => {
    const pool = await open({ version: `${secret}/versions/${alias}`, pool: { max: 20 } });
    const seen = new Set<unknown>();
    let rotating = true;
    let queries = 0;
    // More than there are connections: some always wait for one.
    const workers = Array.from({ length: 50 }, async () => {
      while (rotating) {
        seen.add(await loginOf(pool));
        queries += 1;
      }
    });
    const watched = Promise.all(workers);

    const rotations: [Login, Login][] = [
      ['billing_a', 'billing_b'],
      ['billing_b', 'billing_a'],
    ];
    for (const [former, next] of rotations) {
      const version = await rotateTo(next);
      seen.clear();
      await Promise.race([pool.refresh(), watched]);
      await Promise.race([sessionsGone(former), watched]);
      await vi.waitFor(() => expect(seen).toContain(next));
      // What Drover does when the grace period is over.
      await setPassword(former);
      await cloud.client.disableSecretVersion({ name: `${secret}/versions/${version - 1}` });
    }

    rotating = false;
    await watched;
    expect(queries).toBeGreaterThan(500);
    expect(errors).toEqual([]);
  });
});

describe('a new credential', () => {
  test('is used by each new connection, while a borrowed one finishes its work and is closed then', async () => {
    const pool = await open();
    const client = await pool.connect();
    await client.query('BEGIN');

    await rotateTo('billing_b');
    expect(await loginOf(pool)).toBe('billing_a');
    await pool.refresh();

    expect(await loginOf(pool)).toBe('billing_b');
    expect(await sessions('billing_a')).toBe(1);
    expect(await loginOf(client)).toBe('billing_a');
    await client.query('COMMIT');
    client.release();
    await sessionsGone('billing_a');
    expect(await loginOf(pool)).toBe('billing_b');
  });

  test('loses nobody who waits for a connection of the former one', async () => {
    const pool = await open({ pool: { max: 1 } });
    const client = await pool.connect();
    const waiting = [loginOf(pool), loginOf(pool)];

    await rotateTo('billing_b');
    await pool.refresh();
    client.release();

    expect(await Promise.all(waiting)).toEqual(['billing_a', 'billing_a']);
    await sessionsGone('billing_a');
  });

  test('is found by itself, also after the secret could not be read for a time', async () => {
    const pool = await open({ refreshMs: 10 });
    onRead((count) => {
      if (count <= 2) throw new GrpcError(status.PERMISSION_DENIED, 'not now');
    });

    await rotateTo('billing_b');

    await vi.waitFor(async () => expect(await loginOf(pool)).toBe('billing_b'), { timeout: 10_000 });
    expect(readCount()).toBeGreaterThan(2);
    expect(new Set(errors.map(({ message }) => message))).toEqual(
      new Set([expect.stringMatching(/not now/)]),
    );
  });

  test('that is refused does not replace one that works', async () => {
    const pool = await open();
    await publish('billing_b', 'mistyped');

    await expect(pool.refresh()).rejects.toMatchObject({ code: '28P01' });

    expect(await loginOf(pool)).toBe('billing_a');
    await rotateTo('billing_b');
    await pool.refresh();
    expect(await loginOf(pool)).toBe('billing_b');
  });

  test('is read once, however many ask for it at once', async () => {
    const pool = await open();
    await rotateTo('billing_b');
    const before = readCount();

    await Promise.all(Array.from({ length: 10 }, () => pool.refresh()));

    expect(readCount() - before).toBe(1);
    expect(await loginOf(pool)).toBe('billing_b');
    expect(await sessions('billing_b')).toBe(1);
  });

  test('is none where the secret still has the same version', async () => {
    const pool = await open();
    const pid = async () => (await pool.query('SELECT pg_backend_pid()')).rows;
    const before = await pid();

    await pool.refresh();

    expect(await pid()).toEqual(before);
  });
});

describe('a login that is refused', () => {
  test.each([
    ['28P01', () => setPassword('billing_a')],
    ['28000', () => asAdmin('ALTER ROLE billing_a NOLOGIN')],
  ])('with %s makes it read the secret anew at once', async (_, refuse) => {
    const pool = await open();
    await rotateTo('billing_b');
    await refuse();
    const before = readCount();

    expect(await loginOf(pool)).toBe('billing_b');
    expect(readCount() - before).toBe(1);
  });

  test('is tried again until the new password of the only user is published', async () => {
    const pool = await open();
    const password = await setPassword('billing_a');
    onRead(async (count) => {
      if (count === 3) await publish('billing_a', password);
    });

    expect(await loginOf(pool)).toBe('billing_a');
    expect(errors).toEqual([]);
  });

  test('is what a query fails with in the end, and no wrong query is taken for it', async () => {
    const pool = await open();
    await setPassword('billing_a');
    const waited = vi.mocked(sleep).mockClear().mockResolvedValue(undefined);
    onTestFinished(() => void waited.mockReset());
    await expect(loginOf(pool)).rejects.toMatchObject({ code: '28P01' });
    expect(waited.mock.calls).toEqual([[0], [250], [500], [1_000], [2_000], [4_000]]);

    await rotateTo('billing_a');
    await pool.refresh();
    const before = readCount();
    const raise = `DO $$ BEGIN RAISE SQLSTATE '28P01'; END $$`;
    await expect(pool.query(raise)).rejects.toMatchObject({ code: '28P01' });
    expect(readCount()).toBe(before);
  });
});

describe('a secret that cannot be used', () => {
  test('is named in the error, with the reason', async () => {
    onRead(() => {
      throw new GrpcError(status.PERMISSION_DENIED, 'Permission secretmanager.versions.access denied');
    });
    await expect(open()).rejects.toThrow(
      `Cannot read the secret ${secret}/versions/current: 7 PERMISSION_DENIED: Permission secretmanager`,
    );
    onRead(undefined);
    await expect(open({ version: `${secret}/versions/7` })).rejects.toThrow(/versions\/7: 5 NOT_FOUND/);
  });

  test.each(['hunter2', '"hunter2"', '{"username": "a", "passwort": "hunter2"}', 'null'])(
    'for it has %s in it, is named without that',
    async (text) => {
      const pool = await open();
      await publishText(text);
      const error = await pool.refresh().catch((thrown: unknown) => thrown);
      expect(error).toEqual(new Error(`The secret ${secret}/versions/current is no database credential`));
      expect((error as Error).cause).toBeUndefined();
      expect(await loginOf(pool)).toBe('billing_a');
    },
  );
});

test('a connection that is lost, idle or borrowed, does not end the process', async () => {
  const pool = await open();
  const borrowed = await pool.connect();
  await loginOf(pool);
  expect(await sessions('billing_a')).toBe(2);

  await asAdmin(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'billing_a'`);
  await vi.waitFor(() => expect(errors).toEqual([expect.objectContaining({ code: '57P01' })]));

  await expect(loginOf(borrowed)).rejects.toThrow();
  // The server's last words may be there before the end of the connection, by which the pool knows it.
  borrowed.release(true);
  expect(await loginOf(pool)).toBe('billing_a');
});

test('closing waits for those at work, also with a former credential, and leaves no session', async () => {
  const pool = await open({ pool: { max: 1 } });
  const former = await pool.connect();
  await rotateTo('billing_b');
  await pool.refresh();
  const client = await pool.connect();
  const waiting = loginOf(pool);

  let closed = false;
  const closing = pool.close().then(() => {
    closed = true;
  });

  expect(await loginOf(client)).toBe('billing_b');
  client.release();
  expect(await waiting).toBe('billing_b');
  await sessionsGone('billing_b');
  expect(await loginOf(former)).toBe('billing_a');
  expect(closed).toBe(false);
  former.release();
  await closing;
  await sessionsGone('billing_a');
  await expect(pool.refresh()).rejects.toThrow('closed');
});
