import { findSecret } from '../../../shared/gcp/secrets.ts';
import type { Change } from '../../../shared/operation/outcome.ts';
import type { KeyOwner } from '../../../shared/registry/api-keys/model.ts';
import { liveKeys, registerApiKey, revokeApiKeys } from '../../../shared/registry/api-keys/store.ts';
import type { TenantRecord } from '../../../shared/registry/tenants/model.ts';
import { defaultSettings } from '../../../shared/secrets/defaults.ts';
import { establish } from '../../../shared/secrets/establish.ts';
import type { ManagedSecret } from '../../../shared/secrets/managed.ts';
import type { Saga, Step } from '../saga/step.ts';
import { deleteOwnSecret, lookForSecret, managedAs, readOwn, waiting } from './login.ts';

/** The tenant's API key. It is good for nothing until the tenant is announced. */
export const apiKey: Step = {
  name: 'api-key',
  position: 7,
  needs: [],
  applies: ({ place }) => place.apiKeySecret !== null,
  look: ({ record }) => lookForSecret(idOf(record)),
  async make({ operation, record }) {
    const id = idOf(record);
    const found = await findSecret(id);
    const wanted = managedOf(record);
    const known = found && readOwn(id, found);
    const managed = managedAs(id, known && rescoped(known, wanted.tenant), wanted);
    const { changes } = await establish({ id, managed, found, action: 'create' }, operation).catch(waiting);
    return { changes: [...changes, ...(await rescopeKeys(id, wanted.tenant, operation))] };
  },
  plan: async ({ record }, found) =>
    found === 'present'
      ? { changes: [] }
      : { changes: [{ action: 'create', kind: 'secret', name: idOf(record) }] },
  undo: dropApiKey,
};

/** A tenant's secret as it is with other scopes: what its keys are good for can be changed. */
function rescoped(known: ManagedSecret, { scopes }: KeyOwner): ManagedSecret {
  return known.kind === 'api-key' && known.tenant
    ? { ...known, tenant: { ...known.tenant, scopes: [...scopes] } }
    : known;
}

/** Has the keys that are accepted be good for what the tenant's are now. */
async function rescopeKeys(id: string, owner: KeyOwner, operation: Saga['operation']): Promise<Change[]> {
  const changes: Change[] = [];
  for (const { hash, incarnation, scopes, version } of await liveKeys(id)) {
    if (incarnation !== owner.incarnation || scopes.join() === owner.scopes.join()) continue;
    await registerApiKey(operation, { hash: Buffer.from(hash, 'hex'), owner, secret: id, version });
    changes.push({
      action: 'alter',
      kind: 'api-key',
      name: id,
      detail: `good for ${owner.scopes.join(', ')}`,
    });
  }
  return changes;
}

/** Ends all keys of the tenant, and deletes their secret. */
export async function dropApiKey({ operation, record }: Saga) {
  await revokeApiKeys(operation, { id: record.tenant, incarnation: record.incarnation });
  return deleteOwnSecret(
    operation,
    idOf(record),
    (one) => one.kind === 'api-key' && one.tenant?.id === record.tenant,
  );
}

function idOf({ place }: TenantRecord): string {
  return place.apiKeySecret ?? '';
}

function managedOf({ tenant, incarnation, scopes }: TenantRecord) {
  return {
    kind: 'api-key' as const,
    prefix: `${tenant}_api`,
    tenant: { id: tenant, incarnation, scopes: [...scopes] },
    ...defaultSettings(),
  };
}
