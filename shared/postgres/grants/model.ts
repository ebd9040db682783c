import type { CustomRole } from '../custom-role.ts';

/** The roles that members are given: those of one schema, or of the database. */
export interface Scope {
  readonly database: string;
  readonly schema: string | undefined;
}

/** Who shall have a role, or not. */
export interface WantedGrant {
  /** A level or the name of a custom role. */
  readonly role: string;
  readonly principal: string;
  readonly present: boolean;
  /** Not to be taken back before this time by the database's own clock. */
  readonly notBefore?: Date;
  /** Not to be there from this time on, by the same clock. */
  readonly notAfter?: Date;
}

/** What is to be made so in one scope. What isn't named stays, but for what `surplus` says. */
export interface DesiredGrants extends Scope {
  readonly grants: readonly WantedGrant[];
  /** Names of the custom roles that are known here, beside the levels. */
  readonly customRoles: readonly string[];
  /** Custom roles to bring to these definitions, before anybody is given them. */
  readonly define?: readonly CustomRole[];
  /** Members that are not named in `grants` or `undecided`. */
  readonly surplus: 'revoke' | 'ignore';
  /** Others are about to decide on these: nothing is done about them. */
  readonly undecided: readonly Pick<WantedGrant, 'role' | 'principal'>[];
  /** Of the intent; undefined in a dry run. */
  readonly fence: { readonly epoch: number; readonly outstanding: boolean } | undefined;
}

/** A role of Drover's, by its marker. */
export interface InspectedManagedRole {
  readonly name: string;
  readonly comment: string;
}

/** Members of one role that have it by the same grantor with the same options. */
export interface InspectedMembers {
  readonly role: string;
  readonly grantor: string;
  readonly admin: boolean;
  readonly inherit: boolean;
  readonly set: boolean;
  readonly members: readonly string[];
}

export interface InspectedPrincipal {
  readonly name: string;
  readonly login: boolean;
  /** Has SUPERUSER, REPLICATION or BYPASSRLS. */
  readonly privileged: boolean;
  /** May act as Drover's admins. */
  readonly writer: boolean;
  /** One of Drover's own roles. */
  readonly managed: boolean;
  /** Cloud SQL's groups of IAM principals that it is in: `cloudsqliamuser` … */
  readonly iam: readonly string[];
  /**
   * It may act as an owner of a schema of this database that was not asked about. Told of those who may connect to a closed
   * database, for only there it matters.
   */
  readonly ownsElsewhere: boolean;
}

/** A membership by which a role that was asked about is a member of a principal, directly or through others. */
export interface InspectedCycle {
  readonly role: string;
  readonly principal: string;
  /** The direct member, which is the role itself or has it as its member. */
  readonly member: string;
  readonly grantor: string;
}

/** What one catalog query found. */
export interface InspectedGrants {
  readonly serverVersion: number;
  /** By the database's clock, ISO 8601. */
  readonly now: string;
  readonly roles: readonly InspectedManagedRole[];
  readonly members: readonly InspectedMembers[];
  /** Those that were asked for, and in a closed database those who may act as an owner. */
  readonly principals: readonly InspectedPrincipal[];
  /** Of the roles and principals that were asked for. */
  readonly cycles: readonly InspectedCycle[];
  /** Of the roles that were asked for, those that are there and not marked as Drover's. */
  readonly unmarked: readonly string[];
}

/** From this version on a membership has options and a grantor who alone can take it back. */
export const membershipOptionsSince = 160000;
