import type { AccessRequest } from '../operation/policy.ts';
import { formatTarget } from '../postgres/target.ts';
import type { TenantRecord } from '../registry/tenants/model.ts';

/**
 * What of a request isn't the tenant's own, for people; nothing where all of it is.
 *
 * Of a database that it shares only its schema is: what is about the database as a whole is everybody's.
 */
export function foreignTo(
  { target, schema, secrets = [], reaches }: AccessRequest,
  { isolation, place }: Pick<TenantRecord, 'isolation' | 'place'>,
): string[] {
  const own = [place.secret, place.apiKeySecret];
  const foreign = secrets.filter((secret) => !own.includes(secret)).map((secret) => `secret ${secret}`);
  if (target !== undefined) {
    const name = formatTarget(target);
    if (name !== formatTarget(place)) foreign.push(`database ${name}`);
    else if (isolation === 'schema' && schema === undefined) foreign.push(`the shared database ${name}`);
    else if (isolation === 'schema' && schema !== place.schema) foreign.push(`schema ${schema} of ${name}`);
    if (isolation === 'schema' && reaches === 'database') foreign.push(`all schemas of ${name}`);
  }
  if (reaches === 'instance') foreign.push(`the instance ${place.instance}`);
  return foreign;
}
