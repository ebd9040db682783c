import type { Isolation, TenantRecord } from '../../shared/registry/tenants/model.ts';
import { UsageError } from '../usage-error.ts';
import type { TenantContent } from './message.ts';

/** What somebody says about a tenant to be restored. What they don't is as it was. */
export interface Restoration {
  readonly archive?: string | undefined;
  readonly displayName?: string | undefined;
  readonly contact?: string | undefined;
  readonly plan?: string | undefined;
  readonly isolation?: Isolation | undefined;
  readonly instance?: string | undefined;
  readonly database?: string | undefined;
  readonly region?: string | undefined;
}

/**
 * The message that makes a tenant again from its archive.
 *
 * @param found what the registry has of the tenant
 * @throws UsageError where neither it nor the arguments say enough, or the tenant is there
 */
export function restoration(
  tenant: string,
  found: TenantRecord | undefined,
  asked: Restoration,
): TenantContent {
  const restore = asked.archive ?? found?.archive ?? undefined;
  if (found?.state === 'active' && (restore === undefined || found.restored !== restore)) {
    throw impossible(
      `The tenant ${tenant} is there. Remove it first, or restore the archive under another id`,
    );
  }
  if (restore === undefined) {
    throw impossible(
      `The registry knows no archive of the tenant ${tenant}. Give its manifest: --archive gs://…/manifest.json`,
    );
  }
  const displayName = asked.displayName ?? found?.displayName;
  const contact = asked.contact ?? found?.contact;
  const plan = asked.plan ?? found?.plan;
  const instance = asked.instance ?? found?.place.instance;
  if (displayName === undefined || contact === undefined || plan === undefined || instance === undefined) {
    throw new UsageError(
      `The registry has nothing of a tenant ${tenant}: give --display-name, --contact, --plan and --instance`,
    );
  }
  const isolation = asked.isolation ?? found?.isolation;
  // One that it shared can't be its own, nor the other way round.
  const former = isolation === found?.isolation ? found?.place.database : undefined;
  const database = asked.database ?? former;
  const region = asked.region ?? found?.region ?? undefined;
  return {
    scope: 'tenant',
    tenant,
    displayName,
    contact,
    plan,
    ...(isolation === undefined ? {} : { isolation }),
    target: { instance, ...(database === undefined ? {} : { database }) },
    ...(region === undefined ? {} : { region }),
    ...(plan === found?.plan && found.quotas ? { quotas: found.quotas } : {}),
    ...(found === undefined ? {} : kept(found)),
    reuse: true,
    restore,
  };
}

/** What no option is for. */
function kept({ features, level, scopes, readers }: TenantRecord) {
  return { features, level, scopes: [...scopes], readers: [...readers] };
}

function impossible(why: string): UsageError {
  return new UsageError(why, { seeHelp: false });
}
