import { applyToSet, type SetChange } from '../grants/apply.ts';
import { desiredOf, type SetScope } from '../grants/scope.ts';
import type { OperationContext } from '../operation/definition.ts';
import { OperationError } from '../operation/errors.ts';
import type { Change, Note } from '../operation/outcome.ts';
import { convergeGrants } from '../postgres/grants/converge.ts';
import type { InspectedGrants } from '../postgres/grants/model.ts';
import { examineGrants, refuseScope } from '../postgres/grants/refusals.ts';
import { type EnsuredLogins, ensureLogins, type LoginLimits } from '../postgres/logins/ensure.ts';
import type { GrantSetWish } from '../registry/grants/merge.ts';
import { emptySet } from '../registry/grants/model.ts';
import { wantedOf } from '../registry/grants/outcome.ts';
import { mergeWhole, registerWish } from '../registry/grants/store.ts';
import { Superseded } from '../registry/intents.ts';
import type { PostgresSecret } from './managed.ts';
import { optionsOf, roleOf, scopeOf } from './rotation.ts';

export interface MadeLogins extends EnsuredLogins {
  readonly notes: readonly Note[];
}

/**
 * Makes a secret's logins, and members of its role: the grant is in the registry like any other, so that comparisons,
 * reports and offboarding know it.
 *
 * @param epoch of this attempt; undefined in a dry run, which changes nothing
 * @param limits of their connections, where somebody sets them
 */
export async function makeLogins(
  id: string,
  managed: PostgresSecret,
  adopted: string | undefined,
  epoch: number | undefined,
  operation: OperationContext,
  limits?: LoginLimits,
): Promise<MadeLogins> {
  const { logins } = managed;
  const { role, acts } = roleOf(managed);
  const actAs = acts ? role : undefined;
  const planned = epoch === undefined ? await granted(id, managed, true, operation) : undefined;
  const made = await ensureLogins(
    { scope: scopeOf(id, managed), logins, adopted, actAs, limits, epoch },
    optionsOf(operation),
  );
  const done = planned ?? (await granted(id, managed, false, operation));
  return {
    changes: [...made.changes, ...done.changes],
    statements: [...made.statements, ...done.statements],
    notes: done.notes,
  };
}

interface Granted {
  readonly changes: readonly Change[];
  readonly notes: readonly Note[];
  readonly statements: readonly string[];
}

async function granted(
  id: string,
  { role, logins, ...where }: PostgresSecret,
  dryRun: boolean,
  operation: OperationContext,
): Promise<Granted> {
  if (role === null) return { changes: [], notes: [], statements: [] };
  const scope: SetScope = { instance: where.instance, database: where.database, schema: where.schema };
  const { claimedActor, ...order } = operation.asked;
  const wish: GrantSetWish = {
    mode: 'add',
    author: { operation: operation.id, ...order },
    ...(claimedActor === undefined ? {} : { actor: claimedActor }),
    grants: logins.map((principal) => ({ principal, kind: 'login', role, reason: `secret ${id}` })),
    customRoles: [],
  };
  const examine = (found: InspectedGrants) => refuseGrants(scope, wish, found, dryRun);
  if (dryRun) {
    const { set, superseded } = mergeWhole(emptySet(scope), wish);
    const desired = desiredOf(scope, wantedOf(set, wish, superseded), undefined);
    const converged = await convergeGrants(operation.pools, scope, [desired], {
      ...operation,
      soon: logins,
      examine,
    });
    return { changes: converged.changes, notes: converged.notes, statements: converged.planned };
  }
  const applied = await bringAbout(operation, {
    scope,
    register: (transaction, ref, set, atLeast) => registerWish(transaction, ref, set, wish, atLeast),
    wanted: ({ set, superseded }) => wantedOf(set, wish, superseded),
    examine,
  });
  return { changes: applied.changes, notes: applied.notes, statements: [] };
}

/** A secret without what its logins may do is not what was asked for. */
async function bringAbout(operation: OperationContext, change: SetChange) {
  try {
    return await applyToSet(operation, change);
  } catch (error) {
    if (!(error instanceof Superseded)) throw error;
    throw new OperationError(
      'GRANTS_SUPERSEDED',
      `Something newer was decided about the grants that the secret's logins need (operation ${error.by}). Send it again.`,
      { details: { operation: error.by } },
    );
  }
}

/** @throws OperationError with the place of what stands against the grants */
function refuseGrants(
  { database, schema }: SetScope,
  wish: GrantSetWish,
  found: InspectedGrants,
  soon: boolean,
): void {
  const unmanaged = refuseScope({ database, schema: schema ?? undefined }, found);
  if (unmanaged) throw unmanaged;
  const grants = wish.grants.map((grant) => ({ ...grant, present: true }));
  const [refusal] = examineGrants({ database, schema: schema ?? undefined }, grants, found).filter(
    ({ code }) => !soon || code !== 'PRINCIPAL_NOT_FOUND',
  );
  if (refusal === undefined) return;
  const { code, field, message, statements } = refusal;
  const path = field === 'principal' ? 'data.secret' : `data.${field}`;
  throw new OperationError(code, `The secret's logins can't be granted their role: ${message}.`, {
    details: { problems: [{ path, code, message }], ...(statements ? { statements } : {}) },
  });
}
