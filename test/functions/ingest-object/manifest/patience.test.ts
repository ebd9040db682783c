import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideWait, mayCome, waitedFor } from '../../../../functions/ingest-object/manifest/patience.ts';

const now = new Date('2026-03-01T10:00:00Z');
const ago = (minutes: number) => new Date(now.getTime() - minutes * 60_000);
const sent = (at: number, last = at) => ({ at: ago(at), last: ago(last) });
const decide = (one: ReturnType<typeof sent> | undefined, state?: 'running' | 'deferred', isSame = true) =>
  decideWait(one, state && { state }, { now, isSame, resendMs: 60_000 });

describe('an operation that has not ended', () => {
  it('is waited for, published again where it has no record, and at last given up', () => {
    expect(decide(sent(0.5))).toBe('wait');
    expect(decide(sent(2))).toBe('again');
    // Each time it takes twice as long.
    expect(decide(sent(10, 4))).toBe('wait');
    expect(decide(sent(9, 5))).toBe('again');
    expect(decide(sent(2), 'running')).toBe('wait');
    for (const state of [undefined, 'running'] as const)
      expect(decide(sent(25 * 60, 1), state)).toBe('give up');
    expect(decide(sent(25 * 60, 1), 'deferred')).toBe('wait');
    expect(decide(undefined)).toBe('wait');
  });

  it('gets no other content while the first may still come', () => {
    expect(decide(sent(29), undefined, false)).toBe('wait');
    expect(decide(sent(31), undefined, false)).toBe('again');
  });

  it('of another run may come about as long as it is not known to be over', () => {
    const one = { key: 'k', function: 'grant-roles', run: 'r', hash: 'h', ...sent(1) };
    const record = (state: string) => ({ state }) as Parameters<typeof mayCome>[1];
    expect(
      [undefined, 'running', 'succeeded', 'failed'].map((state) =>
        mayCome(one, state ? record(state) : undefined, now),
      ),
    ).toEqual([true, true, false, false]);
    expect(mayCome({ ...one, ...sent(31) }, undefined, now)).toBe(false);
  });
});

describe('the next look', () => {
  it('comes after as long as was waited, from a minute to ten', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2000 })), (minutes) => {
        const wait = (waitedFor(minutes.map(ago), now).getTime() - now.getTime()) / 60_000;
        expect(wait).toBe(Math.min(10, Math.max(1, ...minutes)));
      }),
    );
  });
});
