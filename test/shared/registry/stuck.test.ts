import { describe, expect, it } from 'vitest';
import { OperationError } from '../../../shared/operation/errors.ts';
import { claimOperation } from '../../../shared/registry/claims.ts';
import { completeOperation, markReported, releaseOperation } from '../../../shared/registry/completion.ts';
import { exhaustOperation } from '../../../shared/registry/exhausted.ts';
import { reopenOperation } from '../../../shared/registry/replay.ts';
import { failStuck, findStuck } from '../../../shared/registry/stuck.ts';
import { findUnreported } from '../../../shared/registry/unreported.ts';
import { useRegistry, wanted } from './fixture.ts';

const registry = useRegistry();
const lock = new OperationError('LOCK_TIMEOUT', 'a lock', { retryable: true });
const done = { state: 'succeeded', outcome: { changes: [] } } as const;
const ref = (id = 'one') => registry.db.collection('operations').doc(id);
const fail = (id = 'one') => failStuck(registry.db, ref(id));
const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000);
const candidates = async (now: Date, limit = 10) =>
  (await findStuck(registry.db, now, limit)).map(({ id }) => id).sort();

/** An operation that nothing was heard of for an hour. */
async function stuck() {
  const claim = await registry.claim();
  await releaseOperation(claim, lock);
  registry.server.advance(3601);
  return fail();
}

describe('an operation that nothing was heard of for an hour', () => {
  it('fails, and says what it was at and what to do', async () => {
    const record = await stuck();
    expect(record).toMatchObject({ state: 'failed', operationId: 'deploy-1', epoch: 2 });
    expect(await registry.record('one')).toMatchObject({
      state: 'failed',
      reason: 'exhausted',
      reported: false,
      error: {
        code: 'STUCK',
        message: expect.stringMatching(/it was pending.*publish it anew.*failed with LOCK_TIMEOUT: a lock/),
        details: { last: { code: 'LOCK_TIMEOUT' } },
      },
    });
  });

  it('fails where its worker died, which loses it', async () => {
    const claim = await registry.claim();
    registry.server.advance(3601);
    expect(await fail()).toMatchObject({ error: { message: expect.stringMatching(/it was running/) } });
    await expect(completeOperation(registry.db, claim, done)).rejects.toMatchObject({ code: 'LEASE_LOST' });
  });

  it('is run if its message comes after all', async () => {
    await stuck();
    await markReported(registry.db, 'one', await registry.record('one'));
    const claim = await registry.claim();
    expect(claim.epoch).toBe(3);
    expect(await registry.record('one')).toMatchObject({
      state: 'running',
      reported: false,
      expireAt: null,
    });
    await completeOperation(registry.db, claim, done);
    expect(await registry.record('one')).toMatchObject({ state: 'succeeded', error: null, reason: null });
  });

  it('conflicts with another message of its id all the same', async () => {
    await stuck();
    expect(await claimOperation(registry.db, wanted({ messageHash: 'another' }))).toEqual({
      kind: 'conflict',
    });
  });

  it('has its message when that comes as a dead letter', async () => {
    await stuck();
    await exhaustOperation(registry.db, wanted(), 100);
    expect(await registry.record('one')).toMatchObject({
      error: { code: 'EXHAUSTED' },
      payload: { data: Buffer.from('{"a":1}') },
    });
    expect(await reopenOperation(registry.db, 'one')).toMatchObject({ topic: 'create-schema' });
  });

  it('can’t be replayed without its message, and says why', async () => {
    await stuck();
    await expect(reopenOperation(registry.db, 'one')).rejects.toMatchObject({
      code: 'NOT_REPLAYABLE',
      message: expect.stringMatching(/If it comes after all it is run; else publish it anew/),
    });
  });

  it('can be replayed once more where a replay was never delivered', async () => {
    await exhaustOperation(registry.db, wanted(), 100);
    await reopenOperation(registry.db, 'one');
    registry.server.advance(3601);
    await fail();
    expect(await reopenOperation(registry.db, 'one')).toMatchObject({ data: Buffer.from('{"a":1}') });
  });
});

describe('an operation is left alone', () => {
  it('where it was written within the hour', async () => {
    await releaseOperation(await registry.claim(), lock);
    registry.server.advance(3590);
    expect(await fail()).toBeUndefined();
    expect(await registry.record('one')).toMatchObject({ state: 'pending' });
  });

  it('where it has ended', async () => {
    await completeOperation(registry.db, await registry.claim(), done);
    registry.server.advance(4000);
    expect(await fail()).toBeUndefined();
  });

  it('where it is gone', async () => {
    expect(await fail('nobody')).toBeUndefined();
  });
});

describe('the search for them', () => {
  it('finds what runs or waits for its next delivery and was silent for an hour', async () => {
    const ids = ['running', 'pending', 'ended', 'failed'];
    const claims = await Promise.all(ids.map((id) => registry.claim({ id })));
    const [, pending, ended, failed] = claims;
    if (!pending || !ended || !failed) throw new Error('not claimed');
    await releaseOperation(pending, lock);
    await completeOperation(registry.db, ended, done);
    const { delivery } = wanted();
    await completeOperation(registry.db, failed, {
      state: 'failed',
      error: lock,
      reason: 'permanent',
      delivery,
    });
    expect(await candidates(inSeconds(3590))).toEqual([]);
    expect(await candidates(inSeconds(3610))).toEqual(['pending', 'running']);
    expect(await candidates(inSeconds(3610), 1)).toHaveLength(1);
  });

  it('knows a replay as a sign of life', async () => {
    await exhaustOperation(registry.db, wanted(), 100);
    await ref().update({ renewedAt: inSeconds(-7200) });
    await reopenOperation(registry.db, 'one');
    expect(await candidates(inSeconds(0))).toEqual([]);
  });
});

describe('what ended and was not told', () => {
  const unreported = async (now: Date) =>
    (await findUnreported(registry.db, now, 10)).map(({ id }) => id).sort();

  it('is found when whoever should have told is not about to', async () => {
    for (const id of ['silent', 'told'])
      await completeOperation(registry.db, await registry.claim({ id }), done);
    await registry.claim({ id: 'running' });
    await markReported(registry.db, 'told', await registry.record('told'));
    expect(await unreported(inSeconds(290))).toEqual([]);
    expect(await unreported(inSeconds(310))).toEqual(['silent']);
    expect(await findUnreported(registry.db, inSeconds(310), 10)).toMatchObject([
      { id: 'silent', record: { state: 'succeeded' } },
    ]);
  });

  it('is not what runs again', async () => {
    await stuck();
    await registry.claim();
    expect(await unreported(inSeconds(4000))).toEqual([]);
  });
});
