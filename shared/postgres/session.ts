import pg from 'pg';
import type { Config } from '../config.ts';

/** How long a statement waits for a lock, so that DDL never makes an application's queries queue behind it. */
const lockTimeoutMilliseconds = 5_000;

/** How long the server has to answer a goodbye before the socket is closed all the same. */
const farewellMilliseconds = 2_000;

/**
 * What every session is started with, as parameters of the startup message: no round trip.
 *
 * `search_path` is empty so that no name resolves by chance, and warnings arrive whatever the database's default is. `client_connection_check_interval` makes the server notice
 * within a second that its client is gone and roll back; without it an abandoned statement runs to its end and, outside
 * of a transaction, commits.
 */
export function sessionParameters(
  config: Pick<Config, 'FUNCTION_TARGET' | 'DROVER_LEASE_SECONDS'>,
): pg.ClientConfig {
  return {
    application_name: ['drover', config.FUNCTION_TARGET].filter(Boolean).join('/'),
    lock_timeout: lockTimeoutMilliseconds,
    idle_in_transaction_session_timeout: (config.DROVER_LEASE_SECONDS * 1000) / 2,
    options: '-c search_path= -c client_min_messages=notice -c client_connection_check_interval=1s',
    client_encoding: 'UTF8',
    pipeline: true,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
}

/** A node-postgres client that can't crash the process and can't linger. */
export class Session extends pg.Client {
  /** What broke the connection, once something did. */
  failure: Error | undefined;
  /** Whether the socket is closed. */
  ended = false;
  /** Gives the client back to pg-pool, which sets this at each loan; `true` has it closed. */
  declare readonly release: pg.PoolClient['release'];

  constructor(config?: pg.ClientConfig) {
    super(config);
    // pg-pool leaves a client without a listener between connecting and lending it: a FATAL in the same packet would
    // be an uncaught exception.
    this.on('error', (error) => {
      this.failure ??= error;
    });
    this.once('end', () => {
      this.ended = true;
    });
    // pg leaves the socket open when a login fails on the client's side: no password, a wrong server signature.
    this.connection.on('error', () => this.destroy());
  }

  /** Resolves once the socket is closed. */
  async closed(): Promise<void> {
    if (!this.ended) await new Promise<void>((resolve) => this.once('end', resolve));
  }

  /** Closes the socket without a goodbye; the server rolls back. */
  destroy(): void {
    this.connection.stream.destroy();
  }

  /** Says goodbye. In pipeline mode pg would wait for statements under way, however long; this waits a moment at most. */
  override end(): Promise<void>;
  override end(callback: (error: Error) => void): void;
  override end(callback?: (error: Error) => void): Promise<void> | undefined {
    if (!this.ended) {
      const impatience = setTimeout(() => this.destroy(), farewellMilliseconds).unref();
      this.once('end', () => clearTimeout(impatience));
    }
    if (callback === undefined) return super.end();
    super.end(callback);
    return undefined;
  }
}
