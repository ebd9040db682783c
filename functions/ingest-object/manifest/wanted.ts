import type { CustomRole } from '../../../shared/postgres/custom-role.ts';
import type { CreateSchemaMessage } from '../../create-schema/message.ts';
import type { GrantWish } from '../../grant-roles/message.ts';

/** One thing that a manifest wants, which one operation (of grants: a few) brings about. */
interface Common {
  /** Unique within a manifest, the same in each of its generations: `schema billing`, `grants billing`, `secret app-billing`. */
  readonly key: string;
  /** Keys of what has to be there before. */
  readonly after: readonly string[];
}

/** Undefined where the manifest is a database's. There is at most one, and everything else comes after it. */
export interface WantedTenant extends Common {
  readonly kind: 'tenant';
  /** As a publisher would send it to bootstrap-tenant. */
  readonly message: Readonly<Record<string, unknown>>;
  readonly tenant: string;
}

export interface WantedSchema extends Common {
  readonly kind: 'schema';
  readonly schema: string;
  /** Without its target, which of a tenant is known once it is there. */
  readonly message: Omit<CreateSchemaMessage, 'target'>;
}

export interface WantedGrants extends Common {
  readonly kind: 'grants';
  /** Undefined for the database's own roles; `own` is a tenant's schema, which is known once it is there. */
  readonly schema: string | undefined | typeof ownSchemaOfTenant;
  /** `exact`: and no other. `revoke`: what an earlier generation had, and this one hasn't. */
  readonly mode: 'add' | 'exact' | 'revoke';
  readonly grants: readonly GrantWish[];
  readonly customRoles: readonly CustomRole[];
  readonly createMissing: boolean;
  /** Of `revoke`: its own operations, as `grantMark` has them. What others granted stays. */
  readonly grantedBy?: ReadonlySet<string>;
}

export interface WantedSecret extends Common {
  readonly kind: 'secret';
  readonly secret: string;
  /** As a publisher would send it to rotate-secret (action create), without its target. */
  readonly message: Readonly<Record<string, unknown>>;
  /** It is a database's credential: its message has a target. */
  readonly inDatabase: boolean;
}

export type Wanted = WantedTenant | WantedSchema | WantedGrants | WantedSecret;

/** Not a name that a schema can have. */
export const ownSchemaOfTenant = Symbol('the tenant’s own schema');

/** What a manifest has to say about the things that it no longer names. */
export type OnDelete = 'keep' | 'revoke';
