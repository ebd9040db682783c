import type { CustomRole } from '../../../shared/postgres/custom-role.ts';
import { principalName } from '../../../shared/postgres/principals.ts';
import type { GrantWish } from '../../grant-roles/message.ts';
import type { GrantEntry, Manifest, RolesEntry } from './model.ts';
import type { Path } from './places.ts';
import { ownSchemaOfTenant } from './wanted.ts';

/** Who may do what with one set of roles: a schema's, or the database's own. */
export interface RoleSet {
  /** Unique in a manifest, for keys: `billing`; of the database and of a tenant's own schema what no schema is called. */
  readonly name: string;
  readonly schema: string | undefined | typeof ownSchemaOfTenant;
  /** Of the map that has its grants. */
  readonly path: Path;
  /** Its lines, as they are written. */
  readonly entries: readonly GrantEntry[];
  /** One for each principal of each line. */
  readonly grants: readonly PlacedGrant[];
  /** It says that there are grants, if only that there are none. */
  readonly isListed: boolean;
  readonly customRoles: readonly CustomRole[];
  readonly exact: boolean;
  readonly createMissing: boolean;
}

export interface PlacedGrant {
  readonly wish: GrantWish;
  /** Of the line that has it. */
  readonly path: Path;
  /** Of the principal. */
  readonly principal: Path;
}

/** What sets are called that are no schema's of the manifest. */
export const setName = { database: '(database)', own: '(tenant)' } as const;

/** The sets of a manifest that it says something of, in its own order. */
export function roleSetsOf({ tenant, schemas, grants }: Manifest): RoleSet[] {
  const ofDatabase = { customRoles: [], exact: false, createMissing: false, grants };
  const sets: RoleSet[] = [];
  if (tenant?.schema) sets.push(setOf(setName.own, ownSchemaOfTenant, ['tenant', 'schema'], tenant.schema));
  if (grants.length > 0) sets.push(setOf(setName.database, undefined, [], ofDatabase));
  for (const [name, entry] of Object.entries(schemas)) sets.push(setOf(name, name, ['schemas', name], entry));
  return sets;
}

function setOf(name: string, schema: RoleSet['schema'], path: Path, roles: RolesEntry): RoleSet {
  const { grants, customRoles, exact, createMissing } = roles;
  return {
    name,
    schema,
    path,
    entries: grants ?? [],
    grants: placed(grants ?? [], [...path, 'grants']),
    isListed: grants !== undefined,
    customRoles,
    exact,
    createMissing,
  };
}

/** A grant for each principal of each line. */
function placed(entries: readonly GrantEntry[], path: Path): PlacedGrant[] {
  return entries.flatMap(({ principal, principals, ...grant }, index) => {
    const line = [...path, index];
    const all = [
      ...(principal === undefined ? [] : [{ name: principal, at: [...line, 'principal'] }]),
      ...(principals ?? []).map((name, at) => ({ name, at: [...line, 'principals', at] })),
    ];
    return all.map(({ name, at }) => ({
      wish: { ...grant, principal: principalName(grant.kind, name) },
      path: line,
      principal: at,
    }));
  });
}
