import type { CustomRole } from '../custom-role.ts';
import type { Marker } from '../marker.ts';
import type { SchemaLevel } from '../names.ts';
import type { RoleDefinition } from './levels.ts';

/** What a schema should be like. */
export interface DesiredSchema {
  readonly database: string;
  readonly schema: string;
  /** Levels to make; `owner` always is, and what one builds on. Those that exist already stay. */
  readonly levels: readonly SchemaLevel[];
  /** Roles to define beside the levels, or to bring to another definition. Others that there are stay as they are. */
  readonly customRoles?: readonly CustomRole[];
  /** A login that may act as the schema's owner. */
  readonly owner?: string;
  /** Left as it is where undefined. */
  readonly comment?: string;
  /** Take over a schema, its objects and roles of these names that exist already. */
  readonly adopt: boolean;
  /** Take the rights that every login has by default away from PUBLIC, in the whole database. */
  readonly lockDatabase: boolean;
}

/** The names that a schema's management uses. */
export interface SchemaRoles {
  readonly owner: string;
  readonly writer: string;
  readonly reader: string;
  readonly analyst: string;
  /** Those that were asked for, by what their definitions call them. */
  readonly custom: Readonly<Record<string, string>>;
  /** Of the database: who may see its statistics, and who may connect where PUBLIC may not. */
  readonly monitor: string;
  readonly connect: string;
  /** The role that makes and changes the others. */
  readonly acting: string;
}

/** A role that the management of a schema looks after: a level, a custom role, or one of the schema's database. */
export interface ManagedRole extends Pick<RoleDefinition, 'privileges' | 'native'> {
  readonly name: string;
  /** What its comment says; of an owner's and a monitor's without what changes with time. */
  readonly marker: Marker;
  /** The names of the roles whose privileges it has, too. */
  readonly inherits: readonly string[];
  /** In a closed database it is a member of the connect role itself, not by what it inherits. */
  readonly connects: boolean;
}

/** Classes of objects that roles have privileges on. */
export const objectClasses = ['TABLE', 'SEQUENCE', 'ROUTINE'] as const;

export type ObjectClass = (typeof objectClasses)[number];

export interface InspectedRole {
  readonly name: string;
  readonly comment: string | null;
  readonly login: boolean;
  /** Has what only a superuser can take away: SUPERUSER, REPLICATION or BYPASSRLS. */
  readonly privileged: boolean;
  readonly inherit: boolean;
  readonly createRole: boolean;
  readonly createDatabase: boolean;
  /** The acting admin has its privileges, and may make things its own. */
  readonly usable: boolean;
  /** The acting admin may grant, alter and comment on it. */
  readonly administrable: boolean;
}

export interface InspectedMembership {
  readonly role: string;
  readonly member: string;
  readonly inherit: boolean;
  readonly set: boolean;
  readonly grantor: string;
}

/** A role that one of the managed roles is a member of. */
export interface JoinedRole {
  readonly role: string;
  readonly member: string;
  readonly grantor: string;
  /** The role is a superuser. */
  readonly superuser: boolean;
}

/** A privilege that one of the managed roles has. */
export interface InspectedPrivilege {
  readonly grantee: string;
  readonly privilege: string;
  /** Who alone can revoke it; null for the owner of the object, as whom we act. */
  readonly grantor: string | null;
  /** With the option to pass it on. */
  readonly grantable: boolean;
  /** Passed on: others would lose it, too. */
  readonly passedOn: boolean;
  /** On single columns only. */
  readonly columns: boolean;
}

/** Objects of one class that have the same owner and the same privileges. */
export interface ObjectGroup {
  readonly class: ObjectClass | 'TYPE';
  readonly owner: string;
  /** The acting admin has the owner's privileges. */
  readonly usable: boolean;
  /** Sequences that belong to a column get their owner with the table. */
  readonly followsTable: boolean;
  readonly privileges: readonly InspectedPrivilege[];
  /** Quoted and, for routines, with their arguments: ready for a statement. */
  readonly names: readonly string[];
}

export interface DefaultPrivilege {
  readonly scope: 'global' | 'schema';
  readonly class: ObjectClass;
  /** `PUBLIC` for everybody. */
  readonly grantee: string;
  readonly privilege: string;
  /** With the option to pass it on. */
  readonly grantable: boolean;
}

/** Everything about a schema that decides what is to be done, as one catalog query found it. */
export interface InspectedSchema {
  /** As in `server_version_num`. */
  readonly serverVersion: number;
  readonly database: {
    readonly owner: string;
    /** The acting admin has the owner's privileges. */
    readonly usable: boolean;
    readonly canCreate: boolean;
    /** Of CONNECT and TEMPORARY. */
    readonly canGrant: readonly string[];
    /** With the grantor, who alone can revoke it; null for the database's owner. */
    readonly publicPrivileges: readonly { readonly privilege: string; readonly grantor: string | null }[];
    /** Of the connect role, of `drover_writers` and of the principal. */
    readonly privileges: readonly { readonly grantee: string; readonly privilege: string }[];
    readonly publicCanCreateInPublic: boolean;
    /** The acting admin has the privileges of the owner of the schema `public`. */
    readonly publicUsable: boolean;
    /** Owners, readers and those who act as owner, of all the database's schemas, if PUBLIC is to lose its rights. */
    readonly connectingRoles: readonly string[];
  };
  readonly schema: {
    readonly owner: string;
    readonly usable: boolean;
    readonly comment: string | null;
    readonly privileges: readonly InspectedPrivilege[];
    /** What the owner took from himself, of USAGE and CREATE. */
    readonly ownerLacks: readonly string[];
    /** What `drover_admin` lacks to be handed objects, of USAGE and CREATE. */
    readonly adminLacks: readonly string[];
  } | null;
  /** Other schemas whose name differs in case only. */
  readonly similar: readonly string[];
  readonly roles: readonly InspectedRole[];
  readonly principal: {
    readonly login: boolean;
    readonly superuser: boolean;
    readonly system: boolean;
    readonly inherit: boolean;
  } | null;
  readonly memberships: readonly InspectedMembership[];
  /** All roles that the managed ones are members of, by every grant. */
  readonly joined: readonly JoinedRole[];
  /** Which of the managed roles are, by whatever way, members of which others: these can't become theirs. */
  readonly within: readonly { readonly role: string; readonly member: string }[];
  /** Predefined roles that the acting admin may pass on. */
  readonly grantable: readonly string[];
  readonly objects: readonly ObjectGroup[];
  readonly defaultPrivileges: readonly DefaultPrivilege[];
  /** Whether the owner's default for new routines has been set at all; unset, PUBLIC may execute them. */
  readonly routineDefaultSet: boolean;
}
