import { actingAdmin } from '../names.ts';
import { Script } from '../offboard/script.ts';
import type { Pools } from '../pools.ts';
import { retryConcurrentChanges } from '../retry.ts';
import { changeInTransaction } from '../transaction.ts';
import { type InspectedLogin, type InspectedLogins, loginsInspection, readLogins } from './inspect.ts';

/** The logins of a secret, and where. */
export interface LoginScope {
  readonly instance: string;
  readonly database: string;
  readonly schema: string | null;
  /** The secret's id. */
  readonly secret: string;
}

export interface LoginOptions {
  readonly pools: Pools;
  readonly signal: AbortSignal;
  readonly remainingMs: () => number;
  /** Throws where the operation may be another worker's by now, and the logins the next tenant's. Called under the lock. */
  readonly assertHeld?: () => void;
}

/** What a change to logins is planned from. */
export interface LoginBasis {
  readonly found: ReadonlyMap<string, InspectedLogin>;
  readonly inspected: InspectedLogins;
  /** Where the plan's statements go. */
  readonly script: Script;
}

/** Who acts on a secret's logins: the admin of its schema. */
export function adminOfLogins({ database, schema }: LoginScope): string {
  return actingAdmin(database, schema ?? undefined);
}

/** Inspects logins, plans and applies, in one transaction under the secret's lock. */
export async function changeLogins<T>(
  scope: LoginScope,
  names: readonly string[],
  { pools, signal, remainingMs, assertHeld }: LoginOptions,
  plan: (basis: LoginBasis) => T,
): Promise<T> {
  const acting = adminOfLogins(scope);
  const { result } = await retryConcurrentChanges(signal, () =>
    pools.withConnection({ instance: scope.instance, database: scope.database }, { signal }, (client) =>
      changeInTransaction(
        client,
        {
          acting,
          lock: `secret ${scope.secret}`,
          timeoutMs: remainingMs(),
          inspection: loginsInspection(names, scope.database),
        },
        (answer) => {
          const inspected = readLogins(answer);
          const script = new Script(acting, inspected.serverVersion);
          const found = new Map(inspected.logins.map((one) => [one.name, one]));
          const result = plan({ found, inspected, script });
          const statements = script.statements();
          if (statements.length > 0) assertHeld?.();
          return { result, statements };
        },
      ),
    ),
  );
  return result;
}
