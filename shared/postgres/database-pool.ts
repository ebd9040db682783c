import pg from 'pg';
import type { Config } from '../config.ts';
import { OperationError } from '../operation/errors.ts';
import type { DatabaseUsage } from './connection-limits.ts';
import type { Connectors, LoginSettings } from './connectors.ts';
import { rejection } from './rejection.ts';
import { Session, sessionParameters } from './session.ts';
import { formatTarget, type Target } from './target.ts';

const connectMilliseconds = 10_000;
const idleMilliseconds = 60_000;

export interface DatabasePoolOptions {
  readonly target: Target;
  readonly settings: LoginSettings;
  readonly config: Pick<
    Config,
    'FUNCTION_TARGET' | 'DROVER_LEASE_SECONDS' | 'DROVER_CONNECTIONS_PER_DATABASE'
  >;
  readonly connectors: Connectors;
  /** Called whenever a connection becomes idle or closes. */
  readonly onRoom: () => void;
}

/** node-postgres' pool of one database and login, with the counts that the limits need. */
export class DatabasePool implements DatabaseUsage {
  readonly instance: string;
  readonly options: DatabasePoolOptions;
  lastUsed = 0;
  #pool: pg.Pool | undefined;
  #opening: Promise<pg.Pool> | undefined;
  /** Connections promised to callers: borrowed, being opened, or about to be. */
  #promised = 0;
  /** Connections that pg-pool has forgotten and whose sockets are not closed yet. */
  #closing = 0;
  /** Idle connections chosen for closing that pg-pool still counts. */
  #leaving = 0;
  readonly #sessions = new Set<Session>();

  constructor(options: DatabasePoolOptions) {
    this.options = options;
    this.instance = options.target.instance;
  }

  /** Connections that a caller can have at once. */
  get idle(): number {
    return Math.max(0, (this.#pool?.totalCount ?? 0) - this.#promised - this.#leaving);
  }

  get busy(): number {
    return this.#promised;
  }

  get open(): number {
    return this.#promised + this.idle + this.#closing;
  }

  /** Promises a caller a connection: `connect` is to follow. */
  promise(lastUsed: number): void {
    this.#promised += 1;
    this.lastUsed = lastUsed;
  }

  /**
   * Redeems a promise.
   *
   * @param signal ends the waiting for Cloud SQL's API; a connection that is already being opened arrives
   * @throws OperationError `AUTHENTICATION_FAILED` (retryable) if the server refused the login twice,
   *   `CONNECTION_FAILED` (retryable) where node-postgres gives no code; anything with a code of its own as it is
   */
  async connect(signal: AbortSignal): Promise<Session> {
    try {
      const pool = await Promise.race([this.#opened(), rejection(signal)]);
      return await this.#connectAgainIfRefused(pool, signal);
    } catch (error) {
      this.#promised -= 1;
      this.options.onRoom();
      throw error;
    }
  }

  /** Takes a connection back. One that is to be discarded counts as open until its socket is closed. */
  async release(session: Session, fate: 'keep' | 'discard'): Promise<void> {
    session.release(fate === 'discard');
    this.#promised -= 1;
    if (fate === 'discard') {
      this.#closing += 1;
      await session.closed();
      this.#closing -= 1;
    }
    this.options.onRoom();
  }

  /** Closes one idle connection; resolves once its socket is closed. */
  async closeIdle(): Promise<void> {
    if (this.#pool === undefined) return;
    this.#leaving += 1;
    let session: Session | undefined;
    try {
      session = await this.#take(this.#pool);
      session.release(true);
    } catch {
      // It broke in the meantime: there is room too.
    } finally {
      this.#leaving -= 1;
    }
    await session?.closed();
  }

  /** Closes every socket, whoever uses it. */
  async destroy(): Promise<void> {
    const sessions = [...this.#sessions];
    for (const session of sessions) session.destroy();
    await Promise.all(sessions.map((session) => session.closed()));
  }

  async #connectAgainIfRefused(pool: pg.Pool, signal: AbortSignal): Promise<Session> {
    try {
      return await this.#take(pool);
    } catch (error) {
      if (!isRefusedLogin(error)) throw withCode(error, this.options.target);
    }
    signal.throwIfAborted();
    // A password that was rotated a moment ago: the next connection reads it anew.
    try {
      return await this.#take(pool);
    } catch (error) {
      throw isRefusedLogin(error) ? refused(error, this.options) : withCode(error, this.options.target);
    }
  }

  async #take(pool: pg.Pool): Promise<Session> {
    const client = await pool.connect();
    if (client instanceof Session) return client;
    throw new TypeError('node-postgres made a client of another class than asked for');
  }

  #opened(): Promise<pg.Pool> {
    this.#opening ??= this.#create().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #create(): Promise<pg.Pool> {
    const { target, settings, config, connectors, onRoom } = this.options;
    const sessions = this.#sessions;
    const pool = new pg.Pool({
      ...sessionParameters(config),
      ...(await connectors.clientConfig(target, settings)),
      Client: class extends Session {
        constructor(clientConfig?: pg.ClientConfig) {
          super(clientConfig);
          sessions.add(this);
          this.once('end', () => sessions.delete(this));
        }
      },
      max: config.DROVER_CONNECTIONS_PER_DATABASE,
      connectionTimeoutMillis: connectMilliseconds,
      idleTimeoutMillis: idleMilliseconds,
      allowExitOnIdle: true,
    });
    // An idle connection broke, and the pool has already forgotten it; without a listener the process would crash.
    pool.on('error', onRoom);
    pool.on('remove', onRoom);
    this.#pool = pool;
    return pool;
  }
}

/** SQLSTATE class 28: https://www.postgresql.org/docs/current/errcodes-appendix.html */
function isRefusedLogin(error: unknown): boolean {
  return error instanceof pg.DatabaseError && (error.code === '28P01' || error.code === '28000');
}

function refused(error: unknown, { target, settings }: DatabasePoolOptions): OperationError {
  return new OperationError(
    'AUTHENTICATION_FAILED',
    `${formatTarget(target)} refuses the login ${settings.user}, also with its credential read anew.`,
    { retryable: true, cause: error },
  );
}

/** node-postgres' timeouts and lost connections have nothing but a text to tell them by. */
function withCode(error: unknown, target: Target): unknown {
  if (error instanceof Error && 'code' in error && error.code !== undefined) return error;
  return new OperationError(
    'CONNECTION_FAILED',
    `No connection to ${formatTarget(target)}: ${error instanceof Error ? error.message : String(error)}`,
    { retryable: true, cause: error },
  );
}
