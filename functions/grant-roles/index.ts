import { defineOperation } from '../../shared/operation/define.ts';
import type { AccessRequest } from '../../shared/operation/policy.ts';
import limits from './function.json' with { type: 'json' };
import { changeGrants } from './grants.ts';
import { type GrantRolesMessage, grantRolesMessage } from './message.ts';
import { offboard } from './offboard.ts';

export default defineOperation({
  name: 'grant-roles',
  timeoutSeconds: limits.timeoutSeconds,
  message: grantRolesMessage,
  access,
  run: (message, operation) =>
    message.mode === 'offboard' ? offboard(message, operation) : changeGrants(message, operation),
});

function access({ target, mode, grants, customRoles, createMissing }: GrantRolesMessage): AccessRequest {
  const ends = grants.map(({ expiresAt }) => (expiresAt === undefined ? 'never' : new Date(expiresAt)));
  const last = ends.includes('never') ? 'never' : new Date(Math.max(...ends.map(Number)));
  const gives = grants.length > 0 && (mode === 'add' || mode === 'exact');
  return {
    target,
    levels: distinct([
      ...grants.flatMap(({ level, customRole }) => level ?? (customRole ? [`custom:${customRole}`] : [])),
      // Who defines a role gives its members what it inherits.
      ...customRoles.flatMap(({ name, inherits }) => [`custom:${name}`, ...inherits]),
    ]),
    principals: distinct(grants.map(({ principal }) => principal)),
    actions: [
      ...(mode === 'exact' || mode === 'offboard' ? [mode] : []),
      ...(createMissing ? ['createMissing'] : []),
      ...(customRoles.length > 0 ? ['customRoles'] : []),
      ...distinct(customRoles.flatMap(({ native }) => native.map((role) => `native:${role}`))),
    ],
    ...(gives ? { until: last } : {}),
  };
}

function distinct(list: readonly string[]): string[] {
  return [...new Set(list)];
}
