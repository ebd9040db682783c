import { beforeEach, describe, expect, it } from 'vitest';
import { completeOperation } from '../../../../shared/registry/completion.ts';
import { dueDeferred, takeDeferred } from '../../../../shared/registry/quotas/deferred.ts';
import { reopenOperation } from '../../../../shared/registry/replay.ts';
import { writeTenant } from '../../../support/tenant-record.ts';
import { useRegistry } from '../fixture.ts';
import { admit, done, ofTenant } from './asking.ts';

const registry = useRegistry();

async function ask(id: string) {
  const claim = await registry.claim(ofTenant(id));
  const attributes = { 'operation-id': id, tenant: 'acme', revision: '3', note: 'kept' };
  return { claim, deferral: await admit(registry, claim, { attributes }) };
}

/** Defers operations, whose time comes one second after the other. */
async function defer(...ids: readonly string[]): Promise<Date> {
  await writeTenant(registry.db, 'acme', { concurrentOperations: 1 });
  await ask('running');
  let last = new Date();
  for (const [index, id] of ids.entries()) {
    await ask(id);
    const record = await registry.record(id);
    last = new Date((record.notBefore?.toMillis() ?? 0) + index * 1000);
    await registry.db.collection('operations').doc(id).update({ notBefore: last, publishAt: last });
  }
  registry.server.advance(120);
  return last;
}

const due = async (now: Date, limit = 10) => dueDeferred(registry.db, now, limit);
const idsOf = (found: Awaited<ReturnType<typeof due>>) => found.map(({ document }) => document.id);

describe('deferred operations', () => {
  it('are due when their time has come, the longest waiting first, no more than a tick can do', async () => {
    const last = await defer('b', 'a', 'c');
    const second = new Date(last.getTime() - 1000);
    expect(idsOf(await due(second))).toEqual(['b', 'a']);
    expect(idsOf(await due(last))).toEqual(['b', 'a', 'c']);
    expect(idsOf(await due(last, 2))).toEqual(['b', 'a']);
  });

  it('are not due by a clock that is ahead of Firestore’s', async () => {
    const last = await defer('a');
    const document = registry.db.collection('operations').doc('a');
    const notBefore = new Date(last.getTime() + 3_600_000);
    await document.update({ notBefore, publishAt: notBefore });
    expect(await due(new Date(notBefore.getTime() + 1))).toEqual([]);
  });
});

describe('the message of one that is due', () => {
  let now: Date;
  beforeEach(async () => {
    now = await defer('a');
  });

  it('is published as it was, with its original time', async () => {
    const [one] = await due(now);
    expect(one && (await takeDeferred(one, now))).toEqual({
      topic: 'create-schema',
      data: Buffer.from('{"a":1}'),
      attributes: {
        'operation-id': 'a',
        tenant: 'acme',
        revision: '3',
        note: 'kept',
        'original-publish-time': '2026-03-01T10:00:00.000Z',
      },
    });
  });

  it('is published by one of several ticks at once, and not by the next ones', async () => {
    const found = await Promise.all([due(now), due(now), due(now)]);
    const taken = await Promise.all(found.flatMap(([one]) => (one ? [takeDeferred(one, now)] : [])));
    expect(taken).toHaveLength(3);
    expect(taken.filter(Boolean)).toHaveLength(1);
    const minute = new Date(now.getTime() + 60_000);
    expect(await due(minute)).toEqual([]);
  });

  it('may be run at once: only who publishes it is held back', async () => {
    const [one] = await due(now);
    if (one) await takeDeferred(one, now);
    await writeTenant(registry.db, 'acme', { concurrentOperations: 5 });
    expect((await ask('a')).deferral).toBeUndefined();
  });

  it('is published once more where its publisher died before', async () => {
    const [one] = await due(now);
    if (one) await takeDeferred(one, now);
    expect(idsOf(await due(new Date(now.getTime() + 600_000)))).toEqual(['a']);
  });

  it('is not published where the operation runs meanwhile', async () => {
    const [one] = await due(now);
    await writeTenant(registry.db, 'acme', { concurrentOperations: 5 });
    const { claim } = await ask('a');
    expect(one && (await takeDeferred(one, now))).toBeUndefined();
    await completeOperation(registry.db, claim, done);
    expect(await registry.record('a')).toMatchObject({ state: 'succeeded', payload: null });
  });

  it('is nothing to replay', async () => {
    await expect(reopenOperation(registry.db, 'a')).rejects.toMatchObject({
      code: 'NOT_REPLAYABLE',
      message: expect.stringMatching(/is deferred/),
    });
  });
});
