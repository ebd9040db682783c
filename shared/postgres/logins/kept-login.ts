import { setTimeout as delay } from 'node:timers/promises';
import { classify } from '../../operation/classify.ts';
import { OperationError } from '../../operation/errors.ts';
import type { Logger } from '../../telemetry/log.ts';
import type { Login, Pools } from '../pools.ts';
import { beforePoolsClose } from '../process-pools.ts';
import { rejection } from '../rejection.ts';
import { isServerError } from '../sqlstate.ts';
import { formatTarget, type Target } from '../target.ts';
import { extendLogin, makeLogin, type NamedFor, newLogin, removeLogin, runOut } from './owner-roles.ts';

/** A schema whose owner a login may act as. */
export interface KeptFor {
  readonly target: Target;
  readonly schema: string;
}

export interface KeptLoginOptions {
  readonly signal: AbortSignal;
  /** Is told of a login that could not be taken away. */
  readonly log?: Logger;
}

/** Logins that this process keeps, each for many uses. */
export interface KeptLogins {
  /**
   * Lends the login that is a member of the schema's owner and of nothing else: see `withOwnerLogin`. It is made on first use,
   * once for all who ask at the same time, and made good for longer where half of its time is over.
   *
   * @param use is called again with another login where PostgreSQL refuses this one, or its part as the owner: somebody took it
   *   away, or changed its password, which the owner's code can. So it begins with a connection and a transaction.
   * @throws whatever `use` throws; what keeps a login from being made; OperationError `LOGIN_REFUSED`, retryable, where too many were
   *   refused
   */
  withLogin<T>(
    pools: Pools,
    owned: KeptFor,
    options: KeptLoginOptions,
    use: (login: Login) => Promise<T>,
  ): Promise<T>;
  /** Takes all of them away: for a process that ends. What can't be taken away within the time is left to run out. */
  drop(deadlineMs: number, log?: Logger): Promise<void>;
}

interface Kept {
  readonly pools: Pools;
  readonly owned: NamedFor;
  readonly login: Login;
  /** By this process's clock, in milliseconds since the epoch. */
  readonly until: number;
}

/** One that nobody made good for longer is nobody after that, and is swept by whoever makes the next. */
const lifeMs = 3_600_000;

/** Making one takes no longer, whoever waits for it. */
const makingMs = 30_000;

/** As many as a pool has at most; what it closes goes on for a moment. */
const connections = 200;

/** So many of those that others left are taken away by who makes one: the rest by the next. */
const sweptAtATime = 5;

/** To take a refused one away takes so long at most, for others wait for the next. */
const farewellMs = 10_000;

/** So many in the place of refused ones are made for a schema, and no more until the first of them was an hour ago. */
const mostRefusals = 10;
const refusalsMs = 3_600_000;

/** What says that a login is gone, has run out or is no member of the owner any more. */
const refusals: ReadonlySet<string> = new Set(['AUTHENTICATION_FAILED', 'INSTANCE_NOT_PREPARED']);

/** @param now milliseconds since the epoch */
export function createKeptLogins(now: () => number = Date.now): KeptLogins {
  const making = new Map<string, { readonly promise: Promise<Kept>; kept?: Kept }>();
  /** When logins were refused, by what they were for. */
  const refusedAt = new Map<string, readonly number[]>();

  const start = (key: string, make: () => Promise<Kept>): Promise<Kept> => {
    const promise = make();
    const entry: { promise: Promise<Kept>; kept?: Kept } = { promise };
    making.set(key, entry);
    promise.then(
      (kept) => {
        entry.kept = kept;
      },
      () => {
        if (making.get(key) === entry) making.delete(key);
      },
    );
    return promise;
  };

  const obtain = (key: string, pools: Pools, owned: NamedFor, log: Logger | undefined): Promise<Kept> => {
    const entry = making.get(key);
    if (entry === undefined) return start(key, () => make(pools, owned, now(), log));
    const { kept } = entry;
    if (kept === undefined || kept.until - now() > lifeMs / 2) return entry.promise;
    return start(key, () => renew({ ...kept, pools }, now(), log));
  };

  /** Takes a login away that PostgreSQL refused: whoever makes it be refused each time must not leave one behind each time. */
  const forget = async (key: string, refused: Kept, cause: unknown, log: Logger | undefined) => {
    const { pools, owned, login } = refused;
    // Another has forgotten it already, or is just making it good for longer.
    if (making.get(key)?.kept?.login.user !== login.user) return;
    const recent = (refusedAt.get(key) ?? []).filter((at) => at > now() - refusalsMs);
    if (recent.length >= mostRefusals) throw refusedTooOften(owned, cause);
    refusedAt.set(key, [...recent, now()]);
    making.delete(key);
    const farewell = { signal: AbortSignal.timeout(farewellMs), remainingMs: () => farewellMs };
    await removeLogin(pools, owned, login.user, farewell).catch((error: unknown) => {
      log?.log('WARNING', 'login left', { login: login.user, problem: classify(error).message });
    });
  };

  return {
    async withLogin(pools, { target, schema }, { signal, log }, use) {
      const key = JSON.stringify([target.instance, target.database, schema]);
      const owned: NamedFor = { target, schemas: [schema], purpose: 'media' };
      for (let again = false; ; again = true) {
        signal.throwIfAborted();
        // Others may be waiting for it, so it is made to its end though this one leaves.
        const kept = await Promise.race([obtain(key, pools, owned, log), rejection(signal)]);
        try {
          return await use(kept.login);
        } catch (error) {
          if (again || !isRefusal(error)) throw error;
          await Promise.race([forget(key, kept, error, log), rejection(signal)]);
        }
      }
    },

    async drop(deadlineMs, log) {
      const entries = [...making.values()];
      making.clear();
      const signal = AbortSignal.timeout(Math.max(1, deadlineMs));
      const dropOne = async (entry: { readonly promise: Promise<Kept> }) => {
        const { pools, owned, login } = await entry.promise;
        const farewell = { signal, remainingMs: () => deadlineMs };
        await removeLogin(pools, owned, login.user, farewell).catch((error: unknown) => {
          log?.log('WARNING', 'login left', { login: login.user, problem: classify(error).message });
        });
      };
      const over = delay(deadlineMs, undefined, { ref: false });
      await Promise.race([Promise.allSettled(entries.map(dropOne)), over]);
    },
  };
}

function isRefusal(error: unknown): boolean {
  return error instanceof OperationError && refusals.has(error.code);
}

function refusedTooOften({ target, schemas }: NamedFor, cause: unknown): OperationError {
  const where = `schema ${schemas.join(', ')} of ${formatTarget(target)}`;
  return new OperationError(
    'LOGIN_REFUSED',
    `PostgreSQL refused ${mostRefusals} logins within an hour that were made to act as the owner of ${where}: look whether code ` +
      'of the schema changes their passwords, or who takes them away',
    { retryable: true, details: { ...target, schemas }, cause },
  );
}

async function make(pools: Pools, owned: NamedFor, now: number, log: Logger | undefined): Promise<Kept> {
  const options = { signal: AbortSignal.timeout(makingMs), remainingMs: () => makingMs };
  const login = newLogin(owned);
  const until = now + lifeMs;
  await sweep(pools, owned, log);
  await makeLogin(pools, owned, login, { connections, until: new Date(until) }, options);
  return { pools, owned, login, until };
}

async function renew(kept: Kept, now: number, log: Logger | undefined): Promise<Kept> {
  const { pools, owned, login } = kept;
  const until = now + lifeMs;
  const options = { signal: AbortSignal.timeout(makingMs), remainingMs: () => makingMs };
  try {
    await extendLogin(pools, owned, login.user, new Date(until), options);
    return { ...kept, until };
  } catch (error) {
    // Swept, after this process was frozen for longer than it was good.
    if (!isServerError(error) || error.code !== '42704') throw error;
    return make(pools, owned, now, log);
  }
}

/**
 * Takes away what processes left that are no more, whichever schema of the database it was for: nobody may ever come for that one
 * again. One that is still good may be a living process's, though it has no session at the moment.
 */
async function sweep(pools: Pools, owned: NamedFor, log: Logger | undefined): Promise<void> {
  const options = { signal: AbortSignal.timeout(makingMs), remainingMs: () => makingMs };
  const warn = (error: unknown) => {
    const where = formatTarget(owned.target);
    log?.log('WARNING', 'logins left', { where, problem: classify(error).message });
  };
  const left = await runOut(pools, owned, sweptAtATime, options).catch((error: unknown) => {
    warn(error);
    return [];
  });
  for (const user of left) await removeLogin(pools, owned, user, options).catch(warn);
}

/** Those of this process. */
export const keptLogins = createKeptLogins();
beforePoolsClose((deadlineMs) => keptLogins.drop(deadlineMs));
