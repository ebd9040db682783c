import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { captureTimeOf, type TimeTags } from '../../../../functions/ingest-object/media/capture-time.ts';

const now = new Date('2026-11-22T12:00:00Z');
const nothing: TimeTags = { date: undefined, offset: undefined, subSecond: undefined };

function taken(date: string | undefined, more: Partial<TimeTags> = {}) {
  return captureTimeOf({ original: { ...nothing, date, ...more }, digitized: nothing }, now);
}

describe('what a camera writes', () => {
  test('is its own clock, with or without an offset', () => {
    expect(taken('2026:03:29 02:30:00')).toEqual({
      captured: { local: '2026-03-29T02:30:00', offsetMinutes: undefined },
      doubts: [],
    });
    expect(taken('2026:03:29 02:30:00', { offset: '+02:00' }).captured?.offsetMinutes).toBe(120);
    expect(taken('2026:03:29 02:30:00', { offset: '-03:30' }).captured?.offsetMinutes).toBe(-210);
    expect(taken('2026:03:29 02:30:00', { offset: '-00:00' }).captured?.offsetMinutes).toBe(0);
  });

  test.each([
    ['1', '.100'],
    ['125', '.125'],
    ['125999', '.125'],
    ['07 ', '.070'],
    ['', ''],
    ['   ', ''],
    ['abc', ''],
    ['-1', ''],
  ])('a fraction of a second: %j', (subSecond, fraction) => {
    expect(taken('2026:03:29 02:30:00', { subSecond }).captured?.local).toBe(
      `2026-03-29T02:30:00${fraction}`,
    );
  });

  test('any time that there was comes back', () => {
    const earliest = new Date('1826-01-01T00:00:00Z');
    fc.assert(
      fc.property(
        fc.date({ min: earliest, max: now, noInvalidDate: true }),
        fc.integer({ min: -12 * 60, max: 14 * 60 }),
        (date, minutes) => {
          const local = date.toISOString().slice(0, 19);
          const size = Math.abs(minutes);
          const pad = (value: number) => String(value).padStart(2, '0');
          const offset = `${minutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
          const found = taken(local.replaceAll('-', ':').replace('T', ' '), { offset });
          // within a day after now an offset decides whether it is one too many
          expect(found.captured).toEqual({ local, offsetMinutes: minutes });
          expect(found.doubts).toEqual([]);
        },
      ),
    );
  });
});

describe('what can’t be', () => {
  test.each([
    '0000:00:00 00:00:00',
    '2026:13:01 00:00:00',
    '2026:02:30 00:00:00',
    '2026:00:10 00:00:00',
    '2026:03:29 24:00:00',
    '2026:03:29 12:60:00',
    '9999:12:31 23:59:59',
    '1825:12:31 23:59:59',
    '2026:11:23 12:00:01',
    '2026:03:29',
    'yesterday',
    "'; DROP TABLE media; --",
  ])('%s is no date', (date) => {
    const { captured, doubts } = taken(date);
    expect(captured).toBeUndefined();
    expect(doubts).toEqual([`EXIF date ${date}`]);
  });

  test('a day after now still is, for clocks are wrong', () => {
    expect(taken('2026:11:23 12:00:00').captured?.local).toBe('2026-11-23T12:00:00');
    expect(taken('2026:11:24 01:00:00', { offset: '+14:00' }).captured?.offsetMinutes).toBe(840);
  });

  test.each(['+25:00', '+14:01', '-12:01', '+02:60', '02:00', '+2', 'CEST'])('%s is no offset', (offset) => {
    expect(taken('2026:03:29 02:30:00', { offset })).toEqual({
      captured: { local: '2026-03-29T02:30:00', offsetMinutes: undefined },
      doubts: [`EXIF offset ${offset}`],
    });
  });

  test('no text makes it throw, or gets through as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (date, offset) => {
        const { captured, doubts } = taken(date, { offset });
        expect(captured).toBeUndefined();
        for (const doubt of doubts) {
          expect(doubt).not.toMatch(/\p{Cc}/u);
          expect(doubt.length).toBeLessThan(200);
          expect(doubt.isWellFormed()).toBe(true);
        }
      }),
    );
  });
});

test.each([undefined, '', '    :  :     :  :  ', '\0\0\0', ' '])('%j says nothing', (date) => {
  expect(taken(date)).toEqual({ captured: undefined, doubts: [] });
});

describe('the time of its digitization', () => {
  const digitized = { date: '2020:01:02 03:04:05', offset: '+01:00', subSecond: '5' };
  const captured = { local: '2020-01-02T03:04:05.500', offsetMinutes: 60 };

  test('is used where there is no other, with its own offset and fraction', () => {
    const original = { date: undefined, offset: '+09:00', subSecond: '1' };
    expect(captureTimeOf({ original, digitized }, now)).toEqual({ captured, doubts: [] });
  });

  test('is used where the other can’t be, which remains a doubt', () => {
    const original = { ...nothing, date: '0000:00:00 00:00:00' };
    const doubts = ['EXIF date 0000:00:00 00:00:00'];
    expect(captureTimeOf({ original, digitized }, now)).toEqual({ captured, doubts });
  });

  test('counts for nothing where there is another', () => {
    const original = { ...nothing, date: '2021:01:02 03:04:05' };
    expect(captureTimeOf({ original, digitized }, now).captured?.local).toBe('2021-01-02T03:04:05');
  });
});
