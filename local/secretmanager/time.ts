import type { Message } from '../grpc/server.ts';

/** A moment since the Unix epoch or a length of time, in whole microseconds: the service's own resolution. */
export type Micros = number;

export const second: Micros = 1_000_000;
export const minute: Micros = 60 * second;
export const hour: Micros = 60 * minute;

/** A google.protobuf.Timestamp on the wire, and what the proto3 JSON mapping makes of it in JSON. */
export class Timestamp {
  readonly seconds: string;
  readonly nanos: number;

  constructor(micros: Micros) {
    this.seconds = String(Math.floor(micros / second));
    this.nanos = (micros - Number(this.seconds) * second) * 1000;
  }

  toJSON(): string {
    return `${toIso(this.seconds)}${fraction(this.nanos)}Z`;
  }
}

/** A google.protobuf.Duration of whole seconds, on the wire and in JSON. */
export class Duration {
  readonly seconds: string;

  constructor(micros: Micros) {
    this.seconds = String(micros / second);
  }

  toJSON(): string {
    return `${this.seconds}s`;
  }
}

/** What a google.protobuf.Timestamp or Duration says, or undefined where the field is absent. */
export function toMicros(value: unknown): Micros | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { seconds, nanos } = value as Message;
  return Number(seconds ?? 0) * second + Math.floor(Number(nanos ?? 0) / 1000);
}

/**
 * A moment as in the attributes of a notification: always with microseconds, and with California's offset.
 * The one of its winter is used all year.
 */
export function toPacificTime(micros: Micros): string {
  const { seconds, nanos } = new Timestamp(micros - 8 * hour);
  return `${toIso(seconds)}.${String(nanos / 1000).padStart(6, '0')}-08:00`;
}

/** Without a fraction and without an offset. */
function toIso(seconds: string): string {
  return new Date(Number(seconds) * 1000).toISOString().slice(0, 'YYYY-MM-DDTHH:mm:ss'.length);
}

/** In groups of three digits, as protobuf's own libraries write it. @see https://protobuf.dev/programming-guides/json/ */
function fraction(nanos: number): string {
  if (nanos === 0) return '';
  const digits = String(nanos).padStart(9, '0');
  return `.${digits.replace(/(?:000)+$/, '')}`;
}

/** The server's time: that of a clock from outside, which a test can set forward. */
export class Clock {
  readonly #source: () => Date;
  #offset: Micros = 0;
  #last: Micros = 0;

  constructor(source: () => Date) {
    this.#source = source;
  }

  now(): Micros {
    return this.#source().getTime() * 1000 + this.#offset;
  }

  /** A time later than all that were given before, so that no two changes share one. */
  next(): Micros {
    this.#last = Math.max(this.now(), this.#last + 1);
    return this.#last;
  }

  advance(seconds: number): void {
    this.#offset += seconds * second;
  }
}
