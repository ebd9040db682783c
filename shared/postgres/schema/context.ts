import type { Change, Note } from '../../operation/outcome.ts';
import type { SchemaLevel } from '../names.ts';
import type { Sql } from '../sql.ts';
import type { DesiredSchema, InspectedSchema, SchemaRoles } from './model.ts';

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

/** What the parts of a plan share. */
export interface PlanContext {
  readonly desired: DesiredSchema;
  readonly roles: SchemaRoles;
  readonly found: InspectedSchema;
  readonly levels: readonly SchemaLevel[];
  readonly steps: Step[];
  readonly notes: Note[];
}
