import type { Message } from '../grpc/server.ts';

/** Milliseconds of a google.protobuf.Duration, or undefined where the field is absent. */
export function durationToMs(duration: unknown): number | undefined {
  if (typeof duration !== 'object' || duration === null) return undefined;
  const { seconds, nanos } = duration as Message;
  return Number(seconds ?? 0) * 1000 + Number(nanos ?? 0) / 1e6;
}

export function msToDuration(ms: number): Message {
  const seconds = Math.trunc(ms / 1000);
  return { seconds: String(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) };
}

/** @param ms since the epoch */
export function msToTimestamp(ms: number): Message {
  return msToDuration(ms);
}

/**
 * A time in protobuf's JSON form (RFC 3339, no fraction where it is zero).
 *
 * @param ms since the epoch
 * @see https://protobuf.dev/programming-guides/json/
 */
export function msToJson(ms: number): string {
  const text = new Date(ms).toISOString();
  return text.endsWith('.000Z') ? `${text.slice(0, -5)}Z` : text;
}

export const second = 1000;
export const minute = 60 * second;
export const day = 24 * 60 * minute;
