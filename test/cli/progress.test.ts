import { expect, test } from 'vitest';
import { describeProgress, startProgress } from '../../cli/progress.ts';
import type { OperationRecord } from '../../shared/registry/operations.ts';

/** A terminal that keeps what is written to it. */
function terminal({ isTTY, columns = 80 }: { isTTY: boolean; columns?: number }) {
  const written: string[] = [];
  const stream = { isTTY, columns, write: (text: string) => written.push(text) > 0 };
  return { written, stream: stream as unknown as NodeJS.WriteStream };
}

const pending = {
  state: 'pending',
  epoch: 2,
  error: { code: 'BUSY', message: 'try\nlater', details: {} },
} as OperationRecord;

test('says how long it has taken and what the operation is doing', () => {
  expect(describeProgress(undefined, 0.9)).toBe('0 s  published; no worker has taken it yet');
  const running = { ...pending, state: 'running' } as OperationRecord;
  expect(describeProgress(running, 61.2)).toBe('61 s  running, attempt 2');
});

test('an operation that waits for its next attempt shows why, in one line', () => {
  expect(describeProgress(pending, 5)).toBe(
    '5 s  pending after attempt 2; the last one failed with BUSY: try\\nlater',
  );
});

test('an operation that is deferred shows until when, and why', () => {
  const notBefore = { toDate: () => new Date('2026-03-01T10:01:00Z') };
  const error = { code: 'RATE_LIMITED', message: '2 at\na time', details: {} };
  const deferred = { state: 'deferred', epoch: 1, notBefore, error } as OperationRecord;
  expect(describeProgress(deferred, 5)).toBe('5 s  deferred until 2026-03-01 10:01:00Z: 2 at\\na time');
});

test('on a terminal one line is written over and taken away', () => {
  const { written, stream } = terminal({ isTTY: true, columns: 30 });
  const progress = startProgress(stream);
  progress.show(pending);
  progress.stop();
  const lines = written.join('').split('\r\u001b[2K');
  expect(lines[0]).toBe('');
  expect(lines.at(-2)).toBe('0 s  pending after attempt 2;');
  expect(lines.at(-1)).toBe('');
});

test('where nobody watches nothing is written', () => {
  const { written, stream } = terminal({ isTTY: false });
  const progress = startProgress(stream);
  progress.show(pending);
  progress.stop();
  expect(written).toEqual([]);
});
