import { applyToSet, desiredOf, type SetScope, setRef } from '../../shared/grants/apply.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Note, Outcome } from '../../shared/operation/outcome.ts';
import { type ConvergedGrants, convergeGrants } from '../../shared/postgres/grants/converge.ts';
import type { InspectedGrants } from '../../shared/postgres/grants/model.ts';
import {
  type ExaminedGrant,
  examineGrants,
  refusedGrants,
  refuseScope,
} from '../../shared/postgres/grants/refusals.ts';
import type { GrantSetWish, Merged } from '../../shared/registry/grants/merge.ts';
import { grantKey } from '../../shared/registry/grants/model.ts';
import { wantedOf } from '../../shared/registry/grants/outcome.ts';
import { mergeWhole, readSet, registerWish } from '../../shared/registry/grants/store.ts';
import { type GrantRolesMessage, roleOf } from './message.ts';
import { ensurePrincipals } from './principals.ts';

/** Modes add, exact and revoke. */
export async function changeGrants(
  message: GrantRolesMessage,
  operation: OperationContext,
): Promise<Outcome> {
  const { target, schema } = message;
  const scope: SetScope = { ...target, schema: schema ?? null };
  const wish = wishOf(message, operation);
  return operation.dryRun ? plan(message, scope, wish, operation) : apply(message, scope, wish, operation);
}

async function plan(
  message: GrantRolesMessage,
  scope: SetScope,
  wish: GrantSetWish,
  operation: OperationContext,
): Promise<Outcome> {
  const missing = await ensurePrincipals(message, operation);
  const ref = await setRef(operation, scope);
  const merged = mergeWhole(readSet(await ref.get(), scope), wish);
  const desired = desiredOf(scope, wantedOf(merged.set, wish, merged.superseded), undefined);
  const converged = await convergeGrants(operation.pools, scope, [desired], {
    ...operation,
    examine: (found) =>
      examine(message, found, {
        superseded: merged.superseded,
        soon: missing.map(({ name }) => name),
      }),
  });
  return {
    changes: [...missing, ...converged.changes],
    notes: [...converged.notes, ...supersededNotes(merged)],
    statements: converged.planned,
    summary: summaryOf(converged),
  };
}

async function apply(
  message: GrantRolesMessage,
  scope: SetScope,
  wish: GrantSetWish,
  operation: OperationContext,
): Promise<Outcome> {
  const { registered, converged, changes, notes } = await applyToSet(operation, {
    scope,
    keys: () => wish.grants.map(grantKey),
    register: (transaction, ref, set, atLeast) => registerWish(transaction, ref, set, wish, atLeast),
    wanted: ({ set, superseded }) => wantedOf(set, wish, superseded),
    prepare: () => ensurePrincipals(message, operation),
    examine: (found, { superseded }) => examine(message, found, { superseded }),
  });
  return {
    changes,
    notes: [...notes, ...supersededNotes(registered)],
    summary: summaryOf(converged),
    ...(notes.some(({ code }) => code === 'FOREIGN_MEMBERSHIP') && message.mode !== 'add'
      ? { partial: true }
      : {}),
  };
}

function wishOf(
  { mode, grants, customRoles }: GrantRolesMessage,
  { id, asked }: OperationContext,
): GrantSetWish {
  const { claimedActor, ...order } = asked;
  if (mode === 'offboard') throw new Error('offboarding is no wish about one set');
  return {
    mode,
    author: { operation: id, ...order },
    ...(claimedActor === undefined ? {} : { actor: claimedActor }),
    grants: grants.map((grant) => ({
      principal: grant.principal,
      kind: grant.kind,
      role: roleOf(grant),
      ...(grant.expiresAt === undefined ? {} : { expiresAt: new Date(grant.expiresAt) }),
      ...(grant.reason === undefined ? {} : { reason: grant.reason }),
    })),
    customRoles,
  };
}

/**
 * Holds a message against the catalog.
 *
 * @param options.superseded grants about which nothing is to be done, by key
 * @param options.soon principals that a dry run would create
 */
function examine(
  message: GrantRolesMessage,
  found: InspectedGrants,
  { superseded, soon = [] }: { readonly superseded: readonly string[]; readonly soon?: readonly string[] },
): void {
  const { target, schema, grants, mode, customRoles } = message;
  const scope = { database: target.database, schema };
  // First: of a schema that isn't Drover's every level is missing, which says nothing.
  const unmanaged = refuseScope(scope, found);
  if (unmanaged) throw unmanaged;
  const examined: ExaminedGrant[] = grants.map((grant) => ({
    principal: grant.principal,
    kind: grant.kind,
    role: roleOf(grant),
    present: mode !== 'revoke',
    ...(grant.expiresAt === undefined ? {} : { expiresAt: new Date(grant.expiresAt) }),
  }));
  const defined = customRoles.map(({ name }) => name);
  const refusals = examineGrants(scope, examined, found, defined).filter(({ code, index }) => {
    const grant = examined[index];
    if (grant === undefined || superseded.includes(grantKey(grant))) return false;
    return code !== 'PRINCIPAL_NOT_FOUND' || !soon.includes(grant.principal);
  });
  const refused = refusedGrants(refusals);
  if (refused) throw refused;
}

function summaryOf({ plans, changes }: ConvergedGrants): Record<string, number> {
  const count = (action: string) =>
    changes.filter((change) => change.kind === 'membership' && change.action === action).length;
  return {
    granted: count('grant'),
    revoked: count('revoke'),
    kept: plans.reduce((sum, { kept }) => sum + kept, 0),
  };
}

function supersededNotes({ superseded, by }: Merged): Note[] {
  if (superseded.length === 0) return [];
  return [
    {
      code: 'SUPERSEDED',
      message: `Something newer was decided about ${superseded.join(', ')} (operation ${by.join(', ')}); nothing was done about that.`,
    },
  ];
}
