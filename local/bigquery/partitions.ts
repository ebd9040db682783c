import type { Row } from './row.ts';
import { keyOf } from './schema.ts';
import type { TableSettings } from './table-settings.ts';
import { readTimestamp } from './timestamps.ts';
import type { Value } from './values.ts';

/**
 * Rows whose partition has not expired.
 *
 * @param now milliseconds since the epoch
 * @see https://cloud.google.com/bigquery/docs/managing-partitioned-tables#partition-expiration
 */
export function unexpired(
  rows: readonly Row[],
  { timePartitioning }: TableSettings,
  now: number,
): readonly Row[] {
  const { type, field, expirationMs } = timePartitioning ?? {};
  if (!type || !expirationMs) return rows;
  return rows.filter(({ values, inserted }) => {
    const time = field ? timeOf(values[keyOf(field)] ?? null) : inserted;
    return time === undefined || beginOf(type, time) + Number(expirationMs) > now;
  });
}

/** Milliseconds since the epoch; undefined for NULL, whose partition doesn't expire. */
function timeOf(value: Value): number | undefined {
  if (typeof value === 'bigint') return Number(value / 1000n);
  return typeof value === 'string' ? Number(readTimestamp(value) / 1000n) : undefined;
}

function beginOf(type: 'HOUR' | 'DAY' | 'MONTH' | 'YEAR', time: number): number {
  const begin = new Date(time);
  begin.setUTCMinutes(0, 0, 0);
  if (type !== 'HOUR') begin.setUTCHours(0);
  if (type === 'MONTH' || type === 'YEAR') begin.setUTCDate(1);
  if (type === 'YEAR') begin.setUTCMonth(0);
  return begin.getTime();
}
