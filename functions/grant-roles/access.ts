import type { AccessRequest } from '../../shared/operation/policy.ts';
import { isInPredefined } from '../../shared/postgres/names.ts';
import type { GrantRolesMessage } from './message.ts';

/** What a message asks for. */
export function access({
  target,
  schema,
  mode,
  grants,
  customRoles,
  createMissing,
}: GrantRolesMessage): AccessRequest {
  const ends = grants.map(({ expiresAt }) => (expiresAt === undefined ? 'never' : new Date(expiresAt)));
  const last = ends.includes('never') ? 'never' : new Date(Math.max(...ends.map(Number)));
  const gives = grants.length > 0 && (mode === 'add' || mode === 'exact');
  const native = customRoles.flatMap((role) => role.native);
  const levels = distinct([
    ...grants.flatMap(({ level, customRole }) => level ?? (customRole ? [`custom:${customRole}`] : [])),
    // Who defines a role gives its members what it inherits.
    ...customRoles.flatMap(({ name, inherits }) => [`custom:${name}`, ...inherits]),
  ]);
  // A predefined role's rights are good in every database.
  const predefined = native.length > 0 || (mode !== 'revoke' && levels.some(isInPredefined));
  return {
    target,
    schema,
    reaches: mode === 'offboard' || createMissing || predefined ? 'instance' : undefined,
    levels,
    principals: distinct(grants.map(({ principal }) => principal)),
    actions: [
      ...(mode === 'exact' || mode === 'offboard' ? [mode] : []),
      ...(createMissing ? ['createMissing'] : []),
      ...(customRoles.length > 0 ? ['customRoles'] : []),
      ...distinct(native.map((role) => `native:${role}`)),
    ],
    ...(gives ? { until: last } : {}),
  };
}

function distinct(list: readonly string[]): string[] {
  return [...new Set(list)];
}
