import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { BenchmarkOptions } from './benchmark.ts';
import type { Cloud } from './cloud.ts';

const patienceMs = 10 * 60 * 1000;
const sampleMs = 250;

/** Resolves when each of these operations has a result. */
export async function allAnswered(
  { answers }: Pick<Cloud, 'answers'>,
  ids: readonly string[],
  { progress }: BenchmarkOptions,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  for (let ticks = 1; ; ticks += 1) {
    const missing = ids.filter((id) => !answers.has(id)).length;
    if (missing === 0) return;
    if (performance.now() > deadline) throw new Error(`${missing} messages were not answered`);
    await delay(sampleMs);
    if (ticks % 20 === 0) progress(`${ids.length - missing} of ${ids.length} answered`);
  }
}

/** Resolves when no result has come for a while. */
export async function settled({ answers }: Pick<Cloud, 'answers'>): Promise<void> {
  const count = () => [...answers.values()].reduce((sum, list) => sum + list.length, 0);
  for (let before = -1; before !== count(); ) {
    before = count();
    await delay(3000);
  }
}

/**
 * Asks PostgreSQL, again and again, how many connections there are of a kind.
 *
 * @param condition of `pg_stat_activity`
 */
export function watchConnections(
  cloud: Pick<Cloud, 'query'>,
  condition: string,
): { stop(): Promise<number> } {
  let most = 0;
  let watching = true;
  const watch = async () => {
    while (watching) {
      const [row] = await cloud.query<{ open: number }>(
        'postgres',
        `SELECT count(*)::int AS open FROM pg_stat_activity WHERE ${condition}`,
      );
      most = Math.max(most, row?.open ?? 0);
      await delay(sampleMs);
    }
  };
  const watched = watch();
  return {
    async stop() {
      watching = false;
      await watched;
      return most;
    },
  };
}

/** The most memory that a process has ever had, by Linux's own account. */
export function peakMemoryMib(pid: number): number {
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Math.round(Number(kib) / 1024);
}

/** How operations ended: by their ids, and by what the result events say. */
export function endings({ answers }: Pick<Cloud, 'answers'>, ids: readonly string[]) {
  const counts = { notSucceeded: 0, repeated: 0, later: 0 };
  for (const id of ids) {
    const events = (answers.get(id) ?? []).map(({ text }) => JSON.parse(text) as ResultEvent);
    if (!events.every(({ data }) => data.state === 'succeeded')) counts.notSucceeded += 1;
    // An event that was delivered twice is one event; its id tells.
    if (new Set(events.map((event) => event.id)).size > 1) counts.repeated += 1;
    if (events.some(({ data }) => data.attempt > 1)) counts.later += 1;
  }
  return counts;
}

interface ResultEvent {
  readonly id: string;
  readonly data: { readonly state: string; readonly attempt: number };
}
