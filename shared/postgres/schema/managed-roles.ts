import { checksumOf } from '../custom-role.ts';
import type { Marker } from '../marker.ts';
import { roleName, type SchemaLevel, schemaLevels } from '../names.ts';
import { isClosed } from './database.ts';
import { databaseDefinitions, levelDefinitions, type RoleDefinition } from './levels.ts';
import type { DesiredSchema, InspectedSchema, ManagedRole, SchemaRoles } from './model.ts';

/** All roles that a message could be about, whether there are to be or not. Other custom roles are left alone. */
export function managedRoles(
  { database, schema, customRoles = [] }: DesiredSchema,
  roles: SchemaRoles,
): ManagedRole[] {
  const managed = (
    name: string,
    marker: Omit<Marker, 'managedBy' | 'database'>,
    { inherits, ...definition }: RoleDefinition,
    connects = inherits.length === 0,
  ): ManagedRole => ({
    ...definition,
    name,
    marker: { managedBy: 'drover', database, ...marker },
    inherits: inherits.map((level) => roles[level]),
    connects,
  });
  return [
    ...schemaLevels.map((level) => managed(roles[level], { schema, level }, levelDefinitions[level])),
    ...customRoles.map((custom) => {
      const { name: level, version, inherits, privileges, native } = custom;
      const marker = { schema, level, version, checksum: checksumOf(custom) };
      // Whoever closes the database later doesn't know what it inherits, so that doesn't count.
      return managed(roleName(database, schema, level), marker, { inherits, privileges, native }, true);
    }),
    managed(roles.monitor, { level: 'monitor' }, databaseDefinitions.monitor),
    managed(roles.connect, { level: 'connect' }, databaseDefinitions.connect, false),
  ];
}

/** Those of them that there are to be: asked for, or there already, for no level is taken away; and what these inherit. */
export function wantedRoles(
  managed: readonly ManagedRole[],
  desired: DesiredSchema,
  found: InspectedSchema,
): ManagedRole[] {
  const asked = ({ name, marker: { schema, level, version } }: ManagedRole) => {
    if (schema === undefined) return level === 'monitor' || isClosed(desired, found);
    const levels: readonly string[] = ['owner', ...desired.levels];
    // Only a custom role has a version.
    return version !== undefined || levels.includes(level) || found.roles.some((role) => role.name === name);
  };
  const wanted = new Set(managed.filter(asked));
  // What is added on the way is visited, too.
  for (const { inherits } of wanted) {
    for (const role of managed) if (inherits.includes(role.name)) wanted.add(role);
  }
  return managed.filter((role) => wanted.has(role));
}

/** The levels among them. */
export function levelsOf(managed: readonly ManagedRole[], roles: SchemaRoles): SchemaLevel[] {
  return schemaLevels.filter((level) => managed.some(({ name }) => name === roles[level]));
}
