import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { hashOf, newApiKey } from '../../../../shared/api-keys/key.ts';
import { registerApiKey, revokeApiKeys, transactAlone } from '../../../../shared/registry/api-keys/store.ts';
import { verifyApiKey } from '../../../../shared/registry/api-keys/verify.ts';
import { tenantDocument } from '../../../../shared/registry/tenants/reference.ts';
import { useRegistry } from '../fixture.ts';

const registry = useRegistry();
const scopes = ['read', 'billing:write'];
let key: string;

beforeEach(async () => {
  key = newApiKey('acme');
  await tenantDocument(registry.db, 'acme').set({ tenant: 'acme', state: 'active', incarnation: 3 });
  await register(key);
});

async function register(given: string, incarnation = 3): Promise<void> {
  await registerApiKey(
    { transact: transactAlone },
    { hash: hashOf(given), owner: { id: 'acme', incarnation, scopes }, secret: 'acme-key', version: 7 },
  );
}

const verify = (presented: unknown, scope = 'read') => verifyApiKey(registry.db, presented, scope);

/** The calls that the registry gets meanwhile. */
async function callsOf(run: () => Promise<unknown>): Promise<string[]> {
  const calls: string[] = [];
  registry.server.intercept = ({ method, phase }) => {
    if (phase === 'before') calls.push(method);
  };
  await run();
  registry.server.intercept = undefined;
  return calls;
}

const refused = (reason: string, answer = 'unauthenticated') => ({ accepted: false, reason, answer });

describe('an API key', () => {
  it('is accepted for its scopes, with what is known of it', async () => {
    const known = { accepted: true, tenant: 'acme', scopes, secret: 'acme-key', version: 7 };
    expect(await verify(key)).toEqual(known);
    expect(await verify(key, 'billing:write')).toEqual(known);
  });

  it.each(['write', 'billing', 'billing:write:all', 'READ', '', '*', 'length', '0', '__proto__', 'includes'])(
    'is forbidden what is no scope of its: %j',
    async (scope) => expect(await verify(key, scope)).toEqual(refused('scope', 'forbidden')),
  );

  it('is refused when it was never registered, or one character is another one', async () => {
    expect(await verify(newApiKey('acme'))).toEqual(refused('unknown'));
    const other = key.at(-1) === '0' ? '1' : '0';
    expect(await verify(key.slice(0, -1) + other)).toEqual(refused('unknown'));
    expect(await verify(key.replace('acme', 'acmf'))).toEqual(refused('unknown'));
  });

  it('is refused when it was revoked', async () => {
    await revokeApiKeys({ transact: transactAlone }, { id: 'acme', incarnation: 3 });
    expect(await verify(key)).toEqual(refused('revoked'));
    expect(await verify(key, 'no scope')).toEqual(refused('revoked'));
  });

  it('is refused of an earlier tenant with the same id, and of one that is gone', async () => {
    const earlier = newApiKey('acme');
    await register(earlier, 2);
    expect(await verify(earlier)).toEqual(refused('tenant-not-active'));
    await tenantDocument(registry.db, 'acme').delete();
    expect(await verify(key)).toEqual(refused('tenant-not-active'));
  });

  it('is refused where the record doesn’t have its hash, or another tenant', async () => {
    const ref = registry.db.collection('apiKeys').doc(hashOf(key).toString('hex'));
    await ref.update({ hash: hashOf('another').toString('hex') });
    expect(await verify(key)).toEqual(refused('unknown'));
    await ref.update({ hash: 'rubbish' });
    expect(await verify(key)).toEqual(refused('unknown'));
    await ref.update({ hash: hashOf(key).toString('hex'), tenant: 'beta' });
    expect(await verify(key)).toEqual(refused('unknown'));
  });

  it('is in the registry by its hash only', async () => {
    const { docs } = await registry.db.collection('apiKeys').get();
    expect(docs.map(({ id }) => id)).toEqual([hashOf(key).toString('hex')]);
    expect(JSON.stringify(docs.map((document) => document.data()))).not.toContain(key.slice(-43));
  });
});

describe('whoever presents a key', () => {
  it('is told the same of one that is unknown, revoked or a removed tenant’s, after the same calls', async () => {
    const revoked = newApiKey('acme');
    await register(revoked, 2);
    await revokeApiKeys({ transact: transactAlone }, { id: 'acme', incarnation: 2 });
    const earlier = newApiKey('acme');
    await register(earlier, 2);
    const answers = new Set<string>();
    for (const presented of [newApiKey('acme'), newApiKey('nobody'), revoked, earlier, key]) {
      const calls = await callsOf(async () => {
        const verified = await verify(presented);
        if (!verified.accepted) answers.add(verified.answer);
      });
      expect(calls).toEqual(['BatchGetDocuments']);
    }
    expect([...answers]).toEqual(['unauthenticated']);
  });

  it('costs no read with what can’t be one', async () => {
    const rubbish = [
      '',
      'acme_api_',
      `${key} `,
      `x${'a'.repeat(1e6)}_api_${key.slice(-43)}`,
      null,
      7,
      {},
      [key],
    ];
    const calls = await callsOf(async () => {
      for (const presented of rubbish) expect(await verify(presented)).toEqual(refused('malformed'));
      await fc.assert(
        fc.asyncProperty(fc.anything(), async (presented) => {
          expect(await verify(presented)).toEqual(refused('malformed'));
        }),
      );
    });
    expect(calls).toEqual([]);
  });
});
