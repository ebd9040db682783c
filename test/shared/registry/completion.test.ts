import { describe, expect, it } from 'vitest';
import { OperationError } from '../../../shared/operation/errors.ts';
import type { Outcome } from '../../../shared/operation/outcome.ts';
import type { Claim } from '../../../shared/registry/claims.ts';
import {
  completeOperation,
  type End,
  markReported,
  recordable,
  releaseOperation,
} from '../../../shared/registry/completion.ts';
import { recordIntent } from '../../../shared/registry/intents.ts';
import { inlineBytes, readOutcome, readPayload } from '../../../shared/registry/parts.ts';
import { isWrite, loseAnswer, useRegistry, wanted } from './fixture.ts';

const registry = useRegistry();
const thing = () => registry.db.collection('schemas').doc('billing');
const complete = (claim: Claim, end: End, intent?: Parameters<typeof completeOperation>[3]) =>
  completeOperation(registry.db, claim, end, intent);

const change = { action: 'create', kind: 'schema', name: 'app.billing' } as const;
const success = (outcome: Partial<Outcome> = {}): End => ({
  state: 'succeeded',
  outcome: { changes: [change], ...outcome },
});
const failure = (more: Partial<End & { state: 'failed' }> = {}): End => ({
  state: 'failed',
  error: new OperationError('IMPOSSIBLE', 'it can’t be', { details: { hint: 'ask' } }),
  reason: 'permanent',
  delivery: wanted().delivery,
  ...more,
});

const intend = (claim: Claim) =>
  recordIntent(registry.db, claim, { ref: thing(), identity: {}, desired: { a: 1 } });

describe('the end of an operation', () => {
  it('is on its record, unreported, with the time of its deletion', async () => {
    const returned = await complete(await registry.claim(), success({ notes: [] }));
    const record = await registry.record('one');
    expect(record).toMatchObject({
      state: 'succeeded',
      changes: [change],
      notes: [],
      truncated: false,
      error: null,
      reason: null,
      payload: null,
      reported: false,
    });
    const days = (record.expireAt?.toMillis() ?? 0) - (record.finishedAt?.toMillis() ?? 0);
    expect(days).toBe(400 * 24 * 3600 * 1000);
    expect(record.durationMs).toBeGreaterThanOrEqual(0);
    expect(returned).toMatchObject({ state: 'succeeded', changes: [change], epoch: 1, owner: record.owner });
  });

  it('is in the record and the registry at once', async () => {
    const claim = await registry.claim();
    const intent = await intend(claim);
    const commits: unknown[] = [];
    registry.server.intercept = (call) => {
      if (isWrite(call) && call.phase === 'before') commits.push(call.request['writes']);
    };
    await complete(claim, success(), { intent, facts: { roles: ['r'] } });
    expect(commits).toEqual([[expect.anything(), expect.anything()]]);
    expect((await thing().get()).data()).toMatchObject({ appliedEpoch: 1, applied: { roles: ['r'] } });
  });

  it('counts only if the claim is still held: else nothing is written', async () => {
    const claim = await registry.claim();
    const intent = await intend(claim);
    registry.server.advance(61);
    await registry.claim();
    const before = [await registry.record('one'), (await thing().get()).data()];
    for (const end of [success(), failure()]) {
      await expect(complete(claim, end, { intent })).rejects.toMatchObject({ code: 'LEASE_LOST' });
    }
    expect([await registry.record('one'), (await thing().get()).data()]).toEqual(before);
  });

  it('is not overwritten by a worker that comes back when its successor has finished', async () => {
    const frozen = await registry.claim();
    registry.server.advance(61);
    await complete(await registry.claim(), success());
    await expect(complete(frozen, failure())).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect(await registry.record('one')).toMatchObject({ state: 'succeeded', epoch: 2 });
  });

  it('is written once although its answer is lost', async () => {
    const claim = await registry.claim();
    const intent = await intend(claim);
    const lost = loseAnswer(registry.server, isWrite);
    const returned = await complete(claim, success(), { intent, facts: { roles: ['r'] } });
    expect(lost()).toBe(true);
    expect(returned).toEqual(await registry.record('one'));
    expect(returned).toMatchObject({ state: 'succeeded', changes: [change] });
    expect((await thing().get()).data()).toMatchObject({ appliedEpoch: 1, applied: { roles: ['r'] } });
  });

  it('clears what an earlier attempt left', async () => {
    await complete(await registry.claim(), failure());
    await registry.db.collection('operations').doc('one').update({ state: 'pending' });
    await complete(await registry.claim(), success());
    expect(await registry.record('one')).toMatchObject({
      state: 'succeeded',
      epoch: 2,
      error: null,
      reason: null,
      payload: null,
    });
  });

  it('of an attempt after one that was handed back shows no error', async () => {
    await releaseOperation(await registry.claim(), new OperationError('LOCK_TIMEOUT', 'a lock'));
    await complete(await registry.claim(), success());
    expect((await registry.record('one')).error).toBeNull();
  });

  it('keeps the statements of a dry run', async () => {
    const outcome = { changes: [change], statements: ['CREATE SCHEMA billing'] };
    await complete(await registry.claim(), { state: 'planned', outcome });
    expect(await registry.record('one')).toMatchObject({ state: 'planned', ...outcome });
  });

  it('is marked as reported', async () => {
    await complete(await registry.claim(), success());
    await markReported(registry.db, 'one', await registry.record('one'));
    expect(await registry.record('one')).toMatchObject({ state: 'succeeded', reported: true });
  });

  it.each([
    ['of an earlier attempt', { epoch: 0, state: 'succeeded' }],
    ['of another kind', { epoch: 1, state: 'failed' }],
  ] as const)('is not marked as reported by one %s', async (_, other) => {
    await complete(await registry.claim(), success());
    await markReported(registry.db, 'one', other);
    expect((await registry.record('one')).reported).toBe(false);
  });
});

describe('an outcome', () => {
  const long = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      ...change,
      name: `app.schema_${index}_${'x'.repeat(90)}`,
    }));

  it('that is too long for the record has its beginning there, and the whole below', async () => {
    const outcome = {
      changes: long(8000),
      notes: [{ code: 'N', message: 'note' }],
      statements: long(8000).map(({ name }) => `CREATE SCHEMA ${name}`),
    };
    const claim = await registry.claim();
    await complete(claim, { state: 'planned', outcome });
    const record = await registry.record('one');
    expect(record.truncated).toBe(true);
    expect(record.changes).toEqual(outcome.changes.slice(0, 50));
    expect(record.statements).toEqual(outcome.statements.slice(0, 50));
    expect(record.notes).toEqual(outcome.notes);
    expect(JSON.parse((await readOutcome(claim.ref, 1)).toString())).toEqual(outcome);
  });

  it('is whole in the record up to 256 KiB', async () => {
    const empty = JSON.stringify({ changes: [{ ...change, detail: '' }], notes: [] }).length;
    for (const [extra, truncated] of [
      [0, false],
      [1, true],
    ] as const) {
      registry.server.clear();
      const detail = 'x'.repeat(inlineBytes - empty + extra);
      await complete(await registry.claim(), success({ changes: [{ ...change, detail }] }));
      expect((await registry.record('one')).truncated).toBe(truncated);
    }
  });

  it('has the place of its own attempt: one that lost its lease can’t write into its successor’s', async () => {
    const frozen = await registry.claim();
    registry.server.advance(61);
    const successor = await registry.claim();
    const [mine, theirs] = [long(3000), long(4000)];
    await complete(successor, success({ changes: mine }));
    await expect(complete(frozen, success({ changes: theirs }))).rejects.toMatchObject({
      code: 'LEASE_LOST',
    });
    expect(JSON.parse((await readOutcome(successor.ref, 2)).toString()).changes).toEqual(mine);
  });

  it('with one thing that is too long leaves that out of the record', async () => {
    const huge = { code: 'HUGE', message: 'x'.repeat(inlineBytes) };
    const claim = await registry.claim();
    await complete(claim, success({ notes: [{ code: 'A', message: 'a' }, huge] }));
    expect((await registry.record('one')).notes?.map(({ code }) => code)).toEqual(['A']);
    expect(JSON.parse((await readOutcome(claim.ref, 1)).toString()).notes).toHaveLength(2);
  });
});

describe('a failure', () => {
  it('says why and keeps the message', async () => {
    await complete(await registry.claim(), failure());
    expect(await registry.record('one')).toMatchObject({
      state: 'failed',
      reason: 'permanent',
      error: { code: 'IMPOSSIBLE', message: 'it can’t be', details: { hint: 'ask' } },
      payload: { attributes: [{ name: 'operation-id', value: 'deploy-1' }], data: Buffer.from('{"a":1}') },
      reported: false,
    });
  });

  it('keeps a message of any length, byte for byte', async () => {
    const data = Buffer.alloc(9_900_000, Buffer.from(Array.from({ length: 251 }, (_, byte) => byte)));
    const claim = await registry.claim();
    await complete(claim, failure({ delivery: { ...wanted().delivery, data } }));
    const { payload } = await registry.record('one');
    expect(payload).toMatchObject({ parts: 13 });
    expect(payload).not.toHaveProperty('data');
    expect(payload && (await readPayload(claim.ref, payload)).equals(data)).toBe(true);
  });

  it('records an error without its secrets', async () => {
    const error = new OperationError('X', 'postgres://u:hunter2@h', { details: { password: 'hunter2' } });
    await complete(await registry.claim(), failure({ error }));
    expect(JSON.stringify((await registry.record('one')).error)).not.toContain('hunter2');
  });

  it('records an error with endless lists by their beginnings', async () => {
    const problems = Array.from({ length: 20_000 }, (_, index) => ({
      path: `data.k${index}`,
      message: 'no',
    }));
    const error = new OperationError('INVALID_MESSAGE', 'x'.repeat(1_000_000), {
      details: { problems, count: 7 },
    });
    await complete(await registry.claim(), failure({ error }));
    const recorded = (await registry.record('one')).error;
    expect(recorded?.message).toHaveLength(8192);
    expect(recorded?.details).toEqual({ problems: [...problems.slice(0, 50), '… 20000 in all'], count: 7 });
  });

  it('records an error with short lists whole', () => {
    const problems = Array.from({ length: 100 }, (_, index) => `p${index}`);
    expect(recordable(new OperationError('X', 'x', { details: { problems } })).details).toEqual({ problems });
  });
});
