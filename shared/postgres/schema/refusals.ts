import { OperationError } from '../../operation/errors.ts';
import { parseMarker } from '../marker.ts';
import { adminRole, writersRole } from '../names.ts';
import { identifier, keyword, Sql, sql } from '../sql.ts';
import { publicRights } from './database.ts';
import type { DesiredSchema, InspectedRole, InspectedSchema, ObjectGroup, SchemaRoles } from './model.ts';

/** Whether the role's marker says that it is this one. Its name alone says nothing. */
export function isOurs(
  role: InspectedRole,
  { database, schema }: DesiredSchema,
  roles: SchemaRoles,
): boolean {
  const marker = parseMarker(role.comment);
  const wanted = role.name === roles.monitor || role.name === roles.connect ? undefined : schema;
  return marker !== undefined && marker.database === database && marker.schema === wanted;
}

/**
 * What must not or can't be done at all, found before anything is changed.
 *
 * @returns the first reason, or undefined where the plan can go on
 */
export function refuse(
  desired: DesiredSchema,
  roles: SchemaRoles,
  found: InspectedSchema,
): OperationError | undefined {
  return (
    refuseRoles(desired, roles, found) ??
    refuseSchema(desired, roles, found) ??
    refusePrincipal(desired, found) ??
    refuseLock(desired, found)
  );
}

function refuseRoles(
  desired: DesiredSchema,
  roles: SchemaRoles,
  found: InspectedSchema,
): OperationError | undefined {
  for (const role of found.roles) {
    const { name, superuser, administrable } = role;
    if (isOurs(role, desired, roles)) continue;
    const marker = parseMarker(role.comment);
    if (marker) {
      const owner = marker.schema === undefined ? marker.database : `${marker.database}.${marker.schema}`;
      return new OperationError(
        'ROLE_NOT_MANAGED',
        `The role ${name} belongs to ${owner}, not to this schema.`,
        {
          details: { role: name },
        },
      );
    }
    if (!desired.adopt || superuser) {
      return new OperationError(
        'ROLE_NOT_MANAGED',
        superuser
          ? `The role ${name} is a superuser and can't become one of Drover's.`
          : `A role ${name} exists that Drover did not make. Rename it, or take it over with "adopt": true.`,
        { details: { role: name } },
      );
    }
    if (!administrable) {
      const grant = sql`GRANT ${identifier(name)} TO ${identifier(roles.acting)} WITH ADMIN OPTION`;
      return needsAdmin('ADOPTION_NEEDS_ADMIN', `Drover may not change the role ${name}.`, [grant]);
    }
  }
  return undefined;
}

function refuseSchema(
  desired: DesiredSchema,
  roles: SchemaRoles,
  found: InspectedSchema,
): OperationError | undefined {
  const { database, schema, adopt } = desired;
  const ownerRole = found.roles.find(({ name }) => name === roles.owner);
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
  if (found.schema === null) return undefined;
  const managed = !changesOwner && ownerRole !== undefined && isOurs(ownerRole, desired, roles);
  if (managed) return undefined;
  if (!adopt) {
    return new OperationError(
      'SCHEMA_NOT_MANAGED',
      `The schema ${schema} exists, owned by ${found.schema.owner}, and Drover did not make it. ` +
        'To take it over with all that is in it, send "adopt": true.',
      { details: { owner: found.schema.owner } },
    );
  }
  const foreign = transferable(found, roles).filter(({ usable }) => !usable);
  if (found.schema.usable && foreign.length === 0) return undefined;
  const owners = new Set([
    ...(found.schema.usable ? [] : [found.schema.owner]),
    ...foreign.map(({ owner }) => owner),
  ]);
  return needsAdmin(
    'ADOPTION_NEEDS_OWNER',
    `Drover may not take over what ${[...owners].join(', ')} own(s) in the schema ${schema}. ` +
      `Whoever is a member of them and of ${adminRole} can hand it over.`,
    [
      ...(found.schema.usable
        ? []
        : [sql`ALTER SCHEMA ${identifier(schema)} OWNER TO ${identifier(adminRole)}`]),
      ...foreign.flatMap((group) => transfer(group, adminRole)),
    ],
  );
}

/** Objects that are not the owner role's, but should be. */
export function transferable(found: InspectedSchema, roles: SchemaRoles): ObjectGroup[] {
  return found.objects.filter(({ owner, followsTable }) => owner !== roles.owner && !followsTable);
}

/** The statements that make a role the owner of objects. */
export function transfer(group: ObjectGroup, owner: string): Sql[] {
  return group.names.map(
    (name) => sql`ALTER ${keyword(group.class)} ${Sql.of(name)} OWNER TO ${identifier(owner)}`,
  );
}

function refusePrincipal(
  { owner }: DesiredSchema,
  { principal }: InspectedSchema,
): OperationError | undefined {
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
  if (principal.login && !principal.superuser && !principal.system) return undefined;
  const why = principal.superuser ? 'a superuser' : principal.system ? 'a role of the system' : 'not a login';
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
  const { usable, canGrantConnect } = found.database;
  if (!lockDatabase || usable || (publicRights(found.database).length === 0 && canGrantConnect))
    return undefined;
  const name = identifier(database);
  return needsAdmin(
    'CANNOT_LOCK_DATABASE',
    `Drover may not take the rights of PUBLIC in the database ${database} away.`,
    [
      sql`GRANT CONNECT, TEMPORARY ON DATABASE ${name} TO ${identifier(adminRole)} WITH GRANT OPTION`,
      sql`GRANT CONNECT ON DATABASE ${name} TO ${identifier(writersRole)}`,
      sql`REVOKE CONNECT, TEMPORARY ON DATABASE ${name} FROM PUBLIC`,
    ],
  );
}

function needsAdmin(code: string, what: string, statements: readonly Sql[]): OperationError {
  const list = statements.map(({ text }) => text);
  return new OperationError(
    code,
    `${what} An admin has to run: ${list.slice(0, 3).join('; ')}${list.length > 3 ? '; …' : ''}`,
    {
      details: { statements: list },
    },
  );
}
