import { findSecret } from '../../../shared/gcp/secrets.ts';
import { revokeApiKeys } from '../../../shared/registry/api-keys/store.ts';
import type { TenantRecord } from '../../../shared/registry/tenants/model.ts';
import { defaultSettings } from '../../../shared/secrets/defaults.ts';
import { establish } from '../../../shared/secrets/establish.ts';
import type { Saga, Step } from '../saga/step.ts';
import { deleteOwnSecret, lookForSecret, managedAs, readOwn } from './login.ts';

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
    const managed = managedAs(id, found && readOwn(id, found), managedOf(record));
    const { changes } = await establish({ id, managed, found, action: 'create' }, operation);
    return { changes };
  },
  plan: async ({ record }, found) =>
    found === 'present'
      ? { changes: [] }
      : { changes: [{ action: 'create', kind: 'secret', name: idOf(record) }] },
  undo: dropApiKey,
};

/** Ends all keys of the tenant, and deletes their secret. */
export async function dropApiKey({ operation, record }: Saga) {
  await revokeApiKeys(operation, { id: record.tenant, incarnation: record.incarnation });
  return deleteOwnSecret(operation, idOf(record));
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
