import type { How, Step } from './paths.ts';
import type { HeldClass } from './rows.ts';

/** Cloud SQL says by a group what an IAM principal is; `role` is whatever can't log in. */
export type PrincipalKind = 'login' | 'iam-user' | 'iam-service-account' | 'iam-group' | 'role' | 'public';

export interface Principal {
  readonly principal: string;
  readonly kind: PrincipalKind;
}

/** How a principal comes to something. */
export interface Way {
  /** From the principal to the role that has it. */
  readonly path: readonly string[];
  readonly how: How;
  /** What to SET ROLE to; null where nothing has to be, or nothing helps. */
  readonly setRole: string | null;
  /** The memberships on the way, with all their grants. */
  readonly memberships: readonly Step[];
}

/** What a principal may do as a member of a schema's roles. */
export interface ManagedAccess extends Principal, Way {
  /** Null for roles of the database, such as `monitor`. */
  readonly schema: string | null;
  /** Levels and custom roles, in the order of the path. */
  readonly levels: readonly string[];
  /** In words: `read`, `write`, `execute`, `create`, `own`, `statistics`. */
  readonly can: readonly string[];
  /** May make others members of the first of these roles. */
  readonly admin: boolean;
}

/** What a principal may do past Drover's roles. */
export interface DirectAccess extends Principal, Way {
  /** Null for what concerns the whole database. */
  readonly schema: string | null;
  readonly by: 'privileges' | 'ownership' | 'predefined role' | 'superuser';
  readonly can: readonly string[];
  readonly privileges: readonly string[];
  readonly grantable: boolean;
  readonly grantor: string | null;
  readonly objects: {
    readonly class: HeldClass;
    readonly count: number;
    readonly names: readonly string[];
  } | null;
}

/** Who may do what in one database, or what one principal may do there. */
export interface AccessReport {
  readonly database: string;
  readonly managed: readonly ManagedAccess[];
  readonly direct: readonly DirectAccess[];
  readonly superusers: readonly string[];
  /** Who acts as Drover does, or may make itself do so: Drover's functions, and whoever prepared the instance. */
  readonly asDrover: readonly { readonly principal: string; readonly how: How }[];
  /** Before PostgreSQL 16: who may give itself any role but a superuser's. */
  readonly createRole: readonly string[];
  /** Of those who have something here: logins that may not connect to the database. */
  readonly cannotConnect: readonly string[];
  /** Principals that have what they have in more ways than are listed. */
  readonly cut: readonly string[];
}
