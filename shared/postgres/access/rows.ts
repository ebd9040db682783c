import type pg from 'pg';

/** A role that has to do with the rights in question: it has some, or is by some way a member of one that has. */
export interface RoleRow {
  readonly name: string;
  readonly login: boolean;
  readonly inherit: boolean;
  readonly superuser: boolean;
  readonly createRole: boolean;
  readonly createDatabase: boolean;
  readonly replication: boolean;
  readonly bypassRls: boolean;
  /** The comment, where it begins like a marker. */
  readonly comment: string | null;
  /** One by which Drover acts: `drover_writers`, `drover_admin`, `drover_admin_00…63`. */
  readonly machinery: boolean;
  /** Cloud SQL's groups of IAM principals that it is in. */
  readonly iam: readonly string[];
  /** Whether it may connect to the database; null for one that can't log in. */
  readonly connect: boolean | null;
  /** A role of Drover's that sees what `pg_read_all_stats` shows. */
  readonly statistics: boolean;
}

/** One grant of a membership. From PostgreSQL 16 on several may make the same role a member of the same one. */
export interface MembershipRow {
  readonly role: string;
  readonly member: string;
  readonly grantor: string;
  readonly inherit: boolean;
  readonly set: boolean;
  readonly admin: boolean;
}

export const heldClasses = ['DATABASE', 'SCHEMA', 'TABLE', 'COLUMN', 'SEQUENCE', 'ROUTINE', 'TYPE'] as const;

export type HeldClass = (typeof heldClasses)[number];

/** Objects of one class in one schema. */
export interface ObjectsRow {
  /** Null for the database itself. */
  readonly schema: string | null;
  readonly class: HeldClass;
  readonly count: number;
  /** The first of them, quoted where they have to be. */
  readonly names: readonly string[];
}

/** Privileges that one role has on the same objects by the same grantor, and not as a managed role of their schema. */
export interface PrivilegesRow extends ObjectsRow {
  /** Null for PUBLIC. */
  readonly grantee: string | null;
  readonly grantor: string;
  readonly privileges: readonly string[];
  /** With the option to pass them on. */
  readonly grantable: boolean;
}

export interface OwnedRow extends ObjectsRow {
  readonly owner: string;
}

/** What the catalog of one database knows about access, as one query found it. */
export interface AccessRows {
  /** As in `server_version_num`. */
  readonly serverVersion: number;
  readonly database: string;
  /** The schemas that were looked at. */
  readonly schemas: readonly string[];
  /** The role that was asked about, by the name that it has here; null where there is none. */
  readonly principal: string | null;
  readonly roles: readonly RoleRow[];
  readonly memberships: readonly MembershipRow[];
  /** What Drover's roles may do in their schemas, now and with objects to come: `TABLE SELECT`, `SCHEMA OWNER`. */
  readonly held: readonly { readonly role: string; readonly rights: readonly string[] }[];
  readonly privileges: readonly PrivilegesRow[];
  readonly owned: readonly OwnedRow[];
}

/** Reads the one row that an access query gives. */
export function readAccessRows(result: pg.QueryResult): AccessRows {
  return (result.rows[0] as { access: AccessRows }).access;
}
