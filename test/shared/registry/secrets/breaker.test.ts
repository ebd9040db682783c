import { describe, expect, it } from 'vitest';
import {
  afterFailure,
  type Breaker,
  everywhere,
  roomIn,
  scopesOf,
} from '../../../../shared/registry/secrets/breaker.ts';

const now = new Date('2026-05-01T12:00:00Z');
const later = (minutes: number) => new Date(now.getTime() + minutes * 60_000);

/** The breaker after so many failures in a row, and at which of them it halted. */
function failing(scope: string, times: number, limit = 3) {
  let breaker: Breaker | undefined;
  const halts: number[] = [];
  for (let nth = 1; nth <= times; nth += 1) {
    const after = afterFailure(breaker, { scope, code: 'LOGIN_NOT_FOUND', operation: `o${nth}`, limit, now });
    breaker = after.breaker;
    if (after.halts) halts.push(nth);
  }
  return { breaker, halts };
}

describe('the breaker of scheduled rotations', () => {
  it('halts at the limit, and says so once', () => {
    expect(failing('acme:eu:main', 6).halts).toEqual([3]);
  });

  it('takes four times as many everywhere', () => {
    expect(failing(everywhere, 14).halts).toEqual([12]);
  });

  it('allows what it should: all, nothing while halted, one at a time after it', () => {
    const { breaker } = failing('acme:eu:main', 3);
    expect(roomIn(undefined, 7, [], now)).toBe(7);
    expect(roomIn(failing('acme:eu:main', 2).breaker, 7, [], now)).toBe(7);
    expect(roomIn(breaker, 7, [], later(59))).toBe(0);
    expect(roomIn(breaker, 7, [], later(61))).toBe(1);
  });

  it('halts again, and says so again, where the one that was tried fails', () => {
    const { breaker } = failing('acme:eu:main', 3);
    const again = afterFailure(breaker, {
      scope: 'acme:eu:main',
      code: 'X',
      operation: 'another',
      limit: 3,
      now: later(61),
    });
    expect(again.halts).toBe(true);
    expect(roomIn(again.breaker, 7, [], later(120))).toBe(0);
  });

  it('counts an operation once, however often it is delivered', () => {
    let found: Breaker | undefined;
    for (let delivery = 0; delivery < 9; delivery += 1) {
      const failure = { scope: 'acme:eu:main', code: 'UNAVAILABLE', operation: 'the same', limit: 3, now };
      found = afterFailure(found, failure).breaker;
    }
    expect(found).toMatchObject({ failures: 1, haltedUntil: null });
  });

  it('counts a secret of no database everywhere only', () => {
    expect(scopesOf(null)).toEqual([everywhere]);
    expect(scopesOf('acme:eu:main')).toEqual(['acme:eu:main', everywhere]);
  });
});
