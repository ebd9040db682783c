import { type SchemaLevel, schemaLevels } from '../names.ts';
import type { DesiredSchema, InspectedSchema, SchemaRoles } from './model.ts';

/** Asked for, or there already: a level is never taken away. A writer and an analyst are readers, too. */
export function wantedLevels(
  desired: DesiredSchema,
  roles: SchemaRoles,
  found: InspectedSchema,
): SchemaLevel[] {
  const exists = (level: SchemaLevel) => found.roles.some(({ name }) => name === roles[level]);
  const wanted = (level: SchemaLevel) => level === 'owner' || desired.levels.includes(level) || exists(level);
  return schemaLevels.filter(
    (level) => wanted(level) || (level === 'reader' && (wanted('writer') || wanted('analyst'))),
  );
}
