/** A moment since the Unix epoch or a length of time, in whole microseconds: the services' own resolution. */
export type Micros = number;

export const second: Micros = 1_000_000;
export const minute: Micros = 60 * second;
export const hour: Micros = 60 * minute;

/** A server's time: that of a clock from outside, which a test can set forward. */
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
