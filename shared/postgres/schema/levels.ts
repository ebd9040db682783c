import type { CustomRole } from '../custom-role.ts';
import type { SchemaLevel } from '../names.ts';

/** What members of a role may do. A level's is built in, a custom role's comes with a message. */
export interface RoleDefinition {
  readonly inherits: CustomRole['inherits'];
  /**
   * On the objects of a class. Undefined where there is nothing to converge: an owner has all by owning, and a
   * database's roles are no business of one schema.
   */
  readonly privileges?: CustomRole['privileges'];
  /** Predefined roles of PostgreSQL. */
  readonly native: CustomRole['native'];
}

/**
 * What each level may do.
 *
 * A reader may execute routines, for views and row policies call them as whoever reads; a routine that is
 * SECURITY DEFINER does what its author, who acts as owner, lets it do.
 */
export const levelDefinitions: Record<SchemaLevel, RoleDefinition> = {
  owner: { inherits: [], native: [] },
  writer: {
    inherits: ['reader'],
    privileges: { tables: ['INSERT', 'UPDATE', 'DELETE'], sequences: ['USAGE', 'UPDATE'], routines: [] },
    native: [],
  },
  reader: {
    inherits: [],
    privileges: { tables: ['SELECT'], sequences: ['SELECT'], routines: ['EXECUTE'] },
    native: [],
  },
  analyst: {
    inherits: ['reader'],
    privileges: { tables: [], sequences: [], routines: [] },
    native: ['pg_read_all_stats'],
  },
};

/** The same of a database's roles. */
export const databaseDefinitions: Record<'monitor' | 'connect', RoleDefinition> = {
  monitor: { inherits: [], native: ['pg_monitor'] },
  connect: { inherits: [], native: [] },
};
