import { hour, type Micros, minute, second } from '../clock.ts';
import type { Message } from '../grpc/server.ts';
import { Duration, Timestamp, toMicros } from '../grpc/time.ts';
import { failedPrecondition, invalidArgument } from './errors.ts';

/**
 * When a secret's topics are told to rotate it.
 *
 * @see https://cloud.google.com/secret-manager/docs/secret-rotation
 */
export interface Rotation {
  readonly next: Micros | undefined;
  readonly period: Micros | undefined;
}

const century = 876_000 * hour;

export function parseRotation(value: unknown): Rotation | undefined {
  const { nextRotationTime, rotationPeriod } = (value ?? {}) as Message;
  return orNone({ next: toMicros(nextRotationTime), period: toMicros(rotationPeriod) });
}

export function toRotation({ next, period }: Rotation): Message {
  return {
    ...(next !== undefined && { nextRotationTime: new Timestamp(next) }),
    ...(period !== undefined && { rotationPeriod: new Duration(period) }),
  };
}

/** A rotation without anything in it is none. */
export function orNone(rotation: Rotation): Rotation | undefined {
  return rotation.next === undefined && rotation.period === undefined ? undefined : rotation;
}

/** @throws INVALID_ARGUMENT for a time that somebody asks for and that is too near or too far */
export function requireNextRotation(next: Micros | undefined, now: Micros): Micros | undefined {
  if (next === undefined) return undefined;
  if (next < now + 5 * minute) {
    throw invalidArgument('Next rotation time must be at least [5m] in the future.');
  }
  if (next > now + century)
    throw invalidArgument('Next rotation time cannot be more than [876000h] from now.');
  return next;
}

/** @throws INVALID_ARGUMENT for a period that somebody asks for and that can't be had */
export function requirePeriod(period: Micros | undefined): Micros | undefined {
  if (period === undefined) return undefined;
  if (period < hour) throw invalidArgument('Rotation period cannot be shorter than [1h].');
  if (period > century) throw invalidArgument('Rotation period cannot be longer than [876000h].');
  if (period % second !== 0) throw invalidArgument('Rotation period must be in seconds.');
  return period;
}

/** @throws INVALID_ARGUMENT or, for a period alone, FAILED_PRECONDITION where a secret's settings don't agree */
export function checkRotation(rotation: Rotation | undefined, topics: readonly string[]): void {
  if (rotation === undefined) return;
  if (topics.length === 0) {
    throw invalidArgument('There must be at least one topic configured when a Rotation policy is set.');
  }
  if (rotation.next === undefined) {
    throw failedPrecondition('Next rotation time must be set while the rotation period is set.');
  }
}

/** The rotation after it came due: one without a period is over. */
export function afterRotation({ next, period }: Rotation): Rotation | undefined {
  return next === undefined || period === undefined ? undefined : { next: next + period, period };
}
