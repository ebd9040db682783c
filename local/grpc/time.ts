import { type Micros, second } from '../clock.ts';
import type { Message } from './server.ts';

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

/** In UTC, without a fraction and without an offset. */
export function toIso(seconds: string): string {
  return new Date(Number(seconds) * 1000).toISOString().slice(0, 'YYYY-MM-DDTHH:mm:ss'.length);
}

/** In groups of three digits, as protobuf's own libraries write it. @see https://protobuf.dev/programming-guides/json/ */
function fraction(nanos: number): string {
  if (nanos === 0) return '';
  const digits = String(nanos).padStart(9, '0');
  return `.${digits.replace(/(?:000)+$/, '')}`;
}
