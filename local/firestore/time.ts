import { status } from '@grpc/grpc-js';
import { GrpcError } from '../grpc/server.ts';

/** A moment in whole microseconds since the Unix epoch: the resolution that Firestore stores. */
export type Micros = number;

/** `google.protobuf.Timestamp` on the wire: 64-bit seconds as text. */
export interface Timestamp {
  seconds?: string | number;
  nanos?: number;
}

/** How far back one can read. https://cloud.google.com/firestore/docs/use-pitr */
export const retention: Micros = 60 * 60 * 1_000_000;

const microsPerSecond = 1_000_000;

/** Cuts to microseconds, as Firestore does with every timestamp it stores. */
export function toMicros(timestamp: Timestamp): Micros {
  return Number(timestamp.seconds ?? 0) * microsPerSecond + Math.floor((timestamp.nanos ?? 0) / 1000);
}

export function toTimestamp(micros: Micros): { seconds: string; nanos: number } {
  const seconds = Math.floor(micros / microsPerSecond);
  return { seconds: String(seconds), nanos: (micros - seconds * microsPerSecond) * 1000 };
}

/** Time and timers, passed in so that a test can let a transaction expire without waiting for it. */
export interface Clock {
  /** Microseconds since the epoch; need not be monotonic. */
  now(): Micros;
  /** Calls back once after `milliseconds`; the returned function cancels. Never keeps the process alive. */
  after(milliseconds: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  // Date has milliseconds only. Real times have microseconds, and code that cuts them off has to fail here too.
  now: () => Date.now() * 1000 + Number((process.hrtime.bigint() / 1000n) % 1000n),
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, milliseconds);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Issues the times of commits and reads: each later than all before it, so that no two states share one. */
export class TimestampOracle {
  readonly #clock: Clock;
  #last: Micros = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  next(): Micros {
    this.#last = Math.max(this.#clock.now(), this.#last + 1);
    return this.#last;
  }

  /**
   * A time that a client asked to read at.
   *
   * @throws INVALID_ARGUMENT for a time that has not come yet or is finer than a microsecond,
   *   FAILED_PRECONDITION for one that is no longer kept
   */
  past(readTime: Timestamp): Micros {
    if ((readTime.nanos ?? 0) % 1000 !== 0) {
      throw new GrpcError(status.INVALID_ARGUMENT, 'read_time must have microsecond precision');
    }
    const micros = toMicros(readTime);
    const now = this.next();
    if (micros > now) throw new GrpcError(status.INVALID_ARGUMENT, 'read_time cannot be in the future');
    if (micros < now - retention) {
      throw new GrpcError(status.FAILED_PRECONDITION, 'The requested snapshot version is too old.');
    }
    return micros;
  }
}
