import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { localPassword } from '../../../../local/postgres/cloudsql.ts';
import {
  createDatabase,
  dropDatabase,
  findDatabase,
  openDatabases,
} from '../../../../shared/postgres/databases/database.ts';
import { databaseOwner, formatDatabaseMarker } from '../../../../shared/postgres/databases/marker.ts';
import { identifier, sql } from '../../../../shared/postgres/sql.ts';
import { connected, instance, type PreparedCluster, startPrepared } from '../../../support/postgres.ts';

let cluster: PreparedCluster;
let observer: pg.Client;
const sessions: pg.Client[] = [];

beforeAll(async () => {
  cluster = await startPrepared();
  observer = new pg.Client(cluster.superuserUrl());
  await observer.connect();
});
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.end()));
});
afterAll(async () => {
  await observer.end();
  await cluster.remove();
});

const options = () => ({
  pools: cluster.pools,
  signal: new AbortController().signal,
  remainingMs: () => 60_000,
});
const place = (database: string) => ({ instance, database });
const create = (database: string, owner = 'tenant-acme', unmarked = false) =>
  createDatabase(place(database), owner, unmarked, options());
const drop = (database: string, owner = 'tenant-acme', unmarked = false) =>
  dropDatabase(place(database), owner, unmarked, options());
const find = (database: string) => findDatabase(place(database), options());

/** A database that others made. */
const superuser = async (...statements: readonly { readonly text: string }[]) => {
  for (const { text } of statements) await observer.query(text);
};
const foreign = (name: string, owner = 'drover_admin') =>
  superuser(sql`CREATE DATABASE ${identifier(name)} OWNER ${identifier(owner)}`);
const mark = (name: string, comment: string) =>
  superuser(sql`COMMENT ON DATABASE ${identifier(name)} IS ${comment}`);

async function commentOf(database: string): Promise<string | null | undefined> {
  const { rows } = await observer.query(
    `SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = $1`,
    [database],
  );
  return rows[0]?.comment;
}

let names = 0;
const newName = () => {
  names += 1;
  return `tenant_${names}`;
};

const created = (name: string) => [{ action: 'create', kind: 'database', name }];
const dropped = (name: string) => [{ action: 'revoke', kind: 'database', name, detail: 'dropped' }];
const exists = (database: string) => ({ code: 'DATABASE_EXISTS', retryable: false, details: { database } });

describe('a database', () => {
  it('is made for its owner, once: it belongs to Drover and says whose it is', async () => {
    const name = newName();
    expect(await find(name)).toBeUndefined();
    expect(await create(name)).toEqual(created(name));
    expect(await find(name)).toEqual({ owner: 'tenant-acme', isOurs: true });
    expect(await commentOf(name)).toBe('{"managedBy":"drover","owner":"tenant-acme"}');
    expect(await create(name)).toEqual([]);
    await drop(name);
  });

  it.each(['Ácme "prod"', `it's; DROP DATABASE app --`, '🐘', '%s\\', ' ', 'x'.repeat(63)])(
    'may be called %j',
    async (name) => {
      expect(await create(name)).toEqual(created(name));
      expect(await create(name)).toEqual([]);
      expect(await find(name)).toEqual({ owner: 'tenant-acme', isOurs: true });
      expect(await drop(name)).toEqual(dropped(name));
      expect(await find(name)).toBeUndefined();
    },
  );

  it('that was made and not marked yet is marked, by who began to make it', async () => {
    const name = newName();
    await foreign(name);
    await expect(create(name, 'tenant-acme', false)).rejects.toMatchObject(exists(name));
    expect(await commentOf(name)).toBeNull();
    expect(await create(name, 'tenant-acme', true)).toEqual([]);
    expect(await find(name)).toEqual({ owner: 'tenant-acme', isOurs: true });
    await drop(name);
  });

  it.each([
    ['another tenant’s', 'drover_admin', formatDatabaseMarker('tenant-other')],
    ['somebody’s', 'cloudsqlsuperuser', null],
    ['somebody’s who says that it is the tenant’s', 'cloudsqlsuperuser', formatDatabaseMarker('tenant-acme')],
  ])('that is %s is not taken and not dropped', async (_, owner, comment) => {
    const name = newName();
    await foreign(name, owner);
    if (comment) await mark(name, comment);
    for (const unmarked of [false, true]) {
      await expect(create(name, 'tenant-acme', unmarked)).rejects.toMatchObject(exists(name));
      await expect(drop(name, 'tenant-acme', unmarked)).rejects.toMatchObject(exists(name));
    }
    expect(await commentOf(name)).toBe(comment);
    await connected(cluster.superuserUrl(name), (client) => client.query('SELECT 1'));
    await superuser(sql`DROP DATABASE ${identifier(name)}`);
  });

  it('that two want at once is one’s, and the other is told', async () => {
    for (let round = 1; round <= 3; round += 1) {
      const name = newName();
      // All have looked before one has begun, and take an unmarked one for their own.
      const owners = ['tenant-a', 'tenant-b', 'tenant-c'];
      const results = await Promise.allSettled(owners.map((owner) => create(name, owner, true)));
      const winners = owners.filter((_, index) => results[index]?.status === 'fulfilled');
      expect(winners).toHaveLength(1);
      expect((await find(name))?.owner).toBe(winners[0]);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject(exists(name));
      }
      await drop(name, winners[0]);
    }
  });

  it('that one wants several times at once is made once', async () => {
    const name = newName();
    const results = await Promise.all([1, 2, 3].map(() => create(name, 'tenant-acme', true)));
    expect(results.flat()).toEqual(created(name));
    expect(await find(name)).toEqual({ owner: 'tenant-acme', isOurs: true });
    await drop(name);
  });

  it('leaves the session that made it as it was', async () => {
    const name = newName();
    await create(name);
    await drop(name);
    const { pools, signal } = options();
    const state = await pools.withConnection(place('postgres'), { signal }, async (client) => {
      const { rows } = await client.query(
        `SELECT current_user = session_user AS self, current_setting('statement_timeout') AS timeout,
                (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory') AS locks`,
      );
      return rows[0];
    });
    expect(state).toEqual({ self: true, timeout: '0', locks: 0 });
  });
});

describe('a database that is dropped', () => {
  it('is gone, and may be gone before', async () => {
    const name = newName();
    expect(await drop(name)).toEqual([]);
    await create(name);
    expect(await drop(name)).toEqual(dropped(name));
    expect(await drop(name)).toEqual([]);
  });

  it('may be one without a mark only where it was being made', async () => {
    const name = newName();
    await foreign(name);
    await expect(drop(name, 'tenant-acme', false)).rejects.toMatchObject(exists(name));
    expect(await drop(name, 'tenant-acme', true)).toEqual(dropped(name));
  });

  it('has no sessions of Drover’s own left, idle ones of its pools', async () => {
    const name = newName();
    await create(name);
    const { pools, signal } = options();
    const ask = (database: string) =>
      pools.withConnection(place(database), { signal }, (client) => client.query('SELECT 1'));
    await Promise.all([ask(name), ask(name), ask(name)]);
    expect(await drop(name)).toEqual(dropped(name));
    await create(name);
    await ask(name);
    await drop(name);
  });

  it('stays while others have sessions there, lets nobody in any more, and goes once they have gone', async () => {
    const name = newName();
    await create(name);
    await cluster.createLogin(`app of ${name}`, 'password');
    const url = cluster.url(`app of ${name}`, localPassword, name);
    const session = new pg.Client({ connectionString: url });
    await session.connect();
    sessions.push(session);

    const begun = Date.now();
    await expect(drop(name)).rejects.toMatchObject({
      code: 'DATABASE_IN_USE',
      retryable: true,
      message: expect.stringContaining('1 other session'),
      details: { database: name },
    });
    // PostgreSQL waits 5 seconds for others itself.
    expect(Date.now() - begun).toBeLessThan(15_000);
    await session.query('SELECT 1');
    await expect(connected(url, async () => undefined)).rejects.toMatchObject({ code: '55000' });

    await Promise.all(sessions.splice(0).map((one) => one.end()));
    expect(await drop(name)).toEqual(dropped(name));
  });
});

describe('databases that are open to everybody', () => {
  it('are told but for the tenant’s own, with what closes them, until they are closed', async () => {
    const [own, open, closed] = [newName(), `open "${newName()}"`, newName()];
    await create(own);
    await foreign(open, 'cloudsqlsuperuser');
    await foreign(closed);
    await superuser(
      sql`REVOKE CONNECT, TEMPORARY ON DATABASE ${identifier(closed)} FROM PUBLIC`,
      sql`ALTER DATABASE template1 ALLOW_CONNECTIONS false`,
    );
    const note = await openDatabases(place(own), options());
    expect(note).toMatchObject({
      code: 'OPEN_DATABASES',
      message: expect.stringContaining(`may connect to ${open}, postgres, the tenant's too`),
    });
    const statements = [open, 'postgres'].map(
      (name) => sql`REVOKE CONNECT, TEMPORARY ON DATABASE ${identifier(name)} FROM PUBLIC`.text,
    );
    expect(note?.statements).toEqual(statements);

    await observer.query(`GRANT CONNECT ON DATABASE postgres TO drover_writers`);
    for (const statement of statements) await observer.query(statement);
    expect(await openDatabases(place(own), options())).toBeUndefined();

    await superuser(
      sql`GRANT CONNECT, TEMPORARY ON DATABASE postgres TO PUBLIC`,
      sql`ALTER DATABASE template1 ALLOW_CONNECTIONS true`,
      sql`DROP DATABASE ${identifier(open)}`,
      sql`DROP DATABASE ${identifier(closed)}`,
    );
    await drop(own);
  });
});

describe('the mark of a database', () => {
  it('says whose it is, whatever that is called', () => {
    for (const owner of ['tenant-acme', '', `"it's"`, '🐘\n']) {
      expect(databaseOwner(formatDatabaseMarker(owner))).toBe(owner);
    }
  });

  it.each([
    null,
    '',
    'the database of bob',
    '{',
    '{}',
    '{"managedBy":"drover"}',
    '{"managedBy":"bob","owner":"tenant-acme"}',
    '{"managedBy":"drover","owner":7}',
    '[{"managedBy":"drover","owner":"tenant-acme"}]',
  ])('is not %j', (comment) => {
    expect(databaseOwner(comment)).toBeUndefined();
  });
});
