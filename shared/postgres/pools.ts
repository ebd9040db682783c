import { type Config, connectionFor } from '../config.ts';
import { OperationError } from '../operation/errors.ts';
import { type ConnectionLimits, decide, type ReachedLimit } from './connection-limits.ts';
import { createConnectors, type LoginSettings } from './connectors.ts';
import { DatabasePool } from './database-pool.ts';
import { lend, type Use, unused } from './loan.ts';
import { rejection } from './rejection.ts';
import { formatTarget, type Target } from './target.ts';

export type { Loan, Use } from './loan.ts';

interface Usage {
  open: number;
  busy: number;
  waiting: number;
}

/** A user name and its password. */
export interface Login {
  readonly user: string;
  readonly password: string;
}

export interface ConnectionOptions {
  readonly signal: AbortSignal;
  readonly as?: Login;
}

/** Connections to every database that this process works on, within limits. */
export interface Pools {
  /**
   * Lends a connection for the time of `use`. Then it goes back; or it is closed, if a transaction is left open, if the
   * loan was discarded, or if `use` threw anything but a DatabaseError or an OperationError.
   *
   * @param options.signal ends the waiting at once, and the loan too: the connection is closed and the server rolls back
   * @param options.as a login that isn't Drover's, by the way that the configuration says: its connection is closed after
   *   the loan
   * @throws OperationError `TARGET_NOT_ALLOWED` if no entry of DROVER_INSTANCES covers the instance; retryable:
   *   `TOO_FEW_CONNECTIONS` after DROVER_CONNECTION_WAIT_SECONDS, `AUTHENTICATION_FAILED`, `CONNECTION_FAILED`,
   *   `CONNECTION_LOST`, `SHUTTING_DOWN`; and whatever `use` throws
   */
  withConnection<T>(target: Target, options: ConnectionOptions, use: Use<T>): Promise<T>;
  /** Connections open and lent, callers waiting: in all and per instance. */
  stats(): Usage & { instances: Record<string, Usage> };
  /**
   * Waits until the connections that are lent come back, closes them all and refuses later calls.
   *
   * @param deadlineMs milliseconds from now after which those still lent are closed too
   */
  close(deadlineMs: number): Promise<void>;
}

export type PoolsConfig = Pick<
  Config,
  | 'DROVER_INSTANCES'
  | 'DROVER_CONNECTIONS_PER_DATABASE'
  | 'DROVER_CONNECTIONS_PER_INSTANCE'
  | 'DROVER_CONNECTIONS_PER_PROCESS'
  | 'DROVER_CONNECTION_WAIT_SECONDS'
  | 'FUNCTION_TARGET'
  | 'DROVER_LEASE_SECONDS'
>;

interface Waiting {
  readonly target: Target;
  readonly settings: LoginSettings;
  /** Lets it leave the line with a pool that has promised a connection. */
  readonly admit: (pool: DatabasePool) => void;
  readonly refuse: (reason: unknown) => void;
  /** What it waits for, as of the last time it was looked at. */
  reached: ReachedLimit | undefined;
}

const limitSettings = {
  database: 'DROVER_CONNECTIONS_PER_DATABASE',
  instance: 'DROVER_CONNECTIONS_PER_INSTANCE',
  process: 'DROVER_CONNECTIONS_PER_PROCESS',
} as const;

export function createPools(config: PoolsConfig): Pools {
  const limits: ConnectionLimits = {
    database: config.DROVER_CONNECTIONS_PER_DATABASE,
    instance: config.DROVER_CONNECTIONS_PER_INSTANCE,
    process: config.DROVER_CONNECTIONS_PER_PROCESS,
  };
  const connectors = createConnectors();
  const databases = new Map<string, DatabasePool>();
  const line: Waiting[] = [];
  /** The calls that are not over, each with what ends it. */
  const calls = new Map<AbortController, Promise<unknown>>();
  let uses = 0;
  let closing: Promise<void> | undefined;

  const poolFor = ({ target, settings }: Waiting): DatabasePool => {
    const key = keyOf(target, settings);
    const known = databases.get(key);
    if (known !== undefined) return known;
    const pool = new DatabasePool({ target, settings, config, connectors, onRoom: () => makeUseOfRoom(key) });
    databases.set(key, pool);
    return pool;
  };

  const makeUseOfRoom = (key: string): void => {
    serveLine();
    if (databases.get(key)?.open === 0) databases.delete(key);
  };

  /** Gives connections to those who can have one, who came first before who came later. */
  const serveLine = (): void => {
    for (const waiting of [...line]) {
      const { target, settings } = waiting;
      const wanted = databases.get(keyOf(target, settings));
      const decision = decide(target.instance, wanted, databases.values(), limits);
      if (!decision.admit) {
        waiting.reached = decision.reached;
        continue;
      }
      leaveLine(waiting);
      const pool = poolFor(waiting);
      pool.promise(++uses);
      if (decision.closeFirst === undefined) waiting.admit(pool);
      else void decision.closeFirst.closeIdle().then(() => waiting.admit(pool));
    }
  };

  const leaveLine = (waiting: Waiting): boolean => {
    const place = line.indexOf(waiting);
    if (place >= 0) line.splice(place, 1);
    return place >= 0;
  };

  /** Waits in line, until there is room, patience ends or the signal fires. */
  const admission = async (target: Target, settings: LoginSettings, signal: AbortSignal) => {
    const { promise, resolve: admit, reject } = Promise.withResolvers<DatabasePool>();
    // Who has left the line is promised a connection, and must not be refused.
    const refuse = (reason: unknown) => leaveLine(waiting) && reject(reason);
    const waiting: Waiting = { target, settings, admit, refuse, reached: undefined };
    line.push(waiting);
    serveLine();
    const patience = setTimeout(
      () => refuse(tooFew(waiting, config.DROVER_CONNECTION_WAIT_SECONDS)),
      config.DROVER_CONNECTION_WAIT_SECONDS * 1000,
    );
    signal.addEventListener('abort', () => refuse(signal.reason), { once: true });
    try {
      return await promise;
    } finally {
      clearTimeout(patience);
    }
  };

  const borrow = async <T>(
    target: Target,
    settings: LoginSettings,
    signal: AbortSignal,
    use: Use<T>,
  ): Promise<T> => {
    const pool = await admission(target, settings, signal);
    const session = await pool.connect(signal);
    // A caller that has gone in the meantime leaves a good connection to the next one.
    const { fate, result } = signal.aborted ? unused(signal) : await lend(session, target, signal, use);
    await pool.release(session, closing === undefined ? fate : 'discard');
    return result();
  };

  const shutDown = async (deadlineMs: number): Promise<void> => {
    for (const waiting of [...line]) waiting.refuse(shuttingDown());
    const idle = [...databases.values()].flatMap((pool) =>
      Array.from({ length: pool.idle }, () => pool.closeIdle()),
    );
    const deadline = Promise.withResolvers<void>();
    const timer = setTimeout(deadline.resolve, deadlineMs);
    await Promise.race([Promise.allSettled([...idle, ...calls.values()]), deadline.promise]);
    clearTimeout(timer);
    for (const call of calls.keys()) call.abort(shuttingDown());
    await Promise.all([...databases.values()].map((pool) => pool.destroy()));
    await Promise.allSettled(calls.values());
    await connectors.close();
  };

  return {
    async withConnection(target, { signal, as }, use) {
      signal.throwIfAborted();
      if (closing !== undefined) throw shuttingDown();
      const configured = connectionFor(target.instance, config.DROVER_INSTANCES);
      if (configured === undefined) throw notAllowed(target.instance);
      const settings: LoginSettings = as ? asLogin(configured, as) : configured;

      const call = new AbortController();
      const abort = () => call.abort(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      const briefly: typeof use = (client, loan) => {
        loan.discard();
        return use(client, loan);
      };
      const borrowing = borrow(target, settings, call.signal, as ? briefly : use).finally(() =>
        calls.delete(call),
      );
      calls.set(call, borrowing);
      try {
        // After an abort nobody has to wait for what is still to be tidied up.
        return await Promise.race([borrowing, rejection(call.signal)]);
      } finally {
        signal.removeEventListener('abort', abort);
      }
    },

    stats() {
      const instances: Record<string, Usage> = {};
      const total = newUsage();
      const add = (instance: string, more: Usage) => {
        instances[instance] ??= newUsage();
        for (const usage of [total, instances[instance]]) {
          usage.open += more.open;
          usage.busy += more.busy;
          usage.waiting += more.waiting;
        }
      };
      for (const { instance, open, busy } of databases.values()) add(instance, { open, busy, waiting: 0 });
      for (const { target } of line) add(target.instance, { open: 0, busy: 0, waiting: 1 });
      return { ...total, instances };
    },

    close(deadlineMs) {
      closing ??= shutDown(deadlineMs);
      return closing;
    },
  };
}

function asLogin(configured: LoginSettings, { user, password }: Login): LoginSettings {
  return { ...configured, user, password: { given: password } };
}

function newUsage(): Usage {
  return { open: 0, busy: 0, waiting: 0 };
}

function keyOf({ instance, database }: Target, { user, password }: LoginSettings): string {
  return JSON.stringify([instance, database, user, password ?? null]);
}

function tooFew({ target, reached }: Waiting, seconds: number): OperationError {
  const { scope, open, limit } = reached ?? { scope: 'process', open: 0, limit: 0 };
  const where = { database: formatTarget(target), instance: target.instance, process: 'this process' }[scope];
  return new OperationError(
    'TOO_FEW_CONNECTIONS',
    `No connection to ${formatTarget(target)} became free within ${seconds} s: ${open} are open for ${where}, ` +
      `${limitSettings[scope]} is ${limit}.`,
    { retryable: true, details: { open, limit, setting: limitSettings[scope] } },
  );
}

function notAllowed(instance: string): OperationError {
  return new OperationError(
    'TARGET_NOT_ALLOWED',
    `The instance ${instance} may not be touched: no entry of DROVER_INSTANCES covers it.`,
    { details: { instance, setting: 'DROVER_INSTANCES' } },
  );
}

function shuttingDown(): OperationError {
  return new OperationError('SHUTTING_DOWN', 'This process is about to end and lends no more connections.', {
    retryable: true,
  });
}
