import { beforeEach, describe, expect, it } from 'vitest';
import { OperationError } from '../../../shared/operation/errors.ts';
import type { Claim } from '../../../shared/registry/claims.ts';
import { completeOperation, releaseOperation } from '../../../shared/registry/completion.ts';
import { type Intent, type IntentDocument, recordIntent } from '../../../shared/registry/intents.ts';
import { isWrite, loseAnswer, publishTime, useRegistry, wanted } from './fixture.ts';

const registry = useRegistry();
const identity = { database: 'app', schema: 'billing' };
const thing = () => registry.db.collection('schemas').doc('billing');
const outage = new OperationError('UNAVAILABLE', 'for now', { retryable: true });

/** Takes an operation that was asked for at this minute. */
const at = (minute: number, more: { id?: string; revision?: number } = {}) => {
  const { id = `at ${minute}`, revision } = more;
  const publishedAt = new Date(publishTime.getTime() + minute * 60_000);
  return registry.claim({
    id,
    request: {
      operationId: id,
      dryRun: false,
      publishedAt,
      ...(revision === undefined ? {} : { revision }),
    },
  });
};

const wish = (claim: Claim, desired: unknown = { by: claim.id }, atLeast?: number) =>
  recordIntent(registry.db, claim, {
    ref: thing(),
    identity,
    desired,
    ...(atLeast === undefined ? {} : { atLeast }),
  });

const succeed = (claim: Claim, intent: Intent, facts = {}) =>
  completeOperation(registry.db, claim, { state: 'succeeded', outcome: { changes: [] } }, { intent, facts });
const fail = (claim: Claim, intent?: Intent) =>
  completeOperation(
    registry.db,
    claim,
    {
      state: 'failed',
      error: new OperationError('IMPOSSIBLE', 'no'),
      reason: 'permanent',
      delivery: wanted().delivery,
    },
    intent && { intent },
  );

const stored = async () => (await thing().get()).data() as IntentDocument & Record<string, unknown>;

const wished = async () => (await stored()).intents.map(({ operation }) => operation);

describe('a wish', () => {
  it('is the first: it is recorded and numbered, and nothing is outstanding', async () => {
    const claim = await at(0, { revision: 3 });
    const intent = await wish(claim, { levels: ['reader'] });
    expect(intent).toMatchObject({ epoch: 1, outstanding: false });
    expect(await stored()).toMatchObject({
      ...identity,
      epoch: 1,
      appliedEpoch: 0,
      intents: [{ operation: 'at 0', revision: 3, desired: { levels: ['reader'] } }],
    });
  });

  it('is newer than what was done: that stays on record until this one is done, too', async () => {
    const first = await at(0);
    await succeed(first, await wish(first));
    const intent = await wish(await at(1));
    expect(intent).toMatchObject({ epoch: 2, outstanding: false });
    expect(await stored()).toMatchObject({
      epoch: 2,
      appliedEpoch: 1,
      intents: [{ operation: 'at 1', desired: { by: 'at 1' } }],
      applied: { operation: 'at 0', desired: { by: 'at 0' } },
    });
  });

  it('is as old as the one on record: the one that comes later counts', async () => {
    const first = await at(0, { id: 'a' });
    await succeed(first, await wish(first));
    await wish(await at(0, { id: 'b' }));
    expect(await wished()).toEqual(['b']);
  });

  it('replaces the one before as a whole: nothing of that is left over', async () => {
    const first = await at(0, { revision: 1 });
    await succeed(first, await wish(first, { comment: 'old', nested: { a: 1, b: 2 } }), { roles: ['x'] });
    await wish(await at(1), { nested: { b: 3 } });
    const [intent] = (await stored()).intents;
    expect(intent?.desired).toEqual({ nested: { b: 3 } });
    expect(intent).not.toHaveProperty('revision');
  });

  it('leaves alone what others wrote about the thing', async () => {
    await thing().set({ note: 'of somebody else', epoch: 4, appliedEpoch: 4, intents: [] });
    expect(await wish(await at(0))).toMatchObject({ epoch: 5, outstanding: false });
    expect(await stored()).toMatchObject({ note: 'of somebody else', epoch: 5 });
  });

  it('gets a higher number with every attempt', async () => {
    const claim = await at(0);
    expect((await wish(claim)).epoch).toBe(1);
    await releaseOperation(claim, outage);
    const again = await at(0);
    expect(await wish(again)).toMatchObject({ epoch: 2, outstanding: true });
    expect(await wish(again)).toMatchObject({ epoch: 3, outstanding: true });
  });

  it('of the same operation is one, however often it is tried', async () => {
    const claim = await at(1);
    await wish(claim);
    await wish(claim);
    expect(await wished()).toEqual(['at 1']);
  });

  it('is numbered above what the thing itself carries', async () => {
    const claim = await at(0);
    expect((await wish(claim, {}, 41)).epoch).toBe(42);
    expect((await wish(claim, {}, 7)).epoch).toBe(43);
  });

  it('finds outstanding what was begun and not ended', async () => {
    await wish(await at(0));
    const second = await at(1);
    const intent = await wish(second);
    expect(intent.outstanding).toBe(true);
    await succeed(second, intent);
    expect((await wish(await at(2))).outstanding).toBe(false);
  });

  it('of a worker without its claim is none', async () => {
    const claim = await at(0);
    registry.server.advance(61);
    await at(0);
    await expect(wish(claim)).rejects.toMatchObject({ code: 'LEASE_LOST', retryable: true });
    expect((await thing().get()).exists).toBe(false);
  });

  it('is recorded once or twice where the answer is lost, and counts', async () => {
    const claim = await at(0);
    const lost = loseAnswer(registry.server, isWrite);
    const intent = await wish(claim);
    expect(lost()).toBe(true);
    expect((await stored()).epoch).toBe(intent.epoch);
    expect(await wished()).toEqual(['at 0']);
  });

  it('is one of 10 at once: each has a number of its own', async () => {
    const claims = await Promise.all([...Array(10).keys()].map((n) => at(0, { id: `n${n}` })));
    const intents = await Promise.all(claims.map((claim) => wish(claim)));
    expect(intents.map(({ epoch }) => epoch).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });
});

describe('a wish that is older than the one on record', () => {
  let newer: { claim: Claim; intent: Intent };
  beforeEach(async () => {
    const claim = await at(5);
    newer = { claim, intent: await wish(claim) };
  });

  it('is superseded by what was done', async () => {
    await succeed(newer.claim, newer.intent);
    const before = await stored();
    await expect(wish(await at(1))).rejects.toMatchObject({ name: 'Superseded', by: 'at 5' });
    expect(await stored()).toEqual(before);
  });

  it('is superseded by what has no record any more', async () => {
    await newer.claim.ref.delete();
    await expect(wish(await at(1))).rejects.toMatchObject({ name: 'Superseded' });
  });

  it.each(['running', 'pending'])('waits for what is %s', async (state) => {
    if (state === 'pending') await releaseOperation(newer.claim, outage);
    await expect(wish(await at(1))).rejects.toMatchObject({ code: 'NEWER_UNDECIDED', retryable: true });
    expect(await wished()).toEqual(['at 5']);
  });

  it('takes the place of what failed and was not taken back', async () => {
    await fail(newer.claim);
    expect(await wished()).toEqual(['at 5']);
    await wish(await at(1));
    expect(await wished()).toEqual(['at 1']);
  });

  it('waits for the one between, where the newest failed', async () => {
    const between = await at(3);
    await expect(wish(between)).rejects.toMatchObject({ code: 'NEWER_UNDECIDED' });
    await fail(newer.claim, newer.intent);
    const intent = await wish(between);
    await expect(wish(await at(1))).rejects.toMatchObject({ code: 'NEWER_UNDECIDED' });
    await succeed(between, intent);
    await expect(wish(await at(2))).rejects.toMatchObject({ name: 'Superseded', by: 'at 3' });
  });

  it('is superseded by what was done, however many newer ones failed since', async () => {
    await succeed(newer.claim, newer.intent);
    const [sixth, seventh] = [await at(6), await at(7)];
    const wishes = [await wish(sixth), await wish(seventh)] as const;
    await fail(seventh, wishes[1]);
    await fail(sixth, wishes[0]);
    const exhausted = await at(8);
    await wish(exhausted);
    await fail(exhausted);
    await expect(wish(await at(4))).rejects.toMatchObject({ name: 'Superseded', by: 'at 5' });
  });

  it('is not older by its time where its revision is higher', async () => {
    const claim = await at(9, { revision: 1 });
    await succeed(claim, await wish(claim));
    await wish(await at(2, { revision: 2 }));
    expect(await wished()).toContain('at 2');
  });
});

describe('an intent', () => {
  it('is applied with the facts of the attempt, in place of those before', async () => {
    const first = await at(0);
    await succeed(first, await wish(first), { roles: ['a'], comment: 'x' });
    expect(await stored()).toMatchObject({ appliedEpoch: 1, applied: { roles: ['a'] } });
    const second = await at(1);
    await succeed(second, await wish(second), { roles: ['b'] });
    expect((await stored()).applied).toMatchObject({ operation: 'at 1', roles: ['b'] });
    expect((await stored()).applied).not.toHaveProperty('comment');
    expect((await stored()).appliedEpoch).toBe(2);
  });

  it('never lowers what is applied: a newer one that ended first stays', async () => {
    const slow = await at(0);
    const old = await wish(slow);
    const quick = await at(1);
    await succeed(quick, await wish(quick), { by: 'quick' });
    await succeed(slow, old, { by: 'slow' });
    expect(await stored()).toMatchObject({ appliedEpoch: 2, applied: { by: 'quick' } });
    expect(await registry.record('at 0')).toMatchObject({ state: 'succeeded' });
  });

  it('that is impossible leaves what was done before', async () => {
    const first = await at(0);
    await succeed(first, await wish(first));
    const second = await at(1);
    await fail(second, await wish(second));
    expect(await stored()).toMatchObject({
      epoch: 2,
      appliedEpoch: 1,
      intents: [],
      applied: { operation: 'at 0', desired: { by: 'at 0' } },
    });
  });

  it('never lowers what is applied where both are equally old', async () => {
    const slow = await at(0, { id: 'slow' });
    const old = await wish(slow);
    const quick = await at(0, { id: 'quick' });
    await succeed(quick, await wish(quick), { by: 'quick' });
    await succeed(slow, old, { by: 'slow' });
    expect(await stored()).toMatchObject({ appliedEpoch: 2, applied: { by: 'quick' }, intents: [] });
  });

  it('that is impossible and the first leaves nothing wanted', async () => {
    const claim = await at(0);
    await fail(claim, await wish(claim));
    expect(await stored()).toMatchObject({ intents: [], appliedEpoch: 0 });
  });

  it('that is impossible stays away from a newer one', async () => {
    const first = await at(0);
    const intent = await wish(first);
    await wish(await at(1));
    await fail(first, intent);
    expect(await wished()).toEqual(['at 1']);
  });
});
