import { sqlAdminFor } from '../../shared/gcp/sqladmin.ts';
import type { SetScope } from '../../shared/grants/scope.ts';
import { setsOf, takeGrantsBack } from '../../shared/grants/take-back.ts';
import { classify } from '../../shared/operation/classify.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import { OperationError } from '../../shared/operation/errors.ts';
import type { Note, Outcome } from '../../shared/operation/outcome.ts';
import { closePrincipal } from '../../shared/postgres/offboard/close.ts';
import { emptying, offboardInDatabase } from '../../shared/postgres/offboard/database.ts';
import { listDatabases } from '../../shared/postgres/offboard/databases.ts';
import { dropPrincipal } from '../../shared/postgres/offboard/drop.ts';
import {
  isRemainder,
  nothing,
  type Offboarded,
  outOfReach,
  together,
} from '../../shared/postgres/offboard/model.ts';
import type { Target } from '../../shared/postgres/target.ts';
import { recordOffboarding } from '../../shared/registry/grants/offboarded.ts';
import { Superseded } from '../../shared/registry/intents.ts';
import type { GrantRolesMessage, GrantWish } from './message.ts';

/**
 * Mode offboard: takes principals out of an instance. In an order that leaves no gap: first what the registry grants them,
 * then their login, their memberships and sessions, then what they have and own in each database, and then they
 * themselves.
 */
export async function offboard(message: GrantRolesMessage, operation: OperationContext): Promise<Outcome> {
  const { target, grants } = message;
  const parts: Offboarded[] = [];
  let databases: string[] = [];
  // Whoever must not be touched is refused before anybody is.
  for (const { principal } of grants) {
    await closePrincipal(operation.pools, target, principal, { ...operation, dryRun: true });
  }
  for (const grant of grants) {
    if (!operation.dryRun) parts.push(await takeAllGrantsBack(target.instance, grant, operation));
    const closed = await closePrincipal(operation.pools, target, grant.principal, operation);
    databases = await listDatabases(operation.pools, target, operation.signal);
    const emptied: Offboarded[] = [];
    for (const database of databases) {
      emptied.push(await offboardFrom({ instance: target.instance, database }, grant.principal, operation));
    }
    parts.push(await remove(target, grant, together(closed, ...emptied), databases, operation));
  }
  const { changes, notes, statements, remaining } = together(...parts);
  return {
    changes,
    notes,
    summary: { principals: grants.length, databases: databases.length },
    ...(operation.dryRun ? { statements } : {}),
    ...(remaining ? { partial: true } : {}),
  };
}

/** In the registry, and under its numbers: so that neither drift nor a worker that slept brings a grant back. */
async function takeAllGrantsBack(
  instance: string,
  { principal }: GrantWish,
  operation: OperationContext,
): Promise<Offboarded> {
  const { claimedActor: _, ...order } = operation.asked;
  const author = { operation: operation.id, ...order };
  const parts: Offboarded[] = [];
  await recordOffboarding(operation, instance, principal, author);
  for (const scope of await setsOf(instance, principal)) {
    try {
      const { changes, notes } = await takeGrantsBack(operation, scope, [principal]);
      parts.push({ ...nothing, changes, notes });
    } catch (error) {
      parts.push({ ...nothing, notes: [notTakenBack(error, scope, principal, operation)], remaining: true });
    }
  }
  return together(...parts);
}

/** What stands against one database must not keep the login, the memberships and the sessions open. */
function notTakenBack(
  error: unknown,
  { database, schema }: SetScope,
  principal: string,
  operation: OperationContext,
): Note {
  if (error instanceof Superseded) return { code: 'SUPERSEDED', message: error.message };
  const { code, message } = permanent(error, operation);
  const place = [database, schema].filter(Boolean).join('.');
  return outOfReach(
    `The registry’s grants of ${principal} in ${place} can't be taken back (${code}: ${message}). When they can be, send this message again under another id.`,
    [],
  );
}

/** What another attempt won't mend. */
function permanent(error: unknown, { signal }: OperationContext): OperationError {
  const classified = classify(error);
  if (classified.retryable || signal.aborted || classified.code === 'PRINCIPAL_NOT_ALLOWED') throw error;
  return classified;
}

/** A database that Drover may not enter is the admin's to clear; one that can't be reached now comes again. */
async function offboardFrom(
  target: Target,
  principal: string,
  operation: OperationContext,
): Promise<Offboarded> {
  try {
    return await offboardInDatabase(operation.pools, target, principal, operation);
  } catch (error) {
    const { code, message } = permanent(error, operation);
    const note = outOfReach(
      `${target.database} can't be looked into (${code}: ${message}). To be run there:`,
      emptying(principal),
    );
    return { ...nothing, notes: [note], remaining: true };
  }
}

/**
 * Takes the principal itself away: through the Admin API what that made, for it keeps a list of its own and may drop what
 * Drover may not; else in PostgreSQL.
 */
async function remove(
  target: Target,
  { principal, kind }: GrantWish,
  before: Offboarded,
  offboarded: readonly string[],
  operation: OperationContext,
): Promise<Offboarded> {
  const admin = sqlAdminFor(target.instance);
  const isListed = admin !== undefined && (await admin.users(operation)).has(principal);
  if (kind === 'login' || !isListed) {
    const dropped = await dropPrincipal(operation.pools, target, principal, { ...operation, offboarded });
    if (!dropped.remaining || !isListed) return together(before, dropped);
  }
  if (admin === undefined) return before;
  const deletion = {
    action: 'revoke',
    kind: 'user',
    name: principal,
    detail: 'deleted through the Admin API',
  } as const;
  if (operation.dryRun) return together(before, { ...nothing, changes: [deletion] });
  try {
    await admin.deleteUser(principal, operation);
  } catch (error) {
    if (!(error instanceof OperationError) || error.code !== 'USER_IN_USE') throw error;
    const note = outOfReach(
      `The Admin API can't delete ${principal} yet: ${error.message} When nothing depends on it any more, send this message again under another id.`,
      [],
    );
    return together(before, { ...nothing, notes: [note], remaining: true });
  }
  // Nobody has to take from the principal what went with it. A session that is still open goes on.
  const notes = before.notes.filter((note) => !isRemainder(note) || note.code === 'SESSIONS_OPEN');
  return { ...before, changes: [...before.changes, deletion], notes, remaining: notes.some(isRemainder) };
}
