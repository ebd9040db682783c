import { classify } from '../../operation/classify.ts';
import type { Logger } from '../../telemetry/log.ts';
import type { Login, Pools } from '../pools.ts';
import { sql } from '../sql.ts';
import { leftBehind, makeLogin, newLogin, type Owned, type RoleOptions, removeLogin } from './owner-roles.ts';

export interface OwnerLoginOptions extends RoleOptions {
  /** Is told of a login that could not be taken away. */
  readonly log?: Logger;
}

/** One that nobody took away is nobody after that. */
const longestLifeMs = 3_600_000;

/** Between making a login and using it passes less. */
const unusedMs = 60_000;

/** To take a login away takes so long at most, also where the operation's own time is over. */
const farewellMs = 10_000;

/**
 * Makes a login that is a member of the schemas' owners and of nothing else, for as long as it is used. Whoever reads or
 * writes a tenant's tables runs the tenant's code: functions in defaults, checks and indexes, which PostgreSQL may call
 * even to plan a query. It runs with all that its session may become, whatever role that has set: Drover's own may become
 * an admin, and this one can't.
 */
export async function withOwnerLogin<T, I = unknown>(
  pools: Pools,
  owned: Owned<I> & { readonly purpose: Exclude<Owned['purpose'], 'media'> },
  options: OwnerLoginOptions,
  use: (login: Login) => Promise<T>,
): Promise<T> {
  const login = newLogin(owned);
  // Of workers that died: nobody uses them, and whoever made one has had the time to.
  const unused = sql`now() + ${`${longestLifeMs - unusedMs} ms`}::interval`;
  for (const left of await leftBehind(pools, owned, unused, options))
    await removeLogin(pools, owned, left, options);
  const terms = { connections: 2, until: new Date(Date.now() + longestLifeMs) };
  await makeLogin(pools, owned, login, terms, options);
  try {
    return await use(login);
  } finally {
    const farewell = { signal: AbortSignal.timeout(farewellMs), remainingMs: () => farewellMs };
    await removeLogin(pools, owned, login.user, farewell).catch((error: unknown) => {
      // Nobody knows its password, and its time runs out; another attempt takes it away.
      options.log?.log('WARNING', 'login left', { login: login.user, problem: classify(error).message });
    });
  }
}
