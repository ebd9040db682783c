import { setTimeout as sleep } from 'node:timers/promises';
import type { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import pg from 'pg';

export interface SecretPoolOptions {
  readonly secrets: SecretManagerServiceClient;
  /** `projects/acme-prod/secrets/billing-db/versions/current` */
  readonly version: string;
  /** How often to read the secret; by default every 5 minutes. */
  readonly refreshMs?: number;
  /** For the pool: `max`, `ssl`, `stream`, or a `host` and `port` that count instead of the secret's. */
  readonly pool?: Omit<pg.PoolConfig, 'user' | 'password' | 'connectionString'>;
  /** Told what goes wrong in the background; by default that is a warning of the process. */
  readonly onError?: (error: Error) => void;
}

/** Waits before a refused login is tried again. The first is none: most often the secret has a newer one. */
const retryWaitsMs = [0, 250, 500, 1_000, 2_000, 4_000];

/** A pool that logs in with what a secret says now, and follows it. @throws if the secret can't be read */
export async function openSecretPool(options: SecretPoolOptions) {
  const { refreshMs = 300_000, onError = (error: Error) => process.emitWarning(error) } = options;
  const first = await readSecret(options);
  let current = { name: first.name, pool: newPool(first.login) };
  let refreshing: Promise<void> | undefined;
  let retired = Promise.resolve();
  let closed = false;

  function newPool(login: pg.PoolConfig): pg.Pool {
    const pool = new pg.Pool({ connectionTimeoutMillis: 30_000, ...login, ...options.pool });
    // Without listeners a lost connection ends the process: an idle one by the pool's event, a borrowed one by its own.
    pool.on('error', onError);
    return pool.on('connect', (client) => client.on('error', () => {}));
  }

  async function follow(): Promise<void> {
    const { name, login } = await readSecret(options);
    if (name === current.name) return;
    const pool = newPool(login);
    try {
      (await pool.connect()).release(); // what doesn't work doesn't replace what does
    } catch (error) {
      await pool.end();
      throw error;
    }
    const ended = retire(current.pool);
    current = { name, pool };
    retired = retired.then(() => ended);
  }

  /** Reads the secret now. Rejects if that or the new login fails; the pool goes on with the one that it has. */
  async function refresh(): Promise<void> {
    if (closed) throw new Error('The pool is closed');
    refreshing ??= follow().finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  }

  /** A connection, to be released. */
  async function connect(): Promise<pg.PoolClient> {
    for (const wait of retryWaitsMs) {
      try {
        return await current.pool.connect();
      } catch (error) {
        if (!isRefused(error)) throw error;
      }
      await sleep(wait);
      await refresh().catch(onError);
    }
    return current.pool.connect();
  }

  async function query<R extends pg.QueryResultRow>(text: string, values?: unknown[]) {
    const client = await connect();
    try {
      return await client.query<R>(text, values);
    } finally {
      client.release();
    }
  }

  /** Resolves when every connection was given back. */
  async function close(): Promise<void> {
    closed = true;
    clearInterval(timer);
    await refreshing?.catch(() => {});
    await Promise.all([retired, retire(current.pool)]);
  }

  const timer = setInterval(() => refresh().catch(onError), refreshMs).unref();
  return { query, connect, refresh, close };
}

export type SecretPool = Awaited<ReturnType<typeof openSecretPool>>;

async function readSecret({ secrets, version }: SecretPoolOptions) {
  const [answer] = await secrets
    .accessSecretVersion({ name: version }, { timeout: 10_000 })
    .catch((error) => {
      throw new Error(`Cannot read the secret ${version}: ${error.message}`, { cause: error });
    });
  try {
    const { host, port, database, username, password } = JSON.parse(String(answer.payload?.data));
    if (!username || !password) throw new Error('incomplete');
    // The number of the version, whatever it was asked for by: tells one login from the next.
    return { name: answer.name, login: { host, port, database, user: username, password } };
  } catch {
    // Without the cause, which may quote the value.
    throw new Error(`The secret ${version} is no database credential`);
  }
}

/** Ends a pool when nobody waits in it, whom `end` would forget. What is in use is closed when it comes back. */
async function retire(pool: pg.Pool): Promise<void> {
  while (pool.waitingCount > 0) await sleep(50);
  await pool.end();
}

function isRefused(error: unknown): boolean {
  return error instanceof pg.DatabaseError && (error.code === '28P01' || error.code === '28000');
}
