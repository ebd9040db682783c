/** What was measured: one row per case, for people as a table and for machines as it is. */
export interface Result {
  readonly benchmark: string;
  readonly rows: readonly Readonly<Record<string, string | number>>[];
  readonly checks: readonly Check[];
  readonly notes: readonly string[];
}

/** A figure that has a limit, or something that has to be so. */
export interface Check {
  readonly name: string;
  readonly value: number;
  readonly atMost: number;
  readonly unit?: string;
}

export interface BenchmarkOptions {
  /** Multiplies how often things are done: 1 for figures that count, less to see that it works. */
  readonly scale: number;
  /** Says how far it is, for who waits. */
  readonly progress: (what: string) => void;
}

export interface Benchmark {
  readonly name: string;
  readonly description: string;
  run(options: BenchmarkOptions): Promise<Result>;
}

/** How often to do something, scaled but never less than `least`. */
export function scaled(count: number, { scale }: BenchmarkOptions, least = 2): number {
  return Math.max(least, Math.round(count * scale));
}

/** With as many decimals as a reader can use. */
export function rounded(value: number): number {
  if (Math.abs(value) >= 100) return Math.round(value);
  return Number(value.toPrecision(3));
}
