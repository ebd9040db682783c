import type { SecretRecord } from '../registry/secrets/model.ts';
import type { RotationPolicy } from './managed.ts';
import type { Observation } from './observe.ts';

const minuteMs = 60_000;
const dayMs = 86_400_000;

/**
 * When a secret is due: what was made together isn't due together.
 *
 * @param random from 0 to 1
 * @returns null where it is never rotated by itself
 */
export function dueAt(rotatedAt: Date, policy: RotationPolicy | null, random: number): Date | null {
  if (policy === null) return null;
  return new Date(rotatedAt.getTime() + (policy.everyDays - random * policy.jitterDays) * dayMs);
}

/** Until when what a rotation replaced goes on working. */
export function graceEnd(rotatedAt: Date, graceMinutes: number): Date {
  return new Date(rotatedAt.getTime() + graceMinutes * minuteMs);
}

const longestPauseDays = 7;

/** When a scheduled rotation that failed is tried again: later each time. */
export function againAt(now: Date, failures: number): Date {
  return new Date(now.getTime() + Math.min(longestPauseDays, 2 ** Math.max(0, failures - 1)) * dayMs);
}

/** When the current version became that: what the registry says of another one is old. */
export function rotationOf(
  { current, versions }: Pick<Observation, 'current' | 'versions'>,
  record: SecretRecord | undefined,
): Date | undefined {
  if (record?.rotatedAt && record.current === current) return record.rotatedAt;
  return versions.find(({ number }) => number === current)?.createdAt;
}
