import { describe, expect, it } from 'vitest';
import { access } from '../../../functions/bootstrap-tenant/access.ts';
import { bootstrapTenantMessage } from '../../../functions/bootstrap-tenant/message.ts';
import { authorize } from '../../../shared/operation/policy.ts';

const instance = 'acme:europe-west1:main';
const shared = {
  scope: 'tenant',
  tenant: 'acme',
  displayName: 'Acme Ltd.',
  contact: 'it@acme.example',
  plan: 'STARTER',
  target: { instance, database: 'app' },
};
const own = { ...shared, isolation: 'database', target: { instance } };

const asked = (message: object) => access(bootstrapTenantMessage.parse(message));

/** What a rule doesn't allow that allows no more than the place. */
function missing(message: object, targets = [`${instance}/app`, `${instance}/t*_*`]) {
  const rule = {
    functions: ['bootstrap-tenant'],
    targets,
    secrets: [],
    repositories: [],
    levels: [],
    principals: [],
    actions: [],
  };
  const refused = authorize('bootstrap-tenant', asked(message), [rule]);
  return refused?.details?.['missing'];
}

describe('a tenant’s message asks for', () => {
  it.each([
    ['the level in the database that it shares', shared, 'app', 'owner', []],
    ['another level', { ...shared, level: 'writer' }, 'app', 'writer', []],
    ['a database of its own, by the name that it gets', own, 'tenant_acme', 'owner', ['createDatabase']],
    [
      'one called as is said',
      { ...own, target: { instance, database: 'app' } },
      'app',
      'owner',
      ['createDatabase'],
    ],
    [
      'one whose name nobody knows yet',
      { ...own, features: { opaqueNames: true } },
      't_opaque',
      'owner',
      ['createDatabase'],
    ],
    ['a former id', { ...shared, reuse: true }, 'app', 'owner', ['reuse']],
    ['a restore', { ...shared, restore: 'gs://archive/manifest.json' }, 'app', 'owner', ['restore']],
    ['limits of its own', { ...shared, quotas: { operationsPerDay: 50 } }, 'app', 'owner', ['quotas']],
    [
      'all of that',
      { ...own, reuse: true, restore: 'gs://archive/manifest.json', quotas: {} },
      'tenant_acme',
      'owner',
      ['createDatabase', 'reuse', 'restore', 'quotas'],
    ],
  ])('%s', (_, message, database, level, actions) => {
    expect(asked(message)).toEqual({
      target: { instance, database },
      levels: [level],
      principals: [],
      actions,
    });
    expect(missing(message)).toEqual([`level ${level}`, ...actions]);
  });

  it('nothing in a database that no rule names', () => {
    expect(authorize('bootstrap-tenant', asked(shared), [])?.code).toBe('NOT_ALLOWED');
    for (const message of [own, { ...own, features: { opaqueNames: true } }]) {
      expect(missing(message, [`${instance}/app`])).toBeUndefined();
      expect(missing(message, [`${instance}/t*_*`])).toBeDefined();
    }
  });
});

describe('the platform’s message asks for', () => {
  it.each([
    ['the system', { scope: 'system' }, ['system']],
    ['another region no more', { scope: 'system', region: 'US' }, ['system']],
    [
      'tables made anew, which is more',
      { scope: 'system', forceRecreate: { tables: '*', confirm: '' } },
      ['system', 'forceRecreate'],
    ],
  ])('%s', (_, message, actions) => {
    expect(asked(message)).toEqual({ levels: [], principals: [], actions });
    expect(missing(message)).toEqual(actions);
  });
});

describe('a removal asks for', () => {
  it('that, wherever the tenant is', () => {
    const message = { scope: 'remove', tenant: 'acme', confirm: '' };
    expect(asked(message)).toEqual({ levels: [], principals: [], actions: ['remove'] });
    expect(missing(message)).toEqual(['remove']);
    expect(missing({ ...message, archive: false, dataset: 'delete', storage: 'delete' })).toEqual(['remove']);
  });
});
