import { expect, test } from 'vitest';
import {
  ageText,
  eventText,
  graceOf,
  isOverdue,
  kindText,
  secretState,
  settingText,
  whereText,
} from '../../cli/secrets/state.ts';
import { verdictOf } from '../../cli/secrets/verdict.ts';
import type { OperationRecord } from '../../shared/registry/operations.ts';
import type { SecretRecord } from '../../shared/registry/secrets/model.ts';
import { secretRecord } from './secrets-fixture.ts';

const now = new Date('2026-03-10T12:00:00Z');
const past = new Date('2026-03-10T11:59:59Z');
const future = new Date('2026-03-10T12:00:01Z');

const settled: Partial<SecretRecord> = { nextRotation: future };
const open = { operation: 'a', since: past };

test.each<[string, Partial<SecretRecord>]>([
  ['ok', {}],
  ['ok', { nextRotation: null }],
  ['retiring', { nextRetirement: future }],
  ['retiring', { nextRetirement: past }],
  ['ok', { nextRetirement: future, retiredAt: past }],
  ['overdue', { nextRotation: past, nextRetirement: future }],
  ['empty', { current: null, nextRotation: past }],
  ['failing', { failures: 1, current: null, nextRotation: past }],
  ['rotating', { open, failures: 1, current: null, nextRotation: past }],
])('a secret is %s with %j', (state, fields) => {
  expect(secretState(secretRecord({ ...settled, ...fields }), now)).toBe(state);
});

test('what is due this moment is not overdue yet', () => {
  expect(isOverdue({ nextRotation: now }, now)).toBe(false);
  expect(isOverdue({ nextRotation: past }, now)).toBe(true);
});

test('the former credential has its grace from the rotation on; without one there is none', () => {
  const rotated = { previous: 1, rotatedAt: now, retiredAt: null, graceMinutes: 90 };
  expect(graceOf(rotated)).toEqual(new Date('2026-03-10T13:30:00Z'));
  expect(graceOf({ ...rotated, previous: null })).toBeUndefined();
  expect(graceOf({ ...rotated, rotatedAt: null })).toBeUndefined();
  expect(graceOf({ ...rotated, retiredAt: now })).toBeUndefined();
});

test.each([
  [-5, '0 min'], // another machine's clock
  [0.9, '0 min'],
  [119.9, '119 min'],
  [120, '2 h'],
  [48 * 60 - 1, '47 h'],
  [48 * 60, '2 d'],
  [90 * 1440 + 1439, '90 d'],
])('%d minutes are an age of %s', (minutes, text) => {
  expect(ageText(new Date(now.getTime() - minutes * 60_000), now)).toBe(text);
});

test.each([
  [90, '90m'],
  [120, '2h'],
  [36 * 60, '36h'],
  [1440, '1d'],
])('%d minutes are set as %s', (minutes, text) => {
  expect(settingText(minutes)).toBe(text);
});

test('what a secret is and where says only what there is', () => {
  expect([kindText(secretRecord()), whereText(secretRecord())]).toEqual([
    'postgres two-user',
    'test-project:europe-west1:main/app.billing writer',
  ]);
  const monitor = secretRecord({ schema: null, role: 'monitor' });
  expect(whereText(monitor)).toBe('test-project:europe-west1:main/app monitor');
  expect(whereText(secretRecord({ role: null }))).toBe('test-project:europe-west1:main/app.billing');
  const key = secretRecord({ kind: 'api-key', strategy: null, instance: null, database: null });
  expect([kindText(key), whereText(key)]).toEqual(['api-key', '-']);
});

test('an event is what was done, or why it was not', () => {
  expect(eventText({ action: 'rotate' })).toBe('rotate');
  expect(eventText({ action: 'retire', code: 'LOGIN_IN_USE' })).toBe('retire failed: LOGIN_IN_USE');
});

const record = (fields: Partial<OperationRecord>) =>
  ({ state: 'succeeded', changes: [], notes: [], ...fields }) as OperationRecord;
const broken = { code: 'VERSION_BROKEN', message: "Version 1 doesn't work." };
const current = { code: 'CURRENT_BROKEN', message: 'There is no alias current.' };
const mended = { code: 'VERSION_MENDED', message: 'They work again.' };
const error = { code: 'NOT_ALLOWED', message: "No rule: PASSWORD 'hunter2'", details: { statements: ['X'] } };

test.each<[string, OperationRecord | undefined, string, string]>([
  ['nothing', undefined, 'unfinished', 'no worker has taken it yet'],
  ['a running operation', record({ state: 'running' }), 'unfinished', 'still running'],
  [
    'one that is tried again',
    record({ state: 'pending', error: { code: 'BUSY', message: 'later', details: {} } }),
    'unfinished',
    'still pending; the last attempt failed with BUSY: later',
  ],
  ['a failure', record({ state: 'failed', error }), 'failed', "NOT_ALLOWED: No rule: PASSWORD '[redacted]'"],
  [
    'working versions',
    record({ summary: { versions: 2, working: 2, broken: 0, mended: 0 } }),
    'works',
    '2 versions',
  ],
  ['a secret without versions', record({}), 'broken', 'no version is enabled'],
  [
    'another note',
    record({ notes: [{ code: 'OTHER', message: 'no matter' }], summary: { versions: 1 } }),
    'works',
    '1 version',
  ],
  [
    'a broken version',
    record({ notes: [broken], summary: { versions: 2, working: 1, broken: 1, mended: 0 } }),
    'broken',
    "Version 1 doesn't work",
  ],
  [
    'a broken version that only the count tells',
    record({ summary: { versions: 3, broken: 1 } }),
    'broken',
    '1 of 3 versions',
  ],
  [
    'versions that work, none of them the current one',
    record({ notes: [current], summary: { versions: 2, working: 2, broken: 0, mended: 0 } }),
    'broken',
    'There is no alias current',
  ],
  [
    'what was broken and is mended',
    record({ notes: [broken, mended], summary: { versions: 2, working: 1, broken: 1, mended: 1 } }),
    'mended',
    "Version 1 doesn't work; They work again",
  ],
  [
    'a mended alias',
    record({ notes: [current, mended], summary: { versions: 2, working: 2, broken: 0, mended: 0 } }),
    'mended',
    'There is no alias current; They work again',
  ],
  [
    'what is mended but for one',
    record({ notes: [broken, mended], summary: { versions: 3, working: 1, broken: 2, mended: 1 } }),
    'broken',
    "Version 1 doesn't work; They work again",
  ],
])('the verdict on %s', (_case, found, result, detail) => {
  expect(verdictOf(found)).toEqual({ result, detail });
});
