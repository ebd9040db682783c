import { randomBytes } from 'node:crypto';
import type { Isolation, TenantFeatures, TenantPlace } from '../registry/tenants/model.ts';

/** The schema in a database of a tenant's own. */
export const ownSchema = 'app';

export interface PlaceRequest {
  readonly tenant: string;
  readonly isolation: Isolation;
  readonly instance: string;
  /** Undefined: the database gets its name from the tenant. */
  readonly database: string | undefined;
  readonly features: TenantFeatures;
}

export interface PlaceSettings {
  readonly DROVER_TENANTS_BUCKET: string;
}

/**
 * What a tenant's things are called. No two tenants' are the same: each name is the id between constant parts, which
 * nothing cuts or folds.
 *
 * @param opaque what stands for the id in names that every login of the instance can read
 */
export function placeOf(
  { tenant, isolation, instance, database, features }: PlaceRequest,
  { DROVER_TENANTS_BUCKET: bucket }: PlaceSettings,
  opaque: () => string = randomName,
): TenantPlace {
  const visible = features.opaqueNames ? `t_${opaque()}` : `tenant_${tenant}`;
  // A login's comment names its secret.
  const secret = features.opaqueNames ? visible.replace('_', '-') : `tenant-${tenant}`;
  return {
    instance,
    database: database ?? visible,
    schema: isolation === 'schema' ? visible : ownSchema,
    logins: [`${visible}_a`, `${visible}_b`],
    secret: `${secret}-database`,
    apiKeySecret: features.apiKey ? `tenant-${tenant}-api-key` : null,
    dataset: features.analytics ? `tenant_${tenant}` : null,
    storage: features.storage && bucket !== '' ? `gs://${bucket}/tenants/${tenant}/` : null,
  };
}

function randomName(): string {
  return randomBytes(10).toString('hex');
}

/** What says whose a database is, in its comment, which every login of the instance can read. */
export function ownerMark({ secret }: TenantPlace): string {
  return secret;
}
