import { OperationError } from '../../operation/errors.ts';
import { parseMarker } from '../marker.ts';
import { adminRole, writersRole } from '../names.ts';
import { identifier, keyword, Sql, sql } from '../sql.ts';
import type { Situation } from './context.ts';
import { refuseCycle } from './cycles.ts';
import { publicRights } from './database.ts';
import { isRevocable, revokeMembership, surplusMemberships } from './memberships.ts';
import type {
  DesiredSchema,
  InspectedRole,
  InspectedSchema,
  ManagedRole,
  ObjectGroup,
  SchemaRoles,
} from './model.ts';
import { needsAdmin } from './needs-admin.ts';

/** Whether the role's marker says that it is this one. Its name alone says nothing. */
export function isOurs({ name, comment }: InspectedRole, managed: readonly ManagedRole[]): boolean {
  const marker = parseMarker(comment);
  const expected = managed.find((role) => role.name === name)?.marker;
  if (marker === undefined || expected === undefined) return false;
  return (['database', 'schema', 'level'] as const).every((field) => marker[field] === expected[field]);
}

/**
 * What must not or can't be done at all, found before anything is changed.
 *
 * @returns the first reason, or undefined where the plan can go on
 */
export function refuse(situation: Situation): OperationError | undefined {
  const { desired, found } = situation;
  return (
    refuseRoles(situation) ??
    refuseSchema(situation) ??
    refusePrincipal(situation) ??
    refuseLock(desired, found) ??
    refuseCycle(situation) ??
    refuseSurplus(situation)
  );
}

function refuseRoles({ desired, roles, found, managed }: Situation): OperationError | undefined {
  for (const role of found.roles) {
    const { name, privileged, administrable } = role;
    const ours = isOurs(role, managed);
    const marker = parseMarker(role.comment);
    if (marker && !ours) {
      const owner = marker.schema === undefined ? marker.database : `${marker.database}.${marker.schema}`;
      return new OperationError(
        'ROLE_NOT_MANAGED',
        `The role ${name} is marked as the ${marker.level} of ${owner}, and can't be another.`,
        {
          details: { role: name },
        },
      );
    }
    if (privileged || !(ours || desired.adopt)) {
      return new OperationError(
        'ROLE_NOT_MANAGED',
        privileged
          ? `The role ${name} has SUPERUSER, REPLICATION or BYPASSRLS, and can't be one of Drover's.`
          : `A role ${name} exists that Drover did not make. Rename it, or take it over with "adopt": true.`,
        { details: { role: name } },
      );
    }
    const ofDatabase = name === roles.monitor || name === roles.connect;
    if (!administrable && !(ours && ofDatabase)) {
      const grant = sql`GRANT ${identifier(name)} TO ${identifier(roles.acting)} WITH ADMIN OPTION`;
      return needsAdmin('ADOPTION_NEEDS_ADMIN', `Drover may not change the role ${name}.`, [grant]);
    }
  }
  return undefined;
}

/** A role to adopt that is a member of others would give its own members more than it should. */
function refuseSurplus(situation: Situation): OperationError | undefined {
  const { found, managed } = situation;
  const adopted = found.roles.filter((role) => !isOurs(role, managed)).map(({ name }) => name);
  const surplus = surplusMemberships(situation).filter(
    (one) => adopted.includes(one.member) && !isRevocable(situation, one),
  );
  if (surplus.length === 0) return undefined;
  const list = surplus.map(({ member, role }) => `${member} of ${role}`).join(', ');
  return needsAdmin(
    'ADOPTION_NEEDS_ADMIN',
    `Roles to adopt are members of others, and would give their members more than they should: ${list}.`,
    surplus.map((one) => revokeMembership(one, found.serverVersion)),
  );
}

function refuseSchema({ desired, roles, found }: Situation): OperationError | undefined {
  const { database, schema, adopt } = desired;
  const [similar] = found.similar;
  if (found.schema === null && similar !== undefined) {
    return new OperationError(
      'SCHEMA_NAME_CONFLICT',
      `A schema ${similar} exists, whose name differs from ${schema} in case only. Nobody could tell them apart.`,
      { details: { existing: similar } },
    );
  }
  const changesOwner = found.schema?.owner !== roles.owner;
  if (changesOwner && !found.database.canCreate) {
    const grant = sql`GRANT CREATE ON DATABASE ${identifier(database)} TO ${identifier(adminRole)}`;
    return needsAdmin(
      'CANNOT_CREATE_IN_DATABASE',
      `Drover may not create schemas in the database ${database}.`,
      [grant],
    );
  }
  if (found.schema === null || !changesOwner) return undefined;
  if (!adopt) {
    return new OperationError(
      'SCHEMA_NOT_MANAGED',
      `The schema ${schema} exists, owned by ${found.schema.owner}, and Drover did not make it. ` +
        'To take it over with all that is in it, send "adopt": true.',
      { details: { owner: found.schema.owner } },
    );
  }
  const foreign = transferable(found, roles).filter((group) => !takesOver(desired, found, group));
  if (found.schema.usable && foreign.length === 0) return undefined;
  // To be handed an object, a role has to be able to create in its schema.
  const handOver = found.schema.usable && found.schema.adminLacks.length === 0;
  const owners = new Set([...(handOver ? [] : [found.schema.owner]), ...foreign.map(({ owner }) => owner)]);
  return needsAdmin(
    'ADOPTION_NEEDS_OWNER',
    `Drover may not take over what ${[...owners].join(', ')} own(s) in the schema ${schema}. ` +
      `Whoever is a member of them and of ${adminRole} can hand it over.`,
    [
      ...(handOver ? [] : [sql`ALTER SCHEMA ${identifier(schema)} OWNER TO ${identifier(adminRole)}`]),
      ...foreign.flatMap((group) => transfer(group, adminRole)),
    ],
  );
}

/** Objects that are not the owner role's, but should be. */
export function transferable(found: InspectedSchema, roles: SchemaRoles): ObjectGroup[] {
  return found.objects.filter(({ owner, followsTable }) => owner !== roles.owner && !followsTable);
}

/** Whether objects become the owner role's: adopted, or handed to `drover_admin` by somebody for that. */
export function takesOver({ adopt }: DesiredSchema, found: InspectedSchema, group: ObjectGroup): boolean {
  const { usable, owner } = group;
  return adopt ? usable || isManaged(found, owner) : usable && owner === adminRole;
}

/** Whether it is a role of this schema, so that the acting admin can have its privileges if it has to. */
export function isManaged(found: InspectedSchema, owner: string): boolean {
  return found.roles.some(({ name, administrable }) => name === owner && administrable);
}

/** The statements that make a role the owner of objects. */
export function transfer(group: ObjectGroup, owner: string): Sql[] {
  return group.names.map(
    (name) => sql`ALTER ${keyword(group.class)} ${Sql.of(name)} OWNER TO ${identifier(owner)}`,
  );
}

function refusePrincipal({
  desired: { owner },
  roles,
  found: { principal },
  managed,
}: Situation): OperationError | undefined {
  if (owner === undefined) return undefined;
  if (principal === null) {
    return new OperationError(
      'PRINCIPAL_NOT_FOUND',
      `There is no login ${owner} on this instance. Create it first.`,
      {
        details: { principal: owner },
      },
    );
  }
  const system = principal.system || owner === roles.acting || managed.some(({ name }) => name === owner);
  if (principal.login && !principal.superuser && !system) return undefined;
  const why = principal.superuser ? 'a superuser' : system ? 'a role of the system' : 'not a login';
  return new OperationError(
    'PRINCIPAL_NOT_ALLOWED',
    `${owner} is ${why} and can't act as a schema's owner.`,
    {
      details: { principal: owner },
    },
  );
}

function refuseLock(
  { database, lockDatabase }: DesiredSchema,
  found: InspectedSchema,
): OperationError | undefined {
  const { usable, canGrant, publicCanCreateInPublic, publicUsable } = found.database;
  const rights = usable || (publicRights(found.database).length === 0 && canGrant.length === 2);
  const createInPublic = publicCanCreateInPublic && !publicUsable;
  if (!lockDatabase || (rights && !createInPublic)) return undefined;
  const name = identifier(database);
  return needsAdmin(
    'CANNOT_LOCK_DATABASE',
    `Drover may not take the rights of PUBLIC in the database ${database} away.`,
    [
      ...(rights
        ? []
        : [
            sql`GRANT CONNECT, TEMPORARY ON DATABASE ${name} TO ${identifier(adminRole)} WITH GRANT OPTION`,
            sql`GRANT CONNECT ON DATABASE ${name} TO ${identifier(writersRole)}`,
            sql`REVOKE CONNECT, TEMPORARY ON DATABASE ${name} FROM PUBLIC`,
          ]),
      ...(createInPublic ? [sql`REVOKE CREATE ON SCHEMA public FROM PUBLIC`] : []),
    ],
  );
}
