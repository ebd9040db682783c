import { applyToSet, type SetChange } from '../../shared/grants/apply.ts';
import { desiredOf, type SetScope, setRef } from '../../shared/grants/scope.ts';
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
import { grantKey, isKnown } from '../../shared/registry/grants/model.ts';
import { offboardedRefs, readOffboarded } from '../../shared/registry/grants/offboarded.ts';
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
  const ref = await setRef(operation, scope);
  const refs = await offboardedRefs(operation, scope.instance, principalsOf(wish));
  const [set, ...offboarded] = await ref.firestore.getAll(ref, ...refs);
  const merged = mergeWhole(readSet(set, scope), wish, readOffboarded(offboarded));
  const { superseded } = merged;
  const missing = await ensurePrincipals(message, superseded, operation);
  const desired = desiredOf(scope, wantedOf(merged.set, wish, superseded), undefined);
  const soon = missing.map(({ name }) => name);
  const converged = await convergeGrants(operation.pools, scope, [desired], {
    ...operation,
    soon,
    examine: (found) => examine(message, found, { superseded, soon }),
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
  const refs = await offboardedRefs(operation, scope.instance, principalsOf(wish));
  let resumed = false;
  const change: SetChange = {
    scope,
    async register(transaction, ref, set, atLeast) {
      const closed = refs.length === 0 ? undefined : readOffboarded(await transaction.getAll(...refs));
      resumed = isKnown(set, operation.id);
      return registerWish(transaction, ref, set, wish, atLeast, closed);
    },
    wanted: ({ set, superseded }) => wantedOf(set, wish, superseded),
    // A user is made only for a message that nothing else stands against.
    async prepare({ set, superseded }) {
      const missing = await ensurePrincipals(message, superseded, { ...operation, dryRun: true });
      if (missing.length === 0) return [];
      const soon = missing.map(({ name }) => name);
      const desired = desiredOf(scope, wantedOf(set, wish, superseded), undefined);
      const checked = (found: InspectedGrants) => examine(message, found, { superseded, resumed, soon });
      await convergeGrants(operation.pools, scope, [desired], { ...operation, soon, examine: checked });
      return ensurePrincipals(message, superseded, operation);
    },
    examine: (found, { superseded }) => examine(message, found, { superseded, resumed }),
  };
  const { registered, converged, changes, notes } = await applyToSet(operation, change);
  const isForeign = notes.some(({ code }) => code === 'FOREIGN_MEMBERSHIP');
  return {
    changes,
    notes: [...notes, ...supersededNotes(registered)],
    summary: summaryOf(converged),
    ...(isForeign && message.mode !== 'add' ? { partial: true } : {}),
  };
}

/** Whom it gives something. */
function principalsOf({ mode, grants }: GrantSetWish): string[] {
  return mode === 'revoke' ? [] : grants.map(({ principal }) => principal);
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

interface Examination {
  /** Grants about which nothing is to be done, by key. */
  readonly superseded: readonly string[];
  /** Principals that a dry run would create. */
  readonly soon?: readonly string[];
  /** An earlier attempt was let go on: that a grant ran out since is no mistake of the message's. */
  readonly resumed?: boolean;
}

/**
 * Holds a message against the catalog.
 *
 * @throws OperationError with the place of each grant that can't be made
 */
function examine(
  message: GrantRolesMessage,
  found: InspectedGrants,
  { superseded, soon = [], resumed = false }: Examination,
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
  const refusals = examineGrants(scope, examined, found, customRoles).filter(({ code, index }) => {
    const grant = examined[index];
    if (grant === undefined) return false;
    const key = grantKey(grant);
    if (superseded.includes(key) || (code === 'EXPIRY_PAST' && resumed)) return false;
    return code !== 'PRINCIPAL_NOT_FOUND' || !soon.includes(grant.principal);
  });
  const refused = refusedGrants(refusals);
  if (refused) throw refused;
}

function summaryOf(converged: ConvergedGrants | undefined): Record<string, number> {
  const { plans = [] } = converged ?? {};
  // Of principals: what a custom role itself is a member of isn't among the plans' changes.
  const changes = plans.flatMap(({ steps }) => steps.flatMap((step) => step.changes));
  const count = (action: string) => changes.filter((change) => change.action === action).length;
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
