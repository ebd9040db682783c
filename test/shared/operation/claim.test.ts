import { Timestamp } from '@google-cloud/firestore';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideClaim } from '../../../shared/operation/claim.ts';

const now = new Date('2026-03-01T10:00:00Z');
const state = fc.constantFrom('running', 'pending', 'deferred', 'succeeded', 'planned', 'failed');
const final = fc.constantFrom('succeeded', 'planned', 'failed');
const silence = fc.double({ min: 0, max: 1e6, noNaN: true });

const existing = fc.record({
  messageHash: fc.constantFrom('one', 'another'),
  state,
  reported: fc.boolean(),
  leaseSeconds: fc.integer({ min: 1, max: 600 }),
});

describe('a message whose operation exists', () => {
  it('conflicts whenever its content is another one, whatever became of the first', () => {
    fc.assert(
      fc.property(existing, silence, (record, silent) => {
        const conflicts = decideClaim(record, 'one', silent, now) === 'conflict';
        expect(conflicts).toBe(record.messageHash !== 'one');
      }),
    );
  });

  it('never takes over what ended', () => {
    fc.assert(
      fc.property(existing, final, silence, (record, ended, silent) => {
        const decision = decideClaim({ ...record, state: ended }, record.messageHash, silent, now);
        expect(decision).toBe(record.reported ? 'done' : 'report');
      }),
    );
  });

  it('takes what nobody works on at once, however fresh it is', () => {
    fc.assert(
      fc.property(existing, silence, (record, silent) => {
        expect(decideClaim({ ...record, state: 'pending' }, record.messageHash, silent, now)).toBe(
          'take-over',
        );
      }),
    );
  });

  it('takes a running one over if and only if its worker was silent for longer than the lease', () => {
    fc.assert(
      fc.property(existing, silence, (record, silent) => {
        const decision = decideClaim({ ...record, state: 'running' }, record.messageHash, silent, now);
        expect(decision).toBe(silent > record.leaseSeconds ? 'take-over' : 'busy');
      }),
    );
  });

  it.each([
    { silent: 59.999, decision: 'busy' },
    { silent: 60, decision: 'busy' },
    { silent: 60.001, decision: 'take-over' },
  ])('finds a lease of 60 s $decision after a silence of $silent s', ({ silent, decision }) => {
    const record = { messageHash: 'one', state: 'running', reported: false, leaseSeconds: 60 } as const;
    expect(decideClaim(record, 'one', silent, now)).toBe(decision);
  });

  it.each([
    { at: '2026-03-01T09:59:59.999Z', decision: 'done', when: 'comes early: it is published again' },
    { at: '2026-03-01T10:00:00.000Z', decision: 'take-over', when: 'comes in time' },
  ])('is $decision where it was deferred and $when', ({ at, decision }) => {
    const notBefore = Timestamp.fromDate(now);
    const record = { messageHash: 'one', state: 'deferred', reported: false, leaseSeconds: 60 } as const;
    expect(decideClaim({ ...record, notBefore }, 'one', 0, new Date(at))).toBe(decision);
    expect(decideClaim({ ...record, notBefore }, 'another', 0, new Date(at))).toBe('conflict');
  });

  it.each([true, false])(
    'takes over what ended only because nothing was heard of it (told: %s)',
    (reported) => {
      const error = { code: 'STUCK', message: '', details: {} };
      const record = { messageHash: 'one', state: 'failed', reported, leaseSeconds: 60, error } as const;
      expect(decideClaim(record, 'one', 0, now)).toBe('take-over');
      expect(decideClaim(record, 'another', 0, now)).toBe('conflict');
    },
  );
});
