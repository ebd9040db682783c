import { Firestore } from '@google-cloud/firestore';
import { afterEach, describe, expect, it } from 'vitest';
import { OperationError } from '../../../../shared/operation/errors.ts';
import { claimOperation } from '../../../../shared/registry/claims.ts';
import { completeOperation } from '../../../../shared/registry/completion.ts';
import { quotaOf, writeTenant } from '../../../support/tenant-record.ts';
import { useRegistry, wanted } from '../fixture.ts';
import { admit, ask as askFor, done, ofTenant } from './asking.ts';

const registry = useRegistry();
const ask = (...args: Parameters<typeof askFor> extends [unknown, ...infer R] ? R : never) =>
  askFor(registry, ...args);

const recordOf = (id: string) => registry.record(id);

/** The time of Firestore, to which deferrals are compared, moved on. */
const passes = (seconds: number) => registry.server.advance(seconds);

describe('the line of those that wait', () => {
  it('is served in the order in which they were asked for, whichever comes back first', async () => {
    await writeTenant(registry.db, 'acme', { concurrentOperations: 1 });
    const { claim } = await ask('running');
    for (const [second, id] of ['first', 'second', 'third'].entries()) await ask(id, { second });
    await completeOperation(registry.db, claim, done);
    passes(120);
    const served: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      for (const [second, id] of ['third', 'second', 'first'].entries()) {
        if (served.includes(id)) continue;
        const asked = await ask(id, { second: 2 - second });
        if (asked.deferral) continue;
        served.push(id);
        await completeOperation(registry.db, asked.claim, done);
        break;
      }
      passes(120);
    }
    expect(served).toEqual(['first', 'second', 'third']);
  });

  it('is not jumped by what is asked for later, and knows who is first among equals', async () => {
    await writeTenant(registry.db, 'acme', { concurrentOperations: 1 });
    const { claim } = await ask('running');
    for (const id of ['a', 'b']) await ask(id);
    await completeOperation(registry.db, claim, done);
    passes(61);
    expect((await ask('later', { second: 60 })).deferral).toBeDefined();
    expect((await ask('b')).deferral).toBeDefined();
    expect((await ask('a')).deferral).toBeUndefined();
  });

  it('is left by whoever ends without having run', async () => {
    await writeTenant(registry.db, 'acme', { concurrentOperations: 1 });
    const { claim } = await ask('running');
    await ask('first');
    await completeOperation(registry.db, claim, done);
    passes(61);
    const first = await registry.claim(ofTenant('first'));
    const error = new OperationError('TENANT_NOT_ACTIVE', 'no');
    const { delivery } = wanted();
    await completeOperation(registry.db, first, { state: 'failed', error, reason: 'rejected', delivery });
    expect((await ask('later', { second: 60 })).deferral).toBeUndefined();
  });

  it('is left alone by what comes before its time', async () => {
    await writeTenant(registry.db, 'acme', { concurrentOperations: 1 });
    await ask('running');
    await ask('first');
    const before = await recordOf('first');
    expect(await claimOperation(registry.db, wanted(ofTenant('first')))).toEqual({ kind: 'done' });
    expect(await recordOf('first')).toEqual(before);
  });
});

describe('any number of instances', () => {
  const clients: Firestore[] = [];
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.terminate()));
  });

  const askAtOnce = async (count: number) => {
    for (let index = 0; index < 5; index += 1) {
      clients.push(new Firestore({ projectId: 'acme', ignoreUndefinedProperties: true }));
    }
    const ids = Array.from({ length: count }, (_, index) => `at-once-${index}`);
    const outcomes = await Promise.all(
      ids.map(async (id, index) => {
        const db = clients[index % clients.length] ?? registry.db;
        const claimed = await claimOperation(db, wanted(ofTenant(id)));
        if (claimed.kind !== 'claimed') throw new Error('not claimed');
        return admit({ db }, claimed.claim).then(
          (deferral) => (deferral ? 'deferred' : 'admitted'),
          (error: OperationError) => error.code,
        );
      }),
    );
    return Object.fromEntries(
      [...Map.groupBy(outcomes, (outcome) => outcome)].map(([outcome, all]) => [outcome, all.length]),
    );
  };

  it.each([
    { limit: 'concurrentOperations', rest: 'deferred' },
    { limit: 'operationsPerMinute', rest: 'deferred' },
    { limit: 'operationsPerDay', rest: 'QUOTA_EXCEEDED' },
  ])('agree on five of fifty, where that is $limit', async ({ limit, rest }) => {
    await writeTenant(registry.db, 'acme', { [limit]: 5 });
    expect(await askAtOnce(50)).toEqual({ admitted: 5, [rest]: 45 });
    expect(await quotaOf(registry.db, 'acme')).toMatchObject({ today: 5 });
    const running = registry.db.collection('operations').where('admitted', '==', true);
    expect((await running.count().get()).data().count).toBe(5);
  });
});
