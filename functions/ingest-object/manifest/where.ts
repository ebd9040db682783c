import { OperationError } from '../../../shared/operation/errors.ts';
import type { Target } from '../../../shared/postgres/target.ts';
import type { TenantRecord } from '../../../shared/registry/tenants/model.ts';
import { placeOf } from '../../../shared/tenants/place.ts';
import { bootstrapTenantMessage, type TenantMessage } from '../../bootstrap-tenant/message.ts';
import type { Manifest } from './model.ts';
import type { Wanted, WantedTenant } from './wanted.ts';

/** Where a manifest's things are. */
export interface Where {
  readonly target: Target;
  /** Of a tenant's manifest. */
  readonly ownSchema: string | undefined;
  /** The tenant is there. What it will have is known before that, but for opaque names. */
  readonly exists: boolean;
  /** What its own things will be called isn't known: these names stand for them, and may be those of any tenant. */
  readonly isUnnamed?: true;
}

/** The tenant that a manifest is about; undefined where it is about a database. */
export function tenantIn(wanted: readonly Wanted[]): WantedTenant | undefined {
  return wanted.find((one) => one.kind === 'tenant');
}

/**
 * Where the things of a manifest are, or will be.
 *
 * @param record the tenant's, if it has one
 */
export function whereOf(
  manifest: Pick<Manifest, 'database'>,
  wanted: readonly Wanted[],
  record: TenantRecord | undefined,
): Where {
  const tenant = tenantIn(wanted);
  if (tenant === undefined) {
    if (manifest.database) return { target: manifest.database, ownSchema: undefined, exists: true };
    throw new OperationError('INVALID_MANIFEST', 'The manifest names neither a database nor a tenant.');
  }
  if (record && record.state !== 'removed' && record.state !== 'failed') return whereIs(record);
  const { isolation, target, features } = readTenantMessage(tenant);
  const request = { tenant: tenant.tenant, isolation, ...target, features };
  const { instance, database, schema } = placeOf(
    { ...request, database: target.database },
    { DROVER_TENANTS_BUCKET: '' },
    () => 'opaque',
  );
  const unnamed = features.opaqueNames ? { isUnnamed: true as const } : {};
  return { target: { instance, database }, ownSchema: schema, exists: false, ...unnamed };
}

function whereIs({ place, state }: TenantRecord): Where {
  const { instance, database, schema } = place;
  return { target: { instance, database }, ownSchema: schema, exists: state === 'active' };
}

/** @throws OperationError `INVALID_MANIFEST` */
export function readTenantMessage({ message, key }: WantedTenant): TenantMessage {
  const { data } = bootstrapTenantMessage.safeParse(message);
  if (data?.scope === 'tenant') return data;
  throw new OperationError('INVALID_MANIFEST', `What the manifest says of its ${key} makes no message.`);
}
