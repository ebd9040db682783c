import type { Change, Note } from '../../operation/outcome.ts';
import type { SchemaLevel } from '../names.ts';
import type { Sql } from '../sql.ts';
import type { DesiredSchema, InspectedSchema, ManagedRole, SchemaRoles } from './model.ts';

/** One statement, and what it changes in people's words; a statement that only keeps our own books has none. */
export interface Step {
  readonly sql: Sql;
  readonly change?: Change;
}

export interface Plan {
  readonly steps: readonly Step[];
  /** What is not as it should be and can't be mended by us. */
  readonly notes: readonly Note[];
  readonly levels: readonly SchemaLevel[];
}

/** What decides about a plan. */
export interface Situation {
  readonly desired: DesiredSchema;
  readonly roles: SchemaRoles;
  readonly found: InspectedSchema;
  /** The roles that we look after, and those of them that there are to be. */
  readonly managed: readonly ManagedRole[];
  readonly wanted: readonly ManagedRole[];
}

/** What the parts of a plan share. */
export interface PlanContext extends Situation {
  readonly steps: Step[];
  readonly notes: Note[];
}
