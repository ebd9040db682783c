import { roleOf } from '../../grant-roles/message.ts';
import { inOrder } from './cycle.ts';
import { type Logins, loginGrants, ownSchemaName, secretsIn } from './logins.ts';
import type { Manifest } from './model.ts';
import { type RoleSet, roleSetsOf, setName } from './sets.ts';
import type { Wanted, WantedGrants, WantedSchema, WantedSecret, WantedTenant } from './wanted.ts';

/**
 * What a manifest wants, each after what it needs: the tenant, schemas, grants with the custom roles, secrets. A set of grants
 * that is `exact` comes after the secrets whose logins are in it.
 *
 * @param manifest one that was read, so that it has no cycle
 * @param logins of its secrets that are there
 */
export function wantedOf(manifest: Manifest, logins: Logins = new Map()): Wanted[] {
  const tenant = wantedTenant(manifest);
  const schemas = wantedSchemas(manifest, tenant);
  const sets = roleSetsOf(manifest).filter(isWanted);
  const roles = sets.filter((set) => isSplit(manifest, set)).map((set) => rolesOf(manifest, set, tenant));
  const grants = sets.map((set) => grantsOf(manifest, set, tenant, schemas, logins));
  const before = [...schemas, ...roles, ...grants.filter(({ mode }) => mode === 'add')];
  const secrets = wantedSecrets(manifest, tenant, before);
  return [
    ...(tenant ? [tenant] : []),
    ...before,
    ...secrets,
    ...grants.filter(({ mode }) => mode === 'exact'),
  ];
}

function isWanted({ grants, customRoles, exact }: RoleSet): boolean {
  return grants.length > 0 || customRoles.length > 0 || exact;
}

/** Its custom roles are there before the secrets that use them, and its grants are made after those. */
function isSplit(manifest: Manifest, set: RoleSet): boolean {
  return set.exact && secretsIn(manifest, set).some(([, { customRole }]) => customRole !== undefined);
}

function wantedTenant({ tenant }: Manifest): WantedTenant | undefined {
  if (tenant === undefined) return undefined;
  const { id, schema: _, ...rest } = tenant;
  return {
    kind: 'tenant',
    key: `tenant ${id}`,
    after: [],
    tenant: id,
    message: { scope: 'tenant', tenant: id, ...rest },
  };
}

function wantedSchemas(
  { schemas, lockDatabase }: Manifest,
  tenant: WantedTenant | undefined,
): WantedSchema[] {
  const ordered = inOrder(Object.keys(schemas), (name) => schemas[name]?.after ?? []);
  if ('cycle' in ordered) throw new Error('a manifest with a cycle was accepted');
  return ordered.order.flatMap((name) => {
    const entry = schemas[name];
    if (entry === undefined) return [];
    const { owner, levels, comment, adopt, after } = entry;
    return {
      kind: 'schema',
      key: schemaKey(name),
      after: [...keysOf(tenant), ...new Set(after.map(schemaKey))],
      schema: name,
      message: {
        schema: name,
        levels,
        adopt,
        lockDatabase,
        ...(owner === undefined ? {} : { owner }),
        ...(comment === undefined ? {} : { comment }),
      },
    };
  });
}

function rolesOf(manifest: Manifest, set: RoleSet, tenant: WantedTenant | undefined): WantedGrants {
  const { customRoles, schema, name } = set;
  return {
    kind: 'grants',
    key: `roles ${name}`,
    after: [...keysOf(tenant), ...schemaOf(manifest, set)],
    schema,
    mode: 'add',
    grants: [],
    customRoles,
    createMissing: false,
  };
}

function grantsOf(
  manifest: Manifest,
  set: RoleSet,
  tenant: WantedTenant | undefined,
  [firstSchema]: readonly WantedSchema[],
  known: Logins,
): WantedGrants {
  const { name, schema, exact, createMissing } = set;
  const split = isSplit(manifest, set);
  const listed = set.grants.map(({ wish }) => wish);
  const keys = new Set(listed.map((wish) => JSON.stringify([wish.principal, roleOf(wish)])));
  const logins = exact
    ? loginGrants(manifest, set, known).filter(
        (wish) => !keys.has(JSON.stringify([wish.principal, roleOf(wish)])),
      )
    : [];
  // The database's own roles are made with the first of its schemas.
  const place = name === setName.database ? keysOf(firstSchema) : schemaOf(manifest, set);
  const secrets = exact ? secretsIn(manifest, set).map(([id]) => secretKey(id)) : [];
  return {
    kind: 'grants',
    key: `grants ${name}`,
    after: [...keysOf(tenant), ...place, ...(split ? [`roles ${name}`] : []), ...secrets],
    schema,
    mode: exact ? 'exact' : 'add',
    grants: [...listed, ...logins],
    customRoles: split ? [] : set.customRoles,
    createMissing,
  };
}

function wantedSecrets(
  manifest: Manifest,
  tenant: WantedTenant | undefined,
  before: readonly Wanted[],
): WantedSecret[] {
  const there = new Set(before.map(({ key }) => key));
  return Object.entries(manifest.secrets).map(([secret, entry]) => {
    const { schema } = entry;
    const set = schema !== undefined && schema === ownSchemaName(manifest) ? setName.own : schema;
    const needed = set === undefined ? [] : [schemaKey(set), `roles ${set}`, `grants ${set}`];
    return {
      kind: 'secret',
      key: secretKey(secret),
      after: [...keysOf(tenant), ...needed.filter((key) => there.has(key))],
      secret,
      message: { secret, action: 'create', ...entry },
      inDatabase: entry.kind === 'postgres',
    };
  });
}

function schemaOf({ schemas }: Manifest, { name }: RoleSet): string[] {
  return Object.hasOwn(schemas, name) ? [schemaKey(name)] : [];
}

function keysOf(one: Wanted | undefined): string[] {
  return one ? [one.key] : [];
}

function schemaKey(name: string): string {
  return `schema ${name}`;
}

function secretKey(id: string): string {
  return `secret ${id}`;
}
