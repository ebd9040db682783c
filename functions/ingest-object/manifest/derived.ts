import { OperationError } from '../../../shared/operation/errors.ts';
import type { AccessRequest } from '../../../shared/operation/policy.ts';
import type { CustomRole } from '../../../shared/postgres/custom-role.ts';
import { access as bootstrapAccess } from '../../bootstrap-tenant/access.ts';
import { bootstrapTenantMessage } from '../../bootstrap-tenant/message.ts';
import { access as schemaAccess } from '../../create-schema/access.ts';
import { createSchemaMessage } from '../../create-schema/message.ts';
import { access as grantsAccess } from '../../grant-roles/access.ts';
import { type GrantWish, grantRolesMessage, mostGrants } from '../../grant-roles/message.ts';
import { access as secretAccess } from '../../rotate-secret/access.ts';
import { rotateSecretMessage } from '../../rotate-secret/message.ts';
import { ownSchemaOfTenant, type Wanted, type WantedGrants, type WantedSecret } from './wanted.ts';
import type { Where } from './where.ts';

/** Functions that a manifest's operations are for. Each listens to the topic of its name. */
export type DerivedFunction = 'bootstrap-tenant' | 'create-schema' | 'grant-roles' | 'rotate-secret';

/** What is published for a part of a manifest. */
export interface Derived {
  readonly function: DerivedFunction;
  readonly message: Readonly<Record<string, unknown>>;
}

export function functionOf({ kind }: Wanted): DerivedFunction {
  return (
    {
      tenant: 'bootstrap-tenant',
      schema: 'create-schema',
      grants: 'grant-roles',
      secret: 'rotate-secret',
    } as const
  )[kind];
}

/** What an item is about, for people: `project:region:name/app.billing`, `secret app-billing`. */
export function subjectOf(wanted: Wanted, where: Where): string {
  if (wanted.kind === 'tenant') return `tenant ${wanted.tenant}`;
  if (wanted.kind === 'secret') return `secret ${wanted.secret}`;
  const schema = wanted.kind === 'schema' ? wanted.schema : schemaOf(wanted, where);
  const { instance, database } = where.target;
  return `${instance}/${[database, schema].filter(Boolean).join('.')}`;
}

/** The schema whose roles are granted; undefined for the database's own. */
export function schemaOf({ schema }: Pick<WantedGrants, 'schema'>, { ownSchema }: Where): string | undefined {
  return schema === ownSchemaOfTenant ? ownSchema : schema;
}

/** The message of what is no grants: one for each. */
export function derivedOf(wanted: Exclude<Wanted, WantedGrants>, where: Where): Derived {
  switch (wanted.kind) {
    case 'tenant':
      return { function: 'bootstrap-tenant', message: wanted.message };
    case 'schema':
      return { function: 'create-schema', message: { target: where.target, ...wanted.message } };
    case 'secret':
      return { function: 'rotate-secret', message: secretMessage(wanted, where) };
  }
}

/** The whole message that creates a secret, or brings one that exists to other settings: neither rotates it. */
function secretMessage({ message, inDatabase }: WantedSecret, { target }: Where) {
  return { ...message, action: 'create', ...(inDatabase ? { target } : {}) };
}

/**
 * The grants of an item in parts that one message can have. By their places in the whole list, so that a part has the same number
 * whatever else is left to do. Mode `exact` is one whole.
 */
export function chunksOf({ mode, grants, customRoles }: WantedGrants): (readonly GrantWish[])[] {
  if (mode === 'exact' || (grants.length === 0 && customRoles.length > 0)) return [grants];
  return Array.from({ length: Math.ceil(grants.length / mostGrants) }, (_, index) =>
    grants.slice(index * mostGrants, (index + 1) * mostGrants),
  );
}

/**
 * @param grants of the item, those that are asked for
 * @param customRoles likewise
 */
export function grantsMessage(
  wanted: WantedGrants,
  grants: readonly GrantWish[],
  customRoles: readonly CustomRole[],
  where: Where,
): Derived {
  const { mode, createMissing } = wanted;
  const schema = schemaOf(wanted, where);
  return {
    function: 'grant-roles',
    message: {
      target: where.target,
      ...(schema === undefined ? {} : { schema }),
      mode,
      grants: mode === 'revoke' ? grants.map(asRevocation) : grants,
      ...(customRoles.length > 0 && mode !== 'revoke' ? { customRoles } : {}),
      ...(mode === 'exact' && grants.length === 0 ? { allowEmpty: true } : {}),
      ...(createMissing && mode !== 'revoke' ? { createMissing } : {}),
    },
  };
}

/** When it would have ended, and why it was given, has no place there. */
function asRevocation({ principal, kind, level, customRole }: GrantWish) {
  return {
    principal,
    kind,
    ...(level === undefined ? {} : { level }),
    ...(customRole === undefined ? {} : { customRole }),
  };
}

/** All messages that an item can come to, whole. */
export function messagesOf(wanted: Wanted, where: Where): Derived[] {
  if (wanted.kind !== 'grants') return [derivedOf(wanted, where)];
  return chunksOf(wanted).map((grants, index) =>
    grantsMessage(wanted, grants, index === 0 ? wanted.customRoles : [], where),
  );
}

/**
 * What a message asks for, in the policy's terms: as the function says that gets it.
 *
 * @throws OperationError `INVALID_MANIFEST` where the function would refuse it for what it is
 */
export function accessOf(derived: Derived, key: string): AccessRequest {
  switch (derived.function) {
    case 'bootstrap-tenant':
      return bootstrapAccess(parsed(bootstrapTenantMessage.safeParse(derived.message), key));
    case 'create-schema':
      return schemaAccess(parsed(createSchemaMessage.safeParse(derived.message), key));
    case 'grant-roles':
      return grantsAccess(parsed(grantRolesMessage.safeParse(derived.message), key));
    case 'rotate-secret':
      return secretAccess(parsed(rotateSecretMessage.safeParse(derived.message), key));
  }
}

type Parsed<T> =
  | { readonly success: true; readonly data: T }
  | {
      readonly success: false;
      readonly error: { readonly issues: readonly { path: PropertyKey[]; message: string }[] };
    };

function parsed<T>(result: Parsed<T>, key: string): T {
  if (result.success) return result.data;
  const problems = result.error.issues.slice(0, 20).map(({ path, message }) => ({
    path: [key, ...path.map(String)].join('.'),
    message,
  }));
  const list = problems.map(({ path, message }) => `${path}: ${message}`).join('; ');
  throw new OperationError('INVALID_MANIFEST', `The manifest can't be used: ${list}`, {
    details: { problems },
  });
}
