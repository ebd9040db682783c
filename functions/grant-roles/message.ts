import * as z from 'zod';
import { recordableTime } from '../../shared/operation/request.ts';
import { customRoleDefinition, customRoleName } from '../../shared/postgres/custom-role.ts';
import { schemaLevels } from '../../shared/postgres/names.ts';
import { nameProblem, principalKinds, principalName } from '../../shared/postgres/principals.ts';
import { schemaName, target, text } from '../../shared/postgres/target.ts';

export const mostGrants = 100;

const grant = z
  .strictObject({
    /** Lower case, as Cloud SQL has it; a service account with or without `.gserviceaccount.com`. */
    principal: text(256).min(1),
    kind: z.enum(principalKinds),
    /** Of the schema; `monitor` is the database's. */
    level: z.enum([...schemaLevels, 'monitor']).optional(),
    /** A role of the schema that this message or an earlier one defines. */
    customRole: customRoleName.optional(),
    /** When it is taken back. Without it, the grant stays. */
    expiresAt: recordableTime.optional(),
    /** For people: why. */
    reason: text(200).optional(),
  })
  .transform((given, context) => {
    const principal = principalName(given.kind, given.principal);
    const problem = nameProblem(given.kind, principal);
    if (problem) context.addIssue({ code: 'custom', path: ['principal'], message: problem });
    return { ...given, principal };
  });

/**
 * Who may do what in a schema: makes principals members of the schema's roles, or takes that back. Sent again, it changes
 * nothing.
 */
export const grantRolesMessage = z
  .strictObject({
    target,
    /** Whose roles; without it those of the database, which is `monitor`. */
    schema: schemaName.optional(),
    /**
     * - `add`: these grants too
     * - `exact`: these grants and no other
     * - `revoke`: not these grants
     * - `offboard`: nothing at all for these principals, in any database of the instance, and no login
     */
    mode: z.enum(['add', 'exact', 'revoke', 'offboard']),
    grants: z.array(grant).max(mostGrants),
    /** Roles of the schema to define, or to bring to another definition. */
    customRoles: z.array(customRoleDefinition).max(20).default([]),
    /** In mode `exact`: an empty list is meant. */
    allowEmpty: z.boolean().default(false),
    /** Make IAM principals that the instance doesn't know yet its users, through the Admin API. */
    createMissing: z.boolean().default(false),
  })
  .superRefine((message, context) => {
    const problem = (path: PropertyKey[], text: string) =>
      context.addIssue({ code: 'custom', path, message: text });
    const { mode, schema, grants } = message;
    if (grants.length === 0 && mode === 'exact' && !message.allowEmpty) {
      problem(['grants'], 'is empty: that takes every grant away. If it is meant, say "allowEmpty": true');
    }
    if (grants.length === 0 && mode !== 'exact' && message.customRoles.length === 0) {
      problem(['grants'], 'is empty: there is nothing to do');
    }
    if (schema !== undefined && mode === 'offboard') {
      problem(['schema'], 'has no place in mode offboard, which is about the whole instance');
    }
    if (message.createMissing && mode !== 'add' && mode !== 'exact') {
      problem(['createMissing'], `has no place in mode ${mode}`);
    }
    if (
      message.customRoles.length > 0 &&
      (schema === undefined || mode === 'offboard' || mode === 'revoke')
    ) {
      problem(['customRoles'], 'can be defined for a schema, in the modes add and exact');
    }
    refineGrants(message, problem);
    const names = message.customRoles.map(({ name }) => name);
    names.forEach((name, index) => {
      if (names.indexOf(name) < index) problem(['customRoles', index, 'name'], 'is defined twice');
    });
  });

export type GrantRolesMessage = z.infer<typeof grantRolesMessage>;

/** One of a message's grants. */
export type GrantWish = GrantRolesMessage['grants'][number];

/** The part of a database's or schema's roles that a grant is about: a level or the name of a custom role. */
export function roleOf({ level, customRole }: GrantWish): string {
  return level ?? customRole ?? '';
}

function refineGrants(
  { mode, schema, grants }: Pick<GrantRolesMessage, 'mode' | 'schema' | 'grants'>,
  problem: (path: PropertyKey[], text: string) => void,
): void {
  const seen = new Set<string>();
  grants.forEach((one, index) => {
    const at = (field: string) => ['grants', index, field];
    const { level, customRole, expiresAt, principal } = one;
    if (mode === 'offboard') {
      for (const field of ['level', 'customRole', 'expiresAt'] as const) {
        if (one[field] !== undefined) problem(at(field), 'has no place in mode offboard, which takes all');
      }
    } else if ((level === undefined) === (customRole === undefined)) {
      problem(['grants', index], 'must have either a level or a customRole');
    }
    if (expiresAt !== undefined && mode === 'revoke') problem(at('expiresAt'), 'has no place in mode revoke');
    if (schema === undefined && mode !== 'offboard') {
      if (level !== undefined && level !== 'monitor') problem(at('level'), 'is a schema’s: say which schema');
      if (customRole !== undefined) problem(at('customRole'), 'is a schema’s: say which schema');
    }
    if (schema !== undefined && level === 'monitor') {
      problem(at('level'), 'is the database’s: leave the schema out');
    }
    const key = JSON.stringify([principal, roleOf(one)]);
    if (seen.has(key)) problem(['grants', index], 'is there twice');
    seen.add(key);
  });
}
