import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OperationError } from '../../../shared/operation/errors.ts';
import { againWhereTaken, pauseMs, retryConcurrentChanges } from '../../../shared/postgres/retry.ts';

const concurrent = () =>
  Object.assign(new Error('tuple concurrently updated'), { severity: 'ERROR', code: 'XX000' });
const never = new AbortController().signal;
const atOnce = () => 0;

describe('a pause', () => {
  test('is at most twice as long as the one before, and half a second', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (attempt, luck) => {
          const pause = pauseMs(attempt, () => luck);
          expect(pause).toBeGreaterThanOrEqual(0);
          expect(pause).toBeLessThanOrEqual(Math.min(500, 5 * 2 ** attempt));
        },
      ),
    );
  });

  test('is anything from nothing to its bound, so that those who met don’t meet again', () => {
    expect(pauseMs(3, () => 0)).toBe(0);
    expect(pauseMs(3, () => 0.5)).toBe(20);
    expect(pauseMs(3, () => 1)).toBe(40);
  });
});

describe('a concurrent change', () => {
  test('is tried again until it succeeds', async () => {
    let attempts = 0;
    const result = await retryConcurrentChanges(
      never,
      async () => {
        attempts += 1;
        if (attempts < 15) throw concurrent();
        return 'done';
      },
      atOnce,
    );
    expect([result, attempts]).toEqual(['done', 15]);
  });

  test('is given up after fifteen attempts', async () => {
    let attempts = 0;
    const failing = retryConcurrentChanges(
      never,
      async () => {
        attempts += 1;
        throw concurrent();
      },
      atOnce,
    );
    await expect(failing).rejects.toThrow('tuple concurrently updated');
    expect(attempts).toBe(15);
  });

  test('is not tried again after the signal has fired', async () => {
    const abort = new AbortController();
    let attempts = 0;
    const aborted = retryConcurrentChanges(abort.signal, async () => {
      attempts += 1;
      abort.abort();
      throw concurrent();
    });
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
    expect(attempts).toBe(1);
  });
});

test('any other error is not tried again', async () => {
  let attempts = 0;
  const refused = Object.assign(new Error('permission denied'), { severity: 'ERROR', code: '42501' });
  const failing = retryConcurrentChanges(never, async () => {
    attempts += 1;
    throw refused;
  });
  await expect(failing).rejects.toBe(refused);
  expect(attempts).toBe(1);
});

describe('what somebody else has taken at the same moment', () => {
  const serverError = (message: string) =>
    Object.assign(new Error(message), { severity: 'ERROR', code: 'XX000' });

  test.each([
    ['a warning that there was nothing to take', () => new OperationError('NOT_DONE', 'not granted')],
    ['a role that is gone', () => serverError('could not find tuple for role 16385')],
  ])('is looked at again after %s, five times in all', async (_, taken) => {
    let looks = 0;
    const look = (after: number) => async () => {
      looks += 1;
      if (looks <= after) throw taken();
      return looks;
    };
    expect(await againWhereTaken(look(4))).toBe(5);
    looks = 0;
    await expect(againWhereTaken(look(5))).rejects.toThrow(taken().message);
    expect(looks).toBe(5);
  });

  test.each([
    ['a refusal', new OperationError('PRINCIPAL_NOT_FOUND', 'no such login')],
    ['another error of the server’s own', serverError('could not find tuple for database 5')],
    ['a concurrent change, which is tried again elsewhere', concurrent()],
    ['a broken connection', new Error('Connection terminated unexpectedly')],
  ])('has nothing to do with %s', async (_, error) => {
    let looks = 0;
    const looking = againWhereTaken(async () => {
      looks += 1;
      throw error;
    });
    await expect(looking).rejects.toBe(error);
    expect(looks).toBe(1);
  });
});
