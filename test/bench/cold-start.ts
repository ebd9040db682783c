import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bundle, startFile } from '../../bundle.ts';
import { findFreePort } from '../../local/ports.ts';
import { localInstance } from '../../local/stack.ts';
import { type Benchmark, type BenchmarkOptions, type Result, rounded, scaled } from './benchmark.ts';
import { type Cloud, startCloud } from './cloud.ts';
import { pushBody, pushWhenListening } from './push.ts';
import { median, percentile } from './statistics.ts';

const runs = 25;
/** The first starts bring files into memory. */
const warmUps = 2;
const patienceMs = 60_000;
const database = 'bench';

const kinds = [
  { kind: 'create-schema', entry: undefined },
  { kind: 'one create()', entry: path.join(import.meta.dirname, 'cold-start', 'one-create.ts') },
  { kind: 'empty', entry: path.join(import.meta.dirname, 'cold-start', 'empty.ts') },
] as const;

type Kind = (typeof kinds)[number]['kind'];

interface Start {
  /** From the start of the process to its first answer. */
  readonly wallMs: number;
  /** Of that, what its main thread spent ready to run while others had the cores. */
  readonly queuedMs: number;
  /** Of that, what its main thread ran. */
  readonly processorMs: number;
}

export const coldStart: Benchmark = {
  name: 'cold-start',
  description: 'a process until its first answered message, against one that makes one Firestore call',
  async run(options) {
    const folder = await mkdtemp(path.join(tmpdir(), 'drover-bench-cold-'));
    const cloud = await startCloud([database]);
    try {
      for (const { kind, entry } of kinds) await bundle(path.join(folder, kind), entry);
      return await measure(cloud, folder, options);
    } finally {
      await cloud.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function measure(cloud: Cloud, folder: string, options: BenchmarkOptions): Promise<Result> {
  const environment = environmentOf(cloud);
  const starts = new Map<Kind, Start[]>(kinds.map(({ kind }) => [kind, []]));
  const count = warmUps + scaled(runs, options, 3);
  for (let run = 0; run < count; run += 1) {
    options.progress(`run ${run + 1} of ${count}`);
    for (const { kind } of kinds) {
      const start = await startOnce(path.join(folder, kind, startFile), environment, `cold_${run}`);
      if (run >= warmUps) starts.get(kind)?.push(start);
    }
  }
  const figures = kinds.map(({ kind }) => ({ kind, ...summarize(starts.get(kind) ?? []) }));
  const floor = figures.find(({ kind }) => kind === 'one create()');
  const rows = figures.map((row) => ({ ...row, ratio: rounded(row['P50 ms'] / (floor?.['P50 ms'] ?? 0)) }));
  const ratioOf = (column: 'P50 ms' | 'unqueued P50 ms') =>
    rounded((figures[0]?.[column] ?? 0) / (floor?.[column] ?? 0));
  return {
    benchmark: 'cold-start',
    rows,
    checks: [
      { name: 'ratio of the medians', value: ratioOf('P50 ms'), atMost: 1.3 },
      { name: 'the same without waiting for a core', value: ratioOf('unqueued P50 ms'), atMost: 1.3 },
    ],
    notes: [],
  };
}

function summarize(starts: readonly Start[]) {
  const wall = starts.map(({ wallMs }) => wallMs);
  return {
    starts: starts.length,
    'P50 ms': rounded(median(wall)),
    'P95 ms': rounded(percentile(wall, 0.95)),
    'unqueued P50 ms': rounded(median(starts.map(({ wallMs, queuedMs }) => wallMs - queuedMs))),
    'processor P50 ms': rounded(median(starts.map(({ processorMs }) => processorMs))),
  };
}

/** The very environment that the local cloud gave the function, from Linux's own account of it. */
function environmentOf(cloud: Cloud): Record<string, string> {
  const pid = cloud.functions.get('create-schema')?.pid();
  const entries = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean);
  return Object.fromEntries(
    entries.map((entry) => {
      const end = entry.indexOf('=');
      return [entry.slice(0, end), entry.slice(end + 1)];
    }),
  );
}

async function startOnce(
  file: string,
  environment: Readonly<Record<string, string>>,
  schema: string,
): Promise<Start> {
  const port = await findFreePort();
  const body = pushBody('create-schema', randomUUID(), {
    target: { instance: localInstance, database },
    schema,
  });
  const startedAt = performance.now();
  // Not in the checkout, whose node_modules must not help.
  const child = spawn(process.execPath, [file], {
    cwd: '/',
    env: { ...environment, PORT: String(port) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit');
  const status = await pushWhenListening(port, 'create-schema', body, AbortSignal.timeout(patienceMs));
  const wallMs = performance.now() - startedAt;
  // Of the main thread, in nanoseconds: https://docs.kernel.org/scheduler/sched-stats.html
  const [ran = 0, queued = 0] = readFileSync(`/proc/${child.pid}/task/${child.pid}/schedstat`, 'utf8')
    .split(' ')
    .map(Number);
  child.kill('SIGTERM');
  await exited;
  if (status !== 204) throw new Error(`${file} answered ${status}`);
  return { wallMs, queuedMs: queued / 1e6, processorMs: ran / 1e6 };
}
