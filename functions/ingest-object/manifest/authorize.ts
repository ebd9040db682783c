import type { PolicyRule } from '../../../shared/config.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { type AccessRequest, authorize } from '../../../shared/operation/policy.ts';
import type { TenantRecord } from '../../../shared/registry/tenants/model.ts';
import { foreignTo } from '../../../shared/tenants/scope.ts';
import { accessOf, messagesOf } from './derived.ts';
import type { Wanted } from './wanted.ts';
import type { Where } from './where.ts';

/** More than anybody reads: an administrator mends a rule, not a line. */
const mostNamed = 20;

/** Whose folder a manifest is in: it may speak of nothing else. */
export interface Folder {
  readonly tenant: string;
  /** Undefined where there is no such tenant yet. */
  readonly record: Pick<TenantRecord, 'isolation' | 'place' | 'state'> | undefined;
}

/** Whether the tenant is there, so that something can be done in its name. */
export function isActive({ record }: Folder): boolean {
  return record?.state === 'active';
}

/** Why an item may not be done. */
export interface Refused {
  readonly key: string;
  readonly error: OperationError;
}

/**
 * Which items of a manifest the rules for `ingest-object` don't allow. Each function asks the policy again, by the rules for its own
 * name, when it gets the message.
 *
 * @param folder undefined where the manifest is in nobody's folder
 * @throws OperationError `INVALID_MANIFEST` where something makes no message
 */
export function refusedItems(
  wanted: readonly Wanted[],
  where: Where,
  folder: Folder | undefined,
  rules: readonly PolicyRule[],
): Refused[] {
  return wanted.flatMap((one) => {
    for (const derived of messagesOf(one, where)) {
      const access = accessOf(derived, one.key);
      const error = refusedInFolder(one, access, folder) ?? authorize('ingest-object', access, rules);
      if (error) return [{ key: one.key, error }];
    }
    return [];
  });
}

/** Who may write to a tenant's folder isn't who may write to another's, or to the platform's. */
function refusedInFolder(
  wanted: Wanted,
  access: AccessRequest,
  folder: Folder | undefined,
): OperationError | undefined {
  if (folder === undefined) return undefined;
  const { tenant, record } = folder;
  if (record?.state !== 'active') return notActive(folder);
  // What a tenant has, and by which plan, is the platform's to say.
  const foreign = wanted.kind === 'tenant' ? [wanted.key] : foreignTo(access, record);
  if (foreign.length === 0) return undefined;
  return new OperationError(
    'NOT_ALLOWED',
    `The manifest is in the folder of tenant ${tenant} and speaks of what is not its own: ${foreign.join(', ')}`,
    { details: { tenant, foreign } },
  );
}

function notActive({ tenant, record }: Folder): OperationError {
  return new OperationError(
    'TENANT_NOT_ACTIVE',
    record === undefined
      ? `The manifest is in the folder of tenant ${tenant}, and there is no such tenant`
      : `The manifest is in the folder of tenant ${tenant}, which is ${record.state}: only for an active one is anything done`,
    { details: { tenant, ...(record && { state: record.state }) } },
  );
}

/** One error for all of them. */
export function notAllowed(refused: readonly Refused[]): OperationError | undefined {
  const [first] = refused;
  if (first === undefined) return undefined;
  // That is so of all of them alike.
  if (first.error.code === 'TENANT_NOT_ACTIVE') return first.error;
  const named = refused.slice(0, mostNamed);
  const more = refused.length > named.length ? `; and ${refused.length - named.length} more` : '';
  const list = named.map(({ key, error }) => `${key}: ${error.message}`).join('; ');
  return new OperationError('NOT_ALLOWED', `Nothing of the manifest was done. ${list}${more}`, {
    details: { problems: named.map(({ key, error }) => ({ path: key, message: error.message })) },
  });
}
