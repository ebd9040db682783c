import { OperationError } from '../../operation/errors.ts';
import type { CustomRole } from '../custom-role.ts';
import { formatMarker } from '../marker.ts';
import { roleName } from '../names.ts';
import type { PrincipalKind } from '../principals.ts';
import { identifier, sql } from '../sql.ts';
import { cyclesOf, hasRole } from './found.ts';
import { iamGroups } from './inspect.ts';
import {
  type InspectedCycle,
  type InspectedGrants,
  type InspectedPrincipal,
  membershipOptionsSince,
  type Scope,
} from './model.ts';
import { breakCycle, describeCycle } from './notes.ts';

/** A grant of a message, as far as the catalog can refuse it. */
export interface ExaminedGrant {
  readonly principal: string;
  readonly kind: PrincipalKind;
  /** A level or the name of a custom role. */
  readonly role: string;
  readonly present: boolean;
  readonly expiresAt?: Date;
}

/** Why a grant can't be made, and the field of it that says so. */
export interface Refusal {
  readonly code: string;
  readonly index: number;
  readonly field: string;
  readonly message: string;
  /** What an admin can do about it. */
  readonly statements?: readonly string[];
}

/**
 * What in the catalog stands against a message's grants.
 *
 * @param defined custom roles that the message itself defines
 * @returns every reason, in the order of the grants
 */
export function examineGrants(
  scope: Scope,
  grants: readonly ExaminedGrant[],
  found: InspectedGrants,
  defined: readonly Pick<CustomRole, 'name' | 'inherits'>[] = [],
): Refusal[] {
  const principals = new Map(found.principals.map((one) => [one.name, one]));
  return grants.flatMap((grant, index): Refusal[] => {
    const refusals: Refusal[] = [];
    const refuse = (code: string, field: string, message: string) =>
      refusals.push({ code, index, field, message });
    const { role, principal, kind, present, expiresAt } = grant;
    if (!hasRole(scope, role, found) && !defined.some(({ name }) => name === role)) {
      const custom = !['owner', 'writer', 'reader', 'analyst', 'monitor'].includes(role);
      refuse(
        'LEVEL_NOT_FOUND',
        custom ? 'customRole' : 'level',
        custom
          ? `${role} is not defined here. Define it in customRoles`
          : `There is no ${role} here. create-schema makes it`,
      );
    }
    if (present && expiresAt !== undefined && expiresAt.getTime() <= Date.parse(found.now)) {
      refuse('EXPIRY_PAST', 'expiresAt', `is over: by the database's clock it is ${found.now}`);
    }
    const known = principals.get(principal);
    // What isn't there has no rights to take back.
    if (known === undefined) {
      if (present)
        refuse(
          'PRINCIPAL_NOT_FOUND',
          'principal',
          `There is no ${nounOf(kind)} ${principal} on this instance`,
        );
      return refusals;
    }
    // Whatever has become of somebody: it must be possible to take a right back.
    const why = present ? principalProblem(known, kind) : undefined;
    if (why) refuse(why.code, 'principal', `${principal} ${why.message}`);
    else if (present) refusals.push(...refuseCycle(index, cyclesOf(scope, grant, found, defined), found));
    return refusals;
  });
}

/** PostgreSQL would refuse it, and with it all that the message grants. */
function refuseCycle(index: number, cycles: readonly InspectedCycle[], found: InspectedGrants): Refusal[] {
  if (cycles.length === 0) return [];
  const options = found.serverVersion >= membershipOptionsSince;
  return [
    {
      code: 'MEMBERSHIP_CYCLE',
      index,
      field: 'principal',
      message: describeCycle(cycles),
      statements: cycles.flatMap((one) => breakCycle(one, options)),
    },
  ];
}

/** Why a role can't be given rights; undefined where it can. */
export function principalProblem(
  known: InspectedPrincipal,
  kind: PrincipalKind,
): { code: string; message: string } | undefined {
  const notAllowed = (message: string) => ({ code: 'PRINCIPAL_NOT_ALLOWED', message });
  if (known.privileged) return notAllowed('has SUPERUSER, REPLICATION or BYPASSRLS');
  if (known.managed) return notAllowed('is one of Drover’s own roles');
  if (known.writer) return notAllowed('may act as Drover’s admins');
  if (kind === 'login') {
    if (known.iam.length > 0) return mismatch(`is an IAM principal (${known.iam.join(', ')})`);
    return known.login ? undefined : notAllowed('can’t log in, so it is no principal');
  }
  if (known.iam.includes(iamGroups[kind])) return undefined;
  return mismatch(`is no ${nounOf(kind)}: it is not in ${iamGroups[kind]}`);
}

function mismatch(message: string): { code: string; message: string } {
  return { code: 'PRINCIPAL_KIND_MISMATCH', message };
}

export function nounOf(kind: PrincipalKind): string {
  return {
    login: 'login',
    'iam-user': 'IAM user',
    'iam-service-account': 'IAM service account',
    'iam-group': 'IAM group',
  }[kind];
}

/** One error for all that is wrong with a message's grants, each with its place; the first one's code. */
export function refusedGrants(refusals: readonly Refusal[]): OperationError | undefined {
  const [first] = refusals;
  if (first === undefined) return undefined;
  const problems = refusals.map(({ code, index, field, message }) => ({
    path: `data.grants[${index}].${field}`,
    code,
    message,
  }));
  const list = problems.map(({ path, message }) => `${path}: ${message}`).join('; ');
  const statements = refusals.flatMap((one) => one.statements ?? []);
  return new OperationError(first.code, `Not granted: ${list}.`, {
    details: { problems, ...(statements.length > 0 ? { statements } : {}) },
  });
}

/** The error of a scope that Drover doesn't manage. */
export function refuseScope(scope: Scope, found: InspectedGrants): OperationError | undefined {
  const level = scope.schema === undefined ? 'monitor' : 'owner';
  if (hasRole(scope, level, found)) return undefined;
  const lost = refuseUnmarked(scope, [level], found);
  if (lost) return lost;
  const { database, schema } = scope;
  const what =
    schema === undefined ? `The database ${database} has no schema` : `${database}.${schema} is no schema`;
  return new OperationError(
    'SCHEMA_NOT_MANAGED',
    `${what} that Drover manages. Send create-schema first${schema === undefined ? '' : ', with "adopt": true if it exists'}.`,
    { details: { place: schema === undefined ? 'data.target.database' : 'data.schema' } },
  );
}

/** The error of roles that somebody has given another comment: nobody knows any more whose they are. */
export function refuseUnmarked(
  { database, schema }: Scope,
  roles: readonly string[],
  found: InspectedGrants,
): OperationError | undefined {
  const role = roles.find((one) => found.unmarked.includes(roleName(database, schema, one)));
  if (role === undefined) return undefined;
  const name = roleName(database, schema, role);
  const marker = formatMarker({ managedBy: 'drover', database, schema, level: role });
  return new OperationError(
    'MARKER_LOST',
    `${name} is there, and its comment doesn't say that it is Drover's. If it is, give it back its comment.`,
    { details: { statements: [sql`COMMENT ON ROLE ${identifier(name)} IS ${marker}`.text] } },
  );
}
