import type { Plan, Quotas } from '../../tenants/plans.ts';

/**
 * - `bootstrapping`: something is still to be made
 * - `active`: everything is there
 * - `compensating`: something can't be made, and what was made is being taken back
 * - `failed`: nothing of it is left
 * - `removing`: being archived and deleted
 * - `removed`: only this record is left
 */
export type TenantState = 'bootstrapping' | 'active' | 'compensating' | 'failed' | 'removing' | 'removed';

/** `database`: one of its own; `schema`: one in a database that it shares with others. */
export const isolations = ['schema', 'database'] as const;

export type Isolation = (typeof isolations)[number];

/** What a tenant has beside its schema and its login. */
export interface TenantFeatures {
  /** A dataset in BigQuery. */
  readonly analytics: boolean;
  /** A place in the tenants' bucket. */
  readonly storage: boolean;
  readonly apiKey: boolean;
  /** Names in the shared catalog that don't say whose they are. */
  readonly opaqueNames: boolean;
}

/** Where a tenant's things are. Names, never values. */
export interface TenantPlace {
  readonly instance: string;
  readonly database: string;
  readonly schema: string;
  readonly logins: readonly string[];
  /** In Secret Manager: the login's credential. */
  readonly secret: string;
  /** In Secret Manager: the API key, encrypted. */
  readonly apiKeySecret: string | null;
  /** In BigQuery. */
  readonly dataset: string | null;
  /** `gs://bucket/tenants/id/` */
  readonly storage: string | null;
}

/** Why a step or a whole tenant came to nothing. */
export interface Reason {
  readonly code: string;
  readonly message: string;
  readonly step?: string;
}

/**
 * The document of a tenant: `tenants/{hash}`. Its steps are in `steps` below it. Times come as Firestore timestamps, and
 * are dates once read.
 */
export interface TenantRecord {
  readonly tenant: string;
  readonly state: TenantState;
  /** How often the id was used: a removal names the one that it means. */
  readonly incarnation: number;
  readonly displayName: string;
  readonly contact: string;
  readonly plan: string;
  /** What the last message gave it instead of its plan's; null where nothing. */
  readonly quotas?: Quotas | null;
  /** Its plan's with these, as they were when the tenant was last bootstrapped. */
  readonly limits: Plan;
  readonly isolation: Isolation;
  /** Of the dataset; null where the platform's own. */
  readonly region: string | null;
  readonly features: TenantFeatures;
  /** What its login may do in its schema. */
  readonly level: 'owner' | 'writer';
  /** What its API key may be used for. */
  readonly scopes: readonly string[];
  /** Who may read its dataset. */
  readonly readers: readonly string[];
  readonly place: TenantPlace;
  /** The operation that is at it. */
  readonly holder: string | null;
  /** The last one that was. */
  readonly operation: string;
  /** The newest wish that counted. */
  readonly order: { readonly publishedAt: Date; readonly revision?: number };
  readonly createdAt: Date;
  readonly changedAt: Date;
  readonly removedAt: Date | null;
  readonly failure: Reason | null;
  /** Of an active one that a message is changing: what it was before, and is again where that can't be done. */
  readonly before?: TenantSettings | null;
  /** `gs://…/manifest.json` of the archive that was made when it was removed. */
  readonly archive: string | null;
  /** `gs://…/manifest.json` of the archive that it was restored from. */
  readonly restored: string | null;
}

/** What a message may change of a tenant that is there. */
export type TenantSettings = Pick<
  TenantRecord,
  | 'displayName'
  | 'contact'
  | 'plan'
  | 'quotas'
  | 'limits'
  | 'region'
  | 'features'
  | 'scopes'
  | 'readers'
  | 'place'
  | 'order'
>;

/**
 * - `pending`: not begun
 * - `running`: begun, and perhaps done: look
 * - `done`, `skipped`
 * - `failed`: the last attempt ended with the reason
 * - `compensated`: what was made was taken back
 */
export type StepState = 'pending' | 'running' | 'done' | 'skipped' | 'failed' | 'compensated';

/** The document of one step: `tenants/{hash}/steps/{name}`. */
export interface StepRecord {
  readonly step: string;
  /** Its place among the others, for people. */
  readonly position: number;
  readonly state: StepState;
  readonly attempts: number;
  readonly operation: string;
  /** What was there before the operation began: only what was not is taken back. */
  readonly found: 'absent' | 'present' | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly reason: Reason | null;
}

export const tenantsCollection = 'tenants';

export const stepsCollection = 'steps';
