import { formatMarker } from '../../../../shared/postgres/marker.ts';
import type { Plan } from '../../../../shared/postgres/schema/context.ts';
import { schemaRoles } from '../../../../shared/postgres/schema/inspect.ts';
import type {
  DesiredSchema,
  InspectedRole,
  InspectedSchema,
} from '../../../../shared/postgres/schema/model.ts';
import { planSchema } from '../../../../shared/postgres/schema/plan.ts';
import { desired } from '../../../support/postgres.ts';

// What an inspection may have found, for tests of the plan alone.

/** An instance that is prepared, and nothing of the schema in it. */
export const empty: InspectedSchema = {
  serverVersion: 180000,
  database: {
    owner: 'cloudsqlsuperuser',
    usable: false,
    canCreate: true,
    canGrant: [],
    publicPrivileges: [
      { privilege: 'CONNECT', grantor: null },
      { privilege: 'TEMPORARY', grantor: null },
    ],
    privileges: [],
    publicCanCreateInPublic: false,
    publicUsable: false,
    connectingRoles: [],
  },
  schema: null,
  similar: [],
  roles: [],
  principal: null,
  memberships: [],
  joined: [],
  within: [],
  grantable: [],
  objects: [],
  defaultPrivileges: [],
  routineDefaultSet: false,
};

export const roleOf = (name: string, more: Partial<InspectedRole> = {}): InspectedRole => ({
  name,
  comment: null,
  login: false,
  privileged: false,
  inherit: true,
  createRole: false,
  createDatabase: false,
  usable: true,
  administrable: true,
  ...more,
});

/** The marker of a role of `app`. */
export const ours = (schema: string | undefined, level: string) =>
  formatMarker({ managedBy: 'drover', database: 'app', schema, level });

/** Plans the schema `billing` of the database `app`. */
export function plan(wish: Partial<DesiredSchema>, found: Partial<InspectedSchema>): Plan {
  const roles = schemaRoles(
    'app',
    'billing',
    wish.customRoles?.map(({ name }) => name),
  );
  const mark = { epoch: 1, always: false };
  return planSchema(desired('app', 'billing', wish), roles, { ...empty, ...found }, mark);
}
