import { describe, expect, it } from 'vitest';
import {
  accessVersion,
  addVersion,
  disableVersion,
  findSecret,
  updateSecret,
} from '../../../shared/gcp/secrets.ts';
import { revokeApiKeys } from '../../../shared/registry/api-keys/store.ts';
import { tenantDocument } from '../../../shared/registry/tenants/reference.ts';
import { annotation } from '../../../shared/secrets/managed.ts';
import { killAt, managed, secret, useKeys } from './tenant-keys.fixture.ts';

const world = useKeys();
const { begin, rotate, retire, key, current, states, accepts, records } = world;

describe('a tenant’s API key', () => {
  it('is accepted once it is made, and is in Secret Manager only, encrypted', async () => {
    expect(await current()).toBe(1);
    const first = await key(1);
    expect(first).toMatch(/^acme_api_[0-9A-Za-z]{43}$/);
    expect(await accepts(first)).toBe('accepted');
    expect(await records()).toMatchObject([
      { tenant: 'acme', incarnation: 1, scopes: ['read', 'write'], secret, version: 1, revokedAt: null },
    ]);
    const collections = await world.registry.db.listCollections();
    const documents = await Promise.all(collections.map(async (one) => (await one.get()).docs));
    const registry = JSON.stringify(documents.flat().map((document) => [document.id, document.data()]));
    expect(registry).toContain('"revokedAt"');
    expect(registry).not.toContain(first.slice(-43));
    expect(JSON.stringify(await findSecret(secret))).not.toContain(first.slice(-43));
  });

  it('works on after a rotation, beside its successor, until it is retired', async () => {
    const first = await key(1);
    const outcome = await rotate(await begin('rotate'));
    const second = await key(2);
    expect([await current(), await accepts(first), await accepts(second)]).toEqual([
      2,
      'accepted',
      'accepted',
    ]);
    expect(JSON.stringify(outcome)).not.toContain(second.slice(-43));

    expect((await retire(await begin('early'))).notes).toMatchObject([{ code: 'NOT_DUE_YET' }]);
    expect(await accepts(first)).toBe('accepted');
    await world.letGracePass();
    await retire(await begin('retire'));
    expect(await states()).toEqual(['2 ENABLED', '1 DISABLED']);
    expect([await accepts(first), await accepts(second)]).toEqual(['revoked', 'accepted']);
  });

  it('isn’t published before it is accepted', async () => {
    const seen: string[] = [];
    world.intercept(({ method, phase, request }) => {
      const keys = JSON.stringify(request['writes'] ?? '').includes('/apiKeys/') ? ' apiKeys' : '';
      if (phase === 'before') seen.push(method + keys);
    });
    await rotate(await begin('rotate'));
    const steps = seen.filter((call) =>
      /^(Encrypt|AddSecretVersion|Commit apiKeys|UpdateSecret)$/.test(call),
    );
    expect(steps).toEqual(['Encrypt', 'AddSecretVersion', 'Commit apiKeys', 'UpdateSecret']);
  });

  it('isn’t replaced while Cloud KMS or its key is missing', async () => {
    world.kms.configure('');
    await expect(rotate(await begin('rotate'))).rejects.toMatchObject({ code: 'KMS_KEY_MISSING' });
    expect(await states()).toEqual(['1 ENABLED']);
  });

  it('isn’t another one’s that somebody put beside it', async () => {
    await addVersion(secret, Buffer.from('acme_api_rubbish'));
    const error = await rotate(await begin('rotate')).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'SECRET_UNREADABLE', details: { place: 'versions/2' } });
    expect(error.message).not.toContain('rubbish');
    expect([await current(), await accepts(await key(1))]).toEqual([1, 'accepted']);
  });

  it('comes back within its grace period as another version, and lives as long as that', async () => {
    const first = await key(1);
    await rotate(await begin('rotate'));
    const sealed = await accessVersion(secret, 1);
    await addVersion(secret, sealed);
    await rotate(await begin('roll-back'));
    const second = await key(2);
    expect([await current(), await key(3)]).toEqual([3, first]);
    await world.letGracePass();
    await retire(await begin('retire'));
    expect(await states()).toEqual(['3 ENABLED', '2 DISABLED', '1 DISABLED']);
    expect([await accepts(first), await accepts(second)]).toEqual(['accepted', 'revoked']);
  });

  it('never comes back once it is revoked', async () => {
    const sealed = await accessVersion(secret, 1);
    await rotate(await begin('rotate'));
    await world.letGracePass();
    await retire(await begin('retire'));
    await addVersion(secret, sealed);
    await expect(rotate(await begin('again'))).rejects.toMatchObject({
      code: 'SECRET_UNREADABLE',
      message: expect.stringContaining('revoked'),
    });
    expect([await current(), await accepts(await key(2))]).toEqual([2, 'accepted']);
  });

  it('isn’t retired while its successor isn’t accepted', async () => {
    const first = await key(1);
    await rotate(await begin('rotate'));
    await world.letGracePass();
    const second = await world.registry.db.collection('apiKeys').where('version', '==', 2).get();
    await second.docs[0]?.ref.delete();
    await expect(retire(await begin('retire'))).rejects.toMatchObject({ code: 'CURRENT_BROKEN' });
    expect([await states(), await accepts(first)]).toEqual([['2 ENABLED', '1 ENABLED'], 'accepted']);
  });

  it('is not accepted once all of the tenant’s are revoked, and that can be said twice', async () => {
    await rotate(await begin('rotate'));
    const keys = [await key(1), await key(2)];
    const operation = await begin('remove');
    expect(await revokeApiKeys(operation, { id: 'acme', incarnation: 1 })).toBe(2);
    expect(await revokeApiKeys(operation, { id: 'acme', incarnation: 1 })).toBe(0);
    expect(await Promise.all(keys.map(accepts))).toEqual(['revoked', 'revoked']);
  });
});

describe('a rotation that is killed', () => {
  it('leaves a key that works at each point, and is ended by the next attempt', {
    timeout: 180_000,
  }, async () => {
    let point = 0;
    let killed = true;
    for (; killed; point++) {
      const former = await current();
      const id = `rotate-${point}`;
      const operation = await begin(id);
      const death = killAt(point);
      world.intercept(death.interceptor);
      await rotate(operation).catch(() => undefined);
      world.intercept(undefined);
      killed = death.isKilled();
      const meanwhile = await current();
      expect(await accepts(await key(meanwhile))).toBe('accepted');
      expect(await accepts(await key(former))).toBe('accepted');

      await rotate(await begin(id));
      const now = await current();
      expect(now).toBe(former + 1);
      expect(await accepts(await key(now))).toBe('accepted');
      expect(await accepts(await key(former))).toBe('accepted');
      expect((await states())[0]).toBe(`${now} ENABLED`);
    }
    expect(point).toBeGreaterThan(15);
    const live = (await records()).filter(({ revokedAt }) => revokedAt === null);
    expect(live).toHaveLength(await current());
  });

  it('is ended by a retirement that may be killed at each point, too', { timeout: 180_000 }, async () => {
    let killed = true;
    let point = 0;
    for (; killed; point++) {
      await rotate(await begin(`rotate-${point}`));
      await world.letGracePass();
      const [former, now] = [(await current()) - 1, await current()];
      const replaced = await key(former);
      const id = `retire-${point}`;
      const operation = await begin(id);
      const death = killAt(point);
      world.intercept(death.interceptor);
      await retire(operation).catch(() => undefined);
      world.intercept(undefined);
      killed = death.isKilled();
      expect(await accepts(await key(now))).toBe('accepted');

      await retire(await begin(id));
      expect(await accepts(replaced)).toBe('revoked');
      expect((await states()).slice(0, 2)).toEqual([`${now} ENABLED`, `${former} DISABLED`]);
    }
    expect(point).toBeGreaterThan(10);
  });
});

describe('a worker that lost its operation', () => {
  it('registers nothing any more, and takes back what nobody published', async () => {
    const first = await begin('rotate');
    let taken = false;
    world.intercept(async ({ method, phase }) => {
      if (taken || method !== 'AddSecretVersion' || phase !== 'before') return;
      taken = true;
      // Another worker does all of it meanwhile.
      await rotate(await begin('rotate'));
    });
    await expect(rotate(first)).rejects.toMatchObject({ code: 'LEASE_LOST' });
    world.intercept(undefined);
    expect(await current()).toBe(2);
    expect(await accepts(await key(2))).toBe('accepted');
    const versions = await states();
    expect(versions.slice(-2)).toEqual(['2 ENABLED', '1 ENABLED']);
    expect(versions).toContain('3 DISABLED');
    const live = (await records()).filter(({ revokedAt }) => revokedAt === null);
    expect(live.map(({ version }) => version).toSorted()).toEqual([1, 2]);
  });

  it('revokes the key that it had registered', async () => {
    const first = await begin('rotate');
    let taken = false;
    world.intercept(async ({ method, phase }) => {
      if (taken || method !== 'UpdateSecret' || phase !== 'before') return;
      taken = true;
      // Whoever takes over finds that version disabled, and makes another one.
      await disableVersion(secret, 2);
      await rotate(await begin('rotate'));
    });
    await expect(rotate(first)).rejects.toMatchObject({ code: 'LEASE_LOST' });
    world.intercept(undefined);
    expect(await current()).toBe(3);
    const known = (await records()).map(({ version, revokedAt }) => [version, revokedAt === null]);
    expect(known.toSorted()).toEqual([
      [1, true],
      [2, false],
      [3, true],
    ]);
  });
});

describe('a comparison', () => {
  it('finds nothing where there is nothing', async () => {
    const { notes, summary } = await world.verify(await begin('verify'));
    expect([notes, summary]).toEqual([[], { versions: 1, working: 1, broken: 0, mended: 0 }]);
  });

  it('tells which enabled versions aren’t registered, and registers them', async () => {
    await rotate(await begin('rotate'));
    const keys = [await key(1), await key(2)];
    for (const { ref } of (await world.registry.db.collection('apiKeys').get()).docs) await ref.delete();
    expect(await Promise.all(keys.map(accepts))).toEqual(['unknown', 'unknown']);

    const told = await world.verify(await begin('verify'));
    expect(told.notes?.map(({ code, message }) => `${code} ${message}`)).toEqual([
      `VERSION_BROKEN Version 2 of ${secret} is enabled and its key is not registered.`,
      `VERSION_BROKEN Version 1 of ${secret} is enabled and its key is not registered.`,
    ]);
    expect(told.summary).toEqual({ versions: 2, working: 0, broken: 2, mended: 0 });
    expect(await records()).toEqual([]);

    const mended = await world.verify(await begin('repair'), true);
    expect(mended.summary).toEqual({ versions: 2, working: 2, broken: 0, mended: 2 });
    expect(mended.notes?.map(({ code }) => code)).toEqual(['VERSION_MENDED']);
    expect(await Promise.all(keys.map(accepts))).toEqual(['accepted', 'accepted']);
    expect((await records()).map(({ version }) => version).toSorted()).toEqual([1, 2]);
    expect(JSON.stringify([told, mended])).not.toContain(keys[0]?.slice(-43));
  });

  it('revokes the key of a version that somebody disabled', async () => {
    const first = await key(1);
    await rotate(await begin('rotate'));
    await disableVersion(secret, 1);
    const told = await world.verify(await begin('verify'));
    expect(told.notes?.map(({ code }) => code)).toEqual(['API_KEY_LIVE']);
    expect(await accepts(first)).toBe('accepted');
    const { changes } = await world.verify(await begin('repair'), true);
    expect(changes).toEqual([{ action: 'revoke', kind: 'API key', name: `${secret}/1` }]);
    expect([await accepts(first), await accepts(await key(2))]).toEqual(['revoked', 'accepted']);
  });

  it('disables what is of no use, and has latest lead to what is', async () => {
    await addVersion(secret, Buffer.from('rubbish'));
    const { notes } = await world.verify(await begin('repair'), true);
    expect(notes?.map(({ code }) => code)).toEqual(['VERSION_MENDED']);
    expect(await states()).toEqual(['3 ENABLED', '2 DISABLED', '1 ENABLED']);
    expect(await key(3)).toBe(await key(1));
    await rotate(await begin('rotate'));
    expect([await current(), await accepts(await key(4))]).toEqual([4, 'accepted']);
  });

  it('disables nothing that another key of Cloud KMS encrypted, nor the current version', async () => {
    const other = world.kms.server.createKey(`${process.env['DROVER_KMS_KEY']}-2`);
    const first = await key(1);
    world.kms.configure(other);
    const { notes } = await world.verify(await begin('repair'), true);
    expect(notes?.map(({ code, message }) => `${code} ${message}`)).toEqual([
      expect.stringMatching(/^VERSION_BROKEN .*another key than DROVER_KMS_KEY/),
    ]);
    expect([await states(), await accepts(first)]).toEqual([['1 ENABLED'], 'accepted']);
    await rotate(await begin('rotate'));
    expect([await current(), await accepts(await key(2)), await accepts(first)]).toEqual([
      2,
      'accepted',
      'accepted',
    ]);
    await world.verify(await begin('repair-again'), true);
    expect(await states()).toEqual(['2 ENABLED', '1 ENABLED']);
  });

  it('keeps a key that an enabled version has beside one that was disabled', async () => {
    const first = await key(1);
    await rotate(await begin('rotate'));
    await addVersion(secret, await accessVersion(secret, 1));
    await rotate(await begin('roll-back'));
    await rotate(await begin('on-again'));
    await disableVersion(secret, 3);
    expect((await world.verify(await begin('repair'), true)).notes).toEqual([]);
    expect(await accepts(first)).toBe('accepted');
  });

  it('gives keys the scopes that the secret says', async () => {
    const found = await findSecret(secret);
    const wider = { ...managed, tenant: { id: 'acme', incarnation: 1, scopes: ['read', 'admin'] } };
    if (found === undefined) throw new Error('there is no secret');
    await updateSecret(found, {
      annotations: { ...found.annotations, [annotation.managed]: JSON.stringify(wider) },
    });
    await world.verify(await begin('repair'), true);
    expect(await records()).toMatchObject([{ scopes: ['read', 'admin'], revokedAt: null }]);
  });
});

it('is not accepted for a tenant that isn’t active, or is a later one', async () => {
  const first = await key(1);
  const tenant = tenantDocument(world.registry.db, 'acme');
  for (const state of ['bootstrapping', 'compensating', 'failed', 'removing', 'removed']) {
    await tenant.update({ state });
    expect(await accepts(first)).toBe('tenant-not-active');
  }
  await tenant.update({ state: 'active', incarnation: 2 });
  expect(await accepts(first)).toBe('tenant-not-active');
  await tenant.update({ incarnation: 1 });
  expect(await accepts(first)).toBe('accepted');
});
