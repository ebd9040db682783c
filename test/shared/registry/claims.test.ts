import { Timestamp } from '@google-cloud/firestore';
import { describe, expect, it } from 'vitest';
import { OperationError } from '../../../shared/operation/errors.ts';
import { claimOperation } from '../../../shared/registry/claims.ts';
import { completeOperation, markReported, releaseOperation } from '../../../shared/registry/completion.ts';
import { isWrite, loseAnswer, publishTime, useRegistry, wanted } from './fixture.ts';

const registry = useRegistry();
const take = (more = {}) => claimOperation(registry.db, wanted(more));
const outage = new OperationError('UNAVAILABLE', 'for now', { retryable: true });
const done = { state: 'succeeded', outcome: { changes: [] } } as const;

describe('an operation that nobody asked for before', () => {
  it('is taken with one call, and its record says all about it', async () => {
    const calls: string[] = [];
    registry.server.intercept = ({ method, phase }) => {
      if (phase === 'before') calls.push(method);
    };
    const claimed = await take({
      request: {
        operationId: 'deploy-1',
        dryRun: true,
        publishedAt: publishTime,
        revision: 3,
        claimedActor: 'alice',
      },
    });
    expect(calls).toEqual(['Commit']);
    expect(claimed).toMatchObject({
      kind: 'claimed',
      claim: { id: 'one', epoch: 1, order: { publishedAt: publishTime, revision: 3 } },
    });
    expect(await registry.record('one')).toMatchObject({
      function: 'create-schema',
      operationId: 'deploy-1',
      dryRun: true,
      messageHash: 'hash of it',
      messageId: '7',
      publishedAt: Timestamp.fromDate(publishTime),
      revision: 3,
      claimedActor: 'alice',
      target: 'acme:europe-west1:main/app',
      state: 'running',
      epoch: 1,
      leaseSeconds: 60,
      reported: false,
      deadLettered: false,
    });
  });

  it('is taken by one of 20 workers that come at once', async () => {
    const results = await Promise.all(Array.from({ length: 20 }, () => take()));
    const kinds = results.map(({ kind }) => kind).sort();
    expect(kinds).toEqual([...Array(19).fill('busy'), 'claimed']);
    const winner = results.find((result) => result.kind === 'claimed');
    expect((await registry.record('one')).owner).toBe(winner?.kind === 'claimed' && winner.claim.owner);
  });

  it('is taken although the answer is lost: the worker knows its own write again', async () => {
    const lost = loseAnswer(registry.server, isWrite);
    const claimed = await take();
    expect(lost()).toBe(true);
    expect(claimed).toMatchObject({ kind: 'claimed', claim: { epoch: 1 } });
    const { owner, epoch } = await registry.record('one');
    expect(claimed).toMatchObject({ claim: { owner, epoch } });
  });

  it('can be ended after the answer to its claim was lost: the token is right', async () => {
    loseAnswer(registry.server, isWrite);
    const claim = await registry.claim();
    registry.server.intercept = undefined;
    await releaseOperation(claim, outage);
    expect((await registry.record('one')).state).toBe('pending');
  });
});

describe('an operation that somebody has', () => {
  it('is left alone while the lease runs', async () => {
    const { owner } = await registry.claim();
    registry.server.advance(59);
    expect(await take()).toEqual({ kind: 'busy' });
    expect(await registry.record('one')).toMatchObject({ owner, epoch: 1 });
  });

  it('is taken over when the lease ran out by the clock of Firestore', async () => {
    const dead = await registry.claim();
    registry.server.advance(61);
    const claim = await registry.claim({ leaseSeconds: 30 });
    expect(claim.epoch).toBe(2);
    expect(claim.owner).not.toBe(dead.owner);
    expect(await registry.record('one')).toMatchObject({
      state: 'running',
      owner: claim.owner,
      epoch: 2,
      leaseSeconds: 30,
    });
  });

  it('is taken over by the lease that its worker had, not by that of whoever asks', async () => {
    await registry.claim({ leaseSeconds: 600 });
    registry.server.advance(61);
    expect(await take({ leaseSeconds: 1 })).toEqual({ kind: 'busy' });
  });

  it('is taken over by one of 20 workers that come at once', async () => {
    await registry.claim();
    registry.server.advance(61);
    const results = await Promise.all(Array.from({ length: 20 }, () => take()));
    const kinds = results.map(({ kind }) => kind).sort();
    expect(kinds).toEqual([...Array(19).fill('busy'), 'claimed']);
    expect((await registry.record('one')).epoch).toBe(2);
  });

  it('is taken over although the answer is lost', async () => {
    await registry.claim();
    registry.server.advance(61);
    const lost = loseAnswer(registry.server, isWrite);
    const claimed = await take();
    expect(lost()).toBe(true);
    const { owner } = await registry.record('one');
    expect(claimed).toMatchObject({ kind: 'claimed', claim: { epoch: 2, owner } });
  });

  it('is taken at once where its worker handed it back', async () => {
    await releaseOperation(await registry.claim(), outage);
    const claim = await registry.claim();
    expect(claim.epoch).toBe(2);
    expect(await registry.record('one')).toMatchObject({ state: 'running', epoch: 2 });
  });

  it('keeps its own time and revision, whichever delivery takes it over', async () => {
    const request = { operationId: 'deploy-1', dryRun: false, publishedAt: publishTime, revision: 4 };
    await releaseOperation(await registry.claim({ request }), outage);
    const later = { ...request, publishedAt: new Date('2027-01-01T00:00:00Z'), revision: 9 };
    const claim = await registry.claim({ request: later });
    expect(claim.order).toEqual({ publishedAt: publishTime, revision: 4 });
  });
});

describe('an operation that ended', () => {
  it('is reported where nobody was told', async () => {
    await completeOperation(registry.db, await registry.claim(), done);
    expect(await take()).toMatchObject({
      kind: 'report',
      record: { state: 'succeeded', reported: false, epoch: 1 },
    });
  });

  it('is done where it was reported, however long ago', async () => {
    await completeOperation(registry.db, await registry.claim(), done);
    await markReported(registry.db, 'one', await registry.record('one'));
    registry.server.advance(100_000);
    expect(await take()).toEqual({ kind: 'done' });
  });
});

describe('another message of the same id', () => {
  it.each(['running', 'pending', 'succeeded'])(
    'conflicts with one that is %s, and changes nothing',
    async (state) => {
      const claim = await registry.claim();
      if (state === 'pending') await releaseOperation(claim, outage);
      if (state === 'succeeded') await completeOperation(registry.db, claim, done);
      const before = await registry.record('one');
      registry.server.advance(1000);
      expect(await take({ messageHash: 'another' })).toEqual({ kind: 'conflict' });
      expect(await registry.record('one')).toEqual(before);
    },
  );
});
