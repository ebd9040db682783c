import { invalidValue } from './invalid-value.ts';

/** Microseconds since the epoch. */
export type Micros = bigint;

const micros = 1_000_000n;
const first = -62_135_596_800n * micros;
const last = 253_402_300_800n * micros;

const date = String.raw`(\d{4})[-/](\d{1,2})[-/](\d{1,2})`;
const time = String.raw`(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,6})\d*)?)?`;
const zone = String.raw`\s*(UTC|Z|[+-]\d{1,2}(?::?\d{2})?)?`;
const dateOnly = new RegExp(`^${date}$`);
const timeOnly = new RegExp(`^${time}$`);
const dateAndTime = new RegExp(`^${date}(?:[ T]${time})?$`, 'i');
const timestamp = new RegExp(`^${date}(?:[ T]${time})?${zone}$`, 'i');

/**
 * @param value text in one of the documented forms, or seconds since the epoch
 * @throws InvalidValue
 * @see https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#timestamp_type
 */
export function readTimestamp(value: string | number): Micros {
  const seconds = /^([+-]?\d+)(?:\.(\d{1,6})\d*)?$/.exec(plain(value));
  const parts = timestamp.exec(String(value));
  if (!seconds && !parts) {
    throw invalidValue(
      `Could not parse '${value}' as a timestamp. Required format is YYYY-MM-DD HH:MM[:SS[.SSSSSS]] or YYYY/MM/DD HH:MM[:SS[.SSSSSS]]`,
    );
  }
  const found = seconds
    ? fromSeconds(seconds[1] ?? '', seconds[2] ?? '')
    : fromParts(parts ?? [], String(value)) - offsetOf(parts?.[8] ?? 'Z');
  if (found >= first && found < last) return found;
  throw invalidValue(`Timestamp out of range: ${value}`);
}

/** @returns `YYYY-MM-DD` */
export function readDate(value: string): string {
  const parts = dateOnly.exec(value);
  if (!parts) throw invalidValue(`Could not parse '${value}' as a date. Required format is YYYY-MM-DD.`);
  return isoOf(fromParts(parts, value)).slice(0, 10);
}

/** @returns `HH:MM:SS[.ffffff]` */
export function readTime(value: string): string {
  const [, ...clock] = timeOnly.exec(value) ?? [];
  if (clock.length === 0) {
    throw invalidValue(`Could not parse '${value}' as a time. Required format is HH:MM:SS[.SSSSSS].`);
  }
  return isoOf(fromParts([value, '1970', '1', '1', ...clock], value)).slice(11);
}

/** @returns `YYYY-MM-DDTHH:MM:SS[.ffffff]` */
export function readDatetime(value: string): string {
  const parts = dateAndTime.exec(value);
  if (parts) return isoOf(fromParts(parts, value));
  throw invalidValue(
    `Could not parse '${value}' as datetime. Required format is YYYY-MM-DD HH:MM[:SS[.SSSSSS]].`,
  );
}

/** As in exported files: `2026-01-31 12:00:00.5 UTC`. */
export function printTimestamp(value: Micros): string {
  return `${isoOf(value).replace('T', ' ')} UTC`;
}

/** Seconds since the epoch, with at least one digit of a fraction. */
export function printSeconds(value: Micros): string {
  const digits = String(value < 0n ? -value : value).padStart(7, '0');
  const fraction = digits.slice(-6).replace(/0+$/, '') || '0';
  return `${value < 0n ? '-' : ''}${digits.slice(0, -6)}.${fraction}`;
}

/** Without trailing zeros and without an offset. */
function isoOf(value: Micros): string {
  const fraction = ((value % micros) + micros) % micros;
  const seconds = new Date(Number((value - fraction) / 1000n)).toISOString().slice(0, 19);
  return fraction === 0n ? seconds : `${seconds}.${String(fraction).padStart(6, '0').replace(/0+$/, '')}`;
}

/** A number without an exponent. */
function plain(value: string | number): string {
  const number = Number(value);
  const hasExponent = /^[+-]?[\d.]+e[+-]?\d+$/i.test(String(value));
  return hasExponent && Math.abs(number) < 1e15 ? number.toFixed(6) : String(value);
}

function fromSeconds(whole: string, fraction: string): Micros {
  const part = BigInt(fraction.padEnd(6, '0'));
  return BigInt(whole) * micros + (whole.startsWith('-') ? -part : part);
}

function fromParts(parts: readonly (string | undefined)[], value: string): Micros {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts
    .slice(1, 7)
    .map((part) => Number(part ?? 0));
  const utc = new Date(0);
  utc.setUTCFullYear(year, month - 1, day);
  utc.setUTCHours(hour, minute, second);
  // Date goes on counting where a month or a minute has no such day or second.
  const isReal =
    utc.getUTCMonth() === month - 1 && utc.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  if (!isReal || year === 0) throw invalidValue(`Invalid date or time: '${value}'`);
  return BigInt(utc.getTime()) * 1000n + BigInt((parts[7] ?? '').padEnd(6, '0'));
}

function offsetOf(zone: string): Micros {
  const [, sign, hours = '0', minutes = '0'] = /^([+-])(\d{1,2}):?(\d{2})?$/.exec(zone) ?? [];
  const seconds = BigInt(hours) * 3600n + BigInt(minutes) * 60n;
  return (sign === '-' ? -seconds : seconds) * micros;
}
