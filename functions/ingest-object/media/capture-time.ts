import type { CaptureTime } from './model.ts';
import { quoted } from './text.ts';

/** What a file says of one moment, as it says it. */
export interface TimeTags {
  /** `2026:03:29 02:30:00` */
  readonly date: string | undefined;
  /** `+02:00` */
  readonly offset: string | undefined;
  /** Digits of a fraction of a second. */
  readonly subSecond: string | undefined;
}

export interface CaptureTags {
  /** When the photograph was taken. */
  readonly original: TimeTags;
  /** When it became a file: the same, but for what was scanned. */
  readonly digitized: TimeTags;
}

export interface FoundTime {
  readonly captured: CaptureTime | undefined;
  readonly doubts: readonly string[];
}

/** The oldest photograph that exists is of this year. */
const firstYear = 1826;
const dayMilliseconds = 24 * 60 * 60 * 1000;

/** The offsets that there are on Earth, in minutes. */
const [westmost, eastmost] = [-12 * 60, 14 * 60];

/**
 * When a photograph was taken: by the tag for that, or else by that of its digitization. What can't be true is a doubt:
 * a date that is none, before there was photography or more than a day after `now`, an offset that exists nowhere.
 */
export function captureTimeOf({ original, digitized }: CaptureTags, now: Date): FoundTime {
  const first = timeOf(original, now);
  if (first.captured !== undefined) return first;
  const second = timeOf(digitized, now);
  return { captured: second.captured, doubts: [...new Set([...first.doubts, ...second.doubts])] };
}

function timeOf(tags: TimeTags, now: Date): FoundTime {
  const [date, offset] = [said(tags.date), said(tags.offset)];
  if (date === undefined) return { captured: undefined, doubts: [] };
  const offsetMinutes = offset === undefined ? undefined : minutesOf(offset);
  const doubts = offset === undefined || offsetMinutes !== undefined ? [] : [`EXIF offset ${quoted(offset)}`];
  const seconds = secondsOf(date);
  const instant = seconds === undefined ? Number.NaN : Date.parse(`${seconds}Z`);
  const isLate = instant - (offsetMinutes ?? 0) * 60_000 > now.getTime() + dayMilliseconds;
  if (seconds === undefined || isLate)
    return { captured: undefined, doubts: [`EXIF date ${quoted(date)}`, ...doubts] };
  const fraction = /^\d+$/.exec(said(tags.subSecond) ?? '')?.[0];
  const local = fraction === undefined ? seconds : `${seconds}.${fraction.slice(0, 3).padEnd(3, '0')}`;
  return { captured: { local, offsetMinutes }, doubts };
}

/** Cameras whose clock was never set leave a tag out, or write blanks between its colons, as EXIF wants them to. */
function said(text: string | undefined): string | undefined {
  const [before = ''] = (text ?? '').split('\0', 1);
  return /^[\s:]*$/.test(before) ? undefined : before.trim();
}

/** `2026-03-29T02:30:00`; undefined if there is no such time. */
function secondsOf(date: string): string | undefined {
  const match = /^(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)$/.exec(date);
  if (match === null || Number(match[1]) < firstYear) return undefined;
  const iso = `${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}`;
  const parsed = new Date(`${iso}Z`);
  // a 30th of February is made one of March, and 24:00 the next day
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().startsWith(iso) ? iso : undefined;
}

function minutesOf(offset: string): number | undefined {
  if (offset === 'Z') return 0;
  const [, sign, hours, minutes] = /^([+-])(\d\d):([0-5]\d)$/.exec(offset) ?? [];
  if (sign === undefined) return undefined;
  const size = Number(hours) * 60 + Number(minutes);
  const east = sign === '-' ? 0 - size : size;
  return east < westmost || east > eastmost ? undefined : east;
}
