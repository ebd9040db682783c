import { type IamKind, type SqlUser, sqlAdminFor } from '../../shared/gcp/sqladmin.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import { OperationError } from '../../shared/operation/errors.ts';
import type { Change } from '../../shared/operation/outcome.ts';
import { nounOf, type Refusal, refusedGrants } from '../../shared/postgres/grants/refusals.ts';
import { grantKey } from '../../shared/registry/grants/model.ts';
import { type GrantRolesMessage, type GrantWish, roleOf } from './message.ts';

/** How old the Admin API's list of users may be: it is asked once for many messages. */
const listMaxAgeMs = 60_000;

/**
 * Holds a message's IAM principals against the Admin API, and makes those that the instance doesn't know its users, if
 * the message says so. PostgreSQL's own check follows: this one knows which names are IAM's.
 *
 * @param superseded grants about which nothing is to be done, by key
 * @returns what was created, or in a dry run would be
 * @throws OperationError with the place of each principal that is none
 */
export async function ensurePrincipals(
  { target, mode, grants, createMissing }: GrantRolesMessage,
  superseded: readonly string[],
  { signal, dryRun }: Pick<OperationContext, 'signal' | 'dryRun'>,
): Promise<Change[]> {
  const isAsked = (grant: GrantWish) =>
    !superseded.includes(grantKey({ principal: grant.principal, role: roleOf(grant) }));
  const isIam = (grant: GrantWish) => grant.kind !== 'login' && isAsked(grant);
  if (mode === 'revoke' || !grants.some(isIam)) return [];
  const admin = sqlAdminFor(target.instance);
  if (admin === undefined) {
    if (createMissing) throw noAdminApi(target.instance);
    return [];
  }
  const isMissing = (users: ReadonlyMap<string, SqlUser>) =>
    grants.some((grant) => isIam(grant) && !users.has(grant.principal));
  let users = await admin.users({ signal, maxAgeMs: listMaxAgeMs });
  if (isMissing(users)) users = await admin.users({ signal });

  const refusals: Refusal[] = [];
  const missing = new Map<string, IamKind>();
  grants.forEach((grant, index) => {
    if (!isAsked(grant)) return;
    const { kind, principal } = grant;
    const user = users.get(principal);
    const refuse = (code: string, message: string) =>
      refusals.push({ code, index, field: 'principal', message });
    if (user === undefined) {
      if (kind === 'login') return;
      if (createMissing) missing.set(principal, kind);
      else {
        refuse(
          'PRINCIPAL_NOT_FOUND',
          `The instance has no ${nounOf(kind)} ${principal}. Add it, or say "createMissing": true`,
        );
      }
    } else if (user.kind !== kind) {
      refuse('PRINCIPAL_KIND_MISMATCH', `${principal} is no ${nounOf(kind)} of this instance`);
    }
  });
  const refused = refusedGrants(refusals);
  if (refused) throw refused;

  const changes: Change[] = [];
  for (const [name, kind] of missing) {
    const created = dryRun || (await admin.createUser({ name, kind }, { signal })) === 'created';
    if (created) changes.push({ action: 'create', kind: 'user', name, detail: nounOf(kind) });
  }
  return changes;
}

function noAdminApi(instance: string): OperationError {
  return new OperationError(
    'ADMIN_API_MISSING',
    `The entry of DROVER_INSTANCES for ${instance} names no Cloud SQL Admin API, so users can't be created there. Create them yourself, and leave createMissing out.`,
    { details: { instance } },
  );
}
