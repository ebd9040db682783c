import type pg from 'pg';
import { OperationError } from '../../operation/errors.ts';
import type { Change, Note } from '../../operation/outcome.ts';
import { actingAdmin, roleName } from '../names.ts';
import type { Pools } from '../pools.ts';
import { againWhereTaken, retryConcurrentChanges } from '../retry.ts';
import type { Plan } from '../schema/context.ts';
import { inspection, readInspection, schemaRoles } from '../schema/inspect.ts';
import { planSchema, foundEpoch as schemaEpoch } from '../schema/plan.ts';
import { identifier, type Sql, sql } from '../sql.ts';
import type { Target } from '../target.ts';
import { changeInTransaction } from '../transaction.ts';
import { foundEpoch, type IndexedGrants, indexGrants } from './found.ts';
import { grantsInspection, readGrants } from './inspect.ts';
import type { DesiredGrants, InspectedGrants, Scope, WantedGrant } from './model.ts';
import { type GrantsPlan, planGrants } from './plan.ts';
import { refuseScope, refuseUnmarked } from './refusals.ts';

/** Thrown when a newer change to the same grants was made. Nothing was changed. */
export class GrantsFenced extends OperationError {
  readonly scope: Scope;
  readonly epoch: number;

  constructor(scope: Scope, epoch: number) {
    super('FENCED', `A newer attempt (epoch ${epoch}) has changed these grants already`, { retryable: true });
    this.scope = scope;
    this.epoch = epoch;
  }
}

export interface GrantsOptions {
  readonly signal: AbortSignal;
  readonly remainingMs: () => number;
  /** Principals that are about to be made: a dry run counts on them. */
  readonly soon?: readonly string[];
  /** Throws where what was found stands against it: nothing is changed then. */
  readonly examine?: (found: InspectedGrants) => void;
}

export interface ConvergedGrants {
  /** One for each of the scopes, in their order. */
  readonly plans: readonly GrantsPlan[];
  /** What was executed: nothing in a dry run. */
  readonly statements: readonly Sql[];
  /** The statements as text, in a dry run too. */
  readonly planned: readonly string[];
  readonly changes: readonly Change[];
  readonly notes: readonly Note[];
  readonly found: InspectedGrants;
}

/** Advisory locks and plans of one transaction; PostgreSQL has room for some thousands of locks in all. */
const mostScopes = 500;

/**
 * Makes the members of the roles of some scopes of one database what they should be: one inspection, one plan, one
 * transaction, under the locks of the scopes.
 *
 * @throws GrantsFenced
 * @throws OperationError with what must not or can't be done
 */
export async function convergeGrants(
  pools: Pools,
  target: Target,
  desired: readonly DesiredGrants[],
  { signal, remainingMs, soon = [], examine }: GrantsOptions,
): Promise<ConvergedGrants> {
  const [first] = desired;
  if (first === undefined || desired.length > mostScopes) {
    throw new RangeError(`1 to ${mostScopes} scopes can be converged at a time, not ${desired.length}`);
  }
  const definitions = definitionsOf(first, desired.length);
  const members = grantsInspection({
    database: target.database,
    roles: [...new Set(desired.flatMap(rolesOf))],
    principals: [...new Set(desired.flatMap(namedIn))],
  });
  const query = definitions
    ? sql`SELECT (${definitions.inspection}) AS inspected, ${members} AS grants`
    : sql`SELECT ${members} AS grants`;
  const lock = desired.flatMap(locksOf);
  const transaction = () =>
    pools.withConnection(target, { signal }, (client) =>
      changeInTransaction(
        client,
        { acting: actingOf(first), lock, timeoutMs: remainingMs(), inspection: query },
        (inspected) => {
          const found = readGrants(inspected);
          examine?.(found);
          const defining = definitions?.plan(inspected);
          return decide(desired, found, { soon, defining });
        },
      ),
    );
  return retryConcurrentChanges(signal, () => againWhereTaken(transaction));
}

/**
 * What differs between the members of all roles of a database and what they should be: one query, and nothing is changed.
 *
 * @returns a plan for each scope; undefined for one that the catalog doesn't have
 */
export async function compareGrants(
  pools: Pools,
  target: Target,
  desired: readonly DesiredGrants[],
  { signal }: Pick<GrantsOptions, 'signal'>,
): Promise<(GrantsPlan | undefined)[]> {
  const principals = [...new Set(desired.flatMap(namedIn))];
  const question = grantsInspection({ database: target.database, roles: 'all', principals });
  const { text } = sql`SELECT ${question} AS grants`;
  const result = await pools.withConnection(target, { signal }, (client) => client.query(text));
  const found = readGrants(result);
  const index = indexGrants(found);
  const known = knownIn(found);
  const there = desired.filter((scope) => !refuseScope(scope, found));
  const plans = planAll(there, index, known);
  const planOf = new Map(there.map((scope, at) => [scope, plans[at]]));
  return desired.map((scope) => planOf.get(scope));
}

function decide(
  desired: readonly DesiredGrants[],
  found: InspectedGrants,
  { soon, defining }: { soon: readonly string[]; defining: Pick<Plan, 'steps' | 'notes'> | undefined },
): ConvergedGrants {
  const index = indexGrants(found);
  const known = knownIn(found, soon);
  const scopes = desired.map((scope) => {
    const taken = scope.grants.filter(({ present }) => !present).map(({ role }) => role);
    // Taking back from a role that isn't known again would be told as done.
    const refusal = refuseScope(scope, found) ?? refuseUnmarked(scope, taken, found);
    if (refusal) throw refusal;
    const epoch = foundEpoch(scope, found);
    if (scope.fence && epoch > scope.fence.epoch) throw new GrantsFenced(scope, epoch);
    return marking(scope, defining);
  });
  const plans = planAll(scopes, index, known);
  const statements = [
    ...(defining?.steps ?? []).map((step) => step.sql),
    ...desired.flatMap((scope, at) => statementsOf(scope, plans[at], desired.length > 1)),
  ];
  const apply = desired.every(({ fence }) => fence !== undefined);
  return {
    plans,
    statements: apply ? statements : [],
    changes: [
      ...(defining?.steps ?? []).flatMap(({ change }) => (change ? [change] : [])),
      ...plans.flatMap(({ steps }) => steps.flatMap(({ changes }) => changes)),
    ],
    notes: [...(defining?.notes ?? []), ...plans.flatMap(({ notes }) => notes)],
    found,
    planned: statements.map(({ text }) => text),
  };
}

/** A new definition leaves the mark too, even where nobody's membership changes with it. */
function marking(scope: DesiredGrants, defining: Pick<Plan, 'steps'> | undefined): DesiredGrants {
  if (!scope.fence || !defining?.steps.length) return scope;
  return { ...scope, fence: { ...scope.fence, outstanding: true } };
}

function knownIn({ principals }: InspectedGrants, soon: readonly string[] = []): ReadonlySet<string> {
  return new Set([...principals.map(({ name }) => name), ...soon]);
}

/** Who is gone can't be given anything: that is noted, and stands in nobody else's way. */
function planAll(
  scopes: readonly DesiredGrants[],
  index: IndexedGrants,
  known: ReadonlySet<string>,
): GrantsPlan[] {
  const isGone = ({ principal, present }: WantedGrant) => present && !known.has(principal);
  const possible = scopes.map((scope) =>
    scope.grants.some(isGone) ? { ...scope, grants: scope.grants.filter((one) => !isGone(one)) } : scope,
  );
  return planGrants(possible, index).map((plan, at) => {
    const notes = (scopes[at]?.grants ?? []).filter(isGone).map(({ principal, role }) => ({
      code: 'PRINCIPAL_GONE',
      message: `${principal} should be ${role}, and is no role of this instance any more.`,
    }));
    return notes.length === 0 ? plan : { ...plan, notes: [...plan.notes, ...notes] };
  });
}

/**
 * How custom roles are defined in the same transaction: as the schema's own convergence does it, under the number that the
 * schema has.
 */
function definitionsOf({ database, schema, define = [] }: DesiredGrants, scopes: number) {
  if (schema === undefined || define.length === 0) return undefined;
  if (scopes > 1) throw new RangeError('custom roles are defined for one schema at a time');
  const desired = { database, schema, levels: [], adopt: false, lockDatabase: false, customRoles: define };
  const names = define.map(({ name }) => name);
  const roles = schemaRoles(database, schema, names);
  return {
    inspection: inspection(desired, roles),
    plan(result: pg.QueryResult): Pick<Plan, 'steps' | 'notes'> {
      const found = readInspection(result);
      const mark = { epoch: schemaEpoch(roles, found) ?? 0, always: false };
      const { steps, notes } = planSchema(desired, roles, found, mark);
      // What is out of reach for the levels was told when they were made.
      const isTheirs = ({ message }: Note) =>
        Object.values(roles.custom).some((role) => message.includes(role));
      return { steps, notes: notes.filter(isTheirs) };
    },
  };
}

/** Of several scopes each is changed by its own acting admin: grants have one grantor. */
function statementsOf(scope: DesiredGrants, plan: GrantsPlan | undefined, switching: boolean): Sql[] {
  const statements = plan?.steps.map((step) => step.sql) ?? [];
  if (statements.length === 0 || !switching) return statements;
  return [sql`SET LOCAL ROLE ${identifier(actingOf(scope))}`, ...statements];
}

function actingOf({ database, schema }: Scope): string {
  return actingAdmin(database, schema);
}

/**
 * The same as a change to the schema itself takes. Who may connect to a closed database depends on the owners of all its
 * schemas.
 */
function locksOf({ schema, surplus, grants }: DesiredGrants): string[] {
  const owners = surplus === 'revoke' || grants.some(({ role }) => role === 'owner');
  return [schema ?? '', ...(owners ? ['connect to the database'] : [])];
}

/** All that there may be: a role that isn't there is no row. */
function rolesOf({ database, schema, grants, customRoles }: DesiredGrants): string[] {
  const levels = schema === undefined ? ['monitor'] : ['owner', 'writer', 'reader', 'analyst'];
  const roles = new Set([...levels, ...customRoles, ...grants.map(({ role }) => role)]);
  return [
    ...[...roles].map((role) => roleName(database, schema, role)),
    roleName(database, undefined, 'connect'),
  ];
}

function namedIn({ grants }: DesiredGrants): string[] {
  return grants.map(({ principal }) => principal);
}
