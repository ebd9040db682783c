import { beforeEach, describe, expect, it } from 'vitest';
import { hashOf, newApiKey } from '../../../../shared/api-keys/key.ts';
import {
  liveKeys,
  readApiKeys,
  registerApiKey,
  revokeApiKeys,
  revokeKeysOf,
  type Transact,
  transactAlone,
} from '../../../../shared/registry/api-keys/store.ts';
import { transactAsHolder } from '../../../../shared/registry/claims.ts';
import { useRegistry } from '../fixture.ts';

const registry = useRegistry();
const operation = { transact: transactAlone };
let key: string;

beforeEach(() => {
  key = newApiKey('acme');
});

interface Given {
  readonly key?: string;
  readonly tenant?: string;
  readonly incarnation?: number;
  readonly secret?: string;
  readonly version?: number;
  readonly scopes?: readonly string[];
  readonly transact?: Transact;
}

function register({ transact = transactAlone, ...given }: Given = {}) {
  const { tenant: id = 'acme', incarnation = 1, scopes = ['read'] } = given;
  const { secret = 'acme-key', version = 1 } = given;
  const hash = hashOf(given.key ?? key);
  return registerApiKey({ transact }, { hash, owner: { id, incarnation, scopes }, secret, version });
}

const record = async (of = key) => (await readApiKeys([hashOf(of)]))[0];

describe('registering a key', () => {
  it('says whose it is, and twice is once', async () => {
    const before = Date.now();
    expect(await register()).toBe('registered');
    const first = await record();
    expect(first).toEqual({
      hash: hashOf(key).toString('hex'),
      tenant: 'acme',
      incarnation: 1,
      scopes: ['read'],
      secret: 'acme-key',
      version: 1,
      createdAt: expect.any(Date),
      revokedAt: null,
      expireAt: null,
    });
    expect(first?.createdAt.getTime()).toBeGreaterThanOrEqual(before);
    expect(await register()).toBe('registered');
    expect(await record()).toEqual(first);
  });

  it('keeps the newest version with it, and takes other scopes', async () => {
    for (const version of [2, 5, 3]) await register({ version, scopes: [`scope-${version}`] });
    expect(await record()).toMatchObject({ version: 5, scopes: ['scope-3'] });
  });

  it('doesn’t bring back what was revoked', async () => {
    await register();
    await revokeApiKeys(operation, { id: 'acme', incarnation: 1 });
    const revoked = await record();
    expect(await register({ version: 9 })).toBe('revoked');
    expect(await record()).toEqual(revoked);
  });

  it('isn’t done by a worker that lost its operation', async () => {
    const claim = await registry.claim();
    await registry.db.collection('operations').doc(claim.id).update({ state: 'pending' });
    await registry.claim();
    const transact: Transact = (refs, update) => transactAsHolder(registry.db, claim, refs, update);
    await expect(register({ transact })).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect(await record()).toBeUndefined();
  });
});

describe('revoking', () => {
  it('a tenant’s keys leaves those of others and of a later tenant with its id', async () => {
    const keys = Array.from({ length: 4 }, () => newApiKey('acme'));
    const [first = '', second = '', later = '', other = ''] = keys;
    await register({ key: first });
    await register({ key: second, secret: 'another', incarnation: 2 });
    await register({ key: later, incarnation: 3 });
    await register({ key: other, tenant: 'acme_2' });
    expect(await revokeApiKeys(operation, { id: 'acme', incarnation: 2 })).toBe(2);
    const known = await readApiKeys(keys.map(hashOf));
    expect(known.map((one) => one?.revokedAt === null)).toEqual([false, false, true, true]);
    const kept = (known[0]?.expireAt?.getTime() ?? 0) - (known[0]?.revokedAt?.getTime() ?? 0);
    expect(kept).toBe(400 * 86_400_000);
    expect(await revokeApiKeys(operation, { id: 'acme', incarnation: 2 })).toBe(0);
    expect(await readApiKeys(keys.map(hashOf))).toEqual(known);
  });

  it('the keys of a secret’s versions leaves the others of the secret', async () => {
    const keys = Array.from({ length: 3 }, () => newApiKey('acme'));
    for (const [index, one] of keys.entries()) await register({ key: one, version: index + 1 });
    await register({ secret: 'another', version: 1 });
    expect(await revokeKeysOf(transactAlone, 'acme-key', ({ version }) => version < 3)).toBe(2);
    expect((await liveKeys('acme-key')).map(({ version }) => version)).toEqual([3]);
    expect((await liveKeys('another')).map(({ version }) => version)).toEqual([1]);
  });

  it('decides again in its transaction', async () => {
    await register({ version: 1 });
    const meanwhile: Transact = async (refs, update) => {
      await register({ version: 2 });
      return transactAlone(refs, update);
    };
    expect(await revokeKeysOf(meanwhile, 'acme-key', ({ version }) => version < 2)).toBe(0);
    expect(await record()).toMatchObject({ version: 2, revokedAt: null });
  });

  it('more than one transaction holds is done in several', async () => {
    const batch = registry.db.batch();
    for (let version = 1; version <= 450; version++) {
      const hash = hashOf(String(version)).toString('hex');
      const known = { hash, tenant: 'acme', incarnation: 1, secret: 'acme-key', version, revokedAt: null };
      batch.set(registry.db.collection('apiKeys').doc(hash), known);
    }
    await batch.commit();
    expect(await revokeApiKeys(operation, { id: 'acme', incarnation: 1 })).toBe(450);
    expect(await liveKeys('acme-key')).toEqual([]);
  });
});

describe('what is known of keys', () => {
  it('comes in their order', async () => {
    const other = newApiKey('acme');
    await register();
    const [missing, found] = await readApiKeys([hashOf(other), hashOf(key)]);
    expect([missing, found?.hash]).toEqual([undefined, hashOf(key).toString('hex')]);
    expect(await readApiKeys([])).toEqual([]);
  });
});
