import { config } from '../../../shared/config.ts';
import { formatPlace } from '../../../shared/gcp/storage/client.ts';
import { previewFolder } from '../../../shared/media/folders.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { authorize } from '../../../shared/operation/policy.ts';
import type { Target } from '../../../shared/postgres/target.ts';
import type { TenantRecord } from '../../../shared/registry/tenants/model.ts';
import { readTenant, tenantRef } from '../../../shared/registry/tenants/store.ts';
import type { MatchedRoute, MediaRoute } from '../../../shared/routes.ts';
import type { ObjectEvent } from '../message.ts';
import { recipeOf } from './recipe.ts';

/** The table that has a row for each image. */
export interface TablePlace {
  readonly target: Target;
  readonly schema: string;
  readonly table: string;
  /** In whose schema it is, where that is a tenant's: nobody but bootstrap-tenant makes those. */
  readonly tenant: string | undefined;
}

/** One generation of an object, as an event tells of it, and what the routes say is to be done with it. */
export interface Media {
  readonly bucket: string;
  readonly object: string;
  readonly generation: string;
  /** Null is everybody's: an image of a catalogue. */
  readonly user: string | null;
  readonly route: MediaRoute;
  readonly place: TablePlace;
  /** Of the previews of all its generations; ends with a slash. */
  readonly folder: string;
  /** What decides on its previews and facts: see {@link recipeOf}. */
  readonly recipe: string;
}

/** There is nothing that could be told of an object any more: its tenant is gone, and all that was the tenant's. */
export class TenantGone extends Error {
  override readonly name = 'TenantGone';
}

/**
 * What an event is about.
 *
 * @throws TenantGone where an object of a tenant is gone that isn't active
 * @throws OperationError `TENANT_NOT_ACTIVE`, `USER_NOT_ALLOWED`, `NOT_ALLOWED`
 */
export async function mediaOf(
  { event, bucket, object, generation }: ObjectEvent,
  matched: MatchedRoute<MediaRoute>,
  operation: Pick<OperationContext, 'registry'>,
): Promise<Media> {
  const { route, parts } = matched;
  const { user = null } = parts;
  const place = await tablePlaceOf(matched, bucket, operation).catch((error: unknown) => {
    const isOver = error instanceof OperationError && error.code === 'TENANT_NOT_ACTIVE';
    throw isOver && event !== 'OBJECT_FINALIZE' ? new TenantGone(error.message, { cause: error }) : error;
  });
  const { target, schema } = place;
  const asked = { target, schema, levels: [], principals: [], actions: [] };
  const refusal = authorize('ingest-object', asked, config().DROVER_POLICY.rules);
  if (refusal) throw refusal;
  const folder = previewFolder(matched, object);
  const why = whyNotAllowed(user, folder);
  if (user !== null && why !== undefined) throw userNotAllowed(bucket, object, user, why);
  return { bucket, object, generation, user, route, place, folder, recipe: recipeOf(route) };
}

async function tablePlaceOf(
  { route, parts }: MatchedRoute<MediaRoute>,
  bucket: string,
  operation: Pick<OperationContext, 'registry'>,
): Promise<TablePlace> {
  const { table } = route;
  const { tenant } = parts;
  if (tenant !== undefined) {
    const record = readTenant(await (await tenantRef(operation, tenant)).get());
    return { ...placeOfTenant(tenant, record, bucket), table, tenant };
  }
  const { target, schema } = route;
  // The settings are checked for that when they are read.
  if (target === undefined || schema === undefined) throw new Error('a route without a tenant has a target');
  return { target, schema, table, tenant: undefined };
}

/** An id in a name proves nothing: the registry says who has a folder in this bucket. */
function placeOfTenant(
  tenant: string,
  record: TenantRecord | undefined,
  bucket: string,
): Pick<TablePlace, 'target' | 'schema'> {
  const folder = formatPlace({ bucket, name: `tenants/${tenant}/` });
  if (record?.state === 'active' && record.tenant === tenant && record.place.storage === folder) {
    const { instance, database, schema } = record.place;
    return { target: { instance, database }, schema };
  }
  const why =
    record?.state === 'active'
      ? `the tenant ${tenant} has no storage there: send bootstrap-tenant with the feature storage`
      : `there is no active tenant ${tenant}${record ? `, it is ${record.state}` : ''}: bootstrap it`;
  throw new OperationError('TENANT_NOT_ACTIVE', `${folder} has images, but ${why}, and replay the message.`, {
    details: { tenant, state: record?.state ?? null },
  });
}

/** Cloud Storage's limit, in bytes of UTF-8. */
const mostNameBytes = 1024;

/** `{generation}-{recipe}/{file}`: 19 digits, 16 characters of a hash, 31 of a preview's name and `.jpeg`, and what is between. */
const fileBytes = 19 + 1 + 16 + 1 + 31 + 5;

function whyNotAllowed(user: string | null, folder: string): string | undefined {
  if (user === '.' || user === '..') return 'which URLs have no place for';
  const isLong = Buffer.byteLength(folder) + fileBytes > mostNameBytes;
  return isLong ? 'too long for the names of previews' : undefined;
}

function userNotAllowed(bucket: string, object: string, user: string, why: string): OperationError {
  const name = shortened(formatPlace({ bucket, name: object }));
  return new OperationError(
    'USER_NOT_ALLOWED',
    `${name} is in the folder of a user called ${shortened(user)}, ${why}. Upload it under the name of a user.`,
    { details: { object: shortened(object), user: shortened(user) } },
  );
}

function shortened(text: string): string {
  return text.length <= 100 ? text : `${text.slice(0, 100).toWellFormed()}…`;
}
