import { localInstance, localProject } from '../../local/stack.ts';
import { functionLogin } from '../../shared/manifest.ts';
import { type Benchmark, type BenchmarkOptions, type Result, rounded, scaled } from './benchmark.ts';
import { type Answer, type Cloud, startCloud } from './cloud.ts';
import { percentile } from './statistics.ts';
import { allAnswered, endings, peakMemoryMib, settled, watchConnections } from './watch.ts';

const functionName = 'create-schema';
const size = { messages: 2000, databases: 20, schemasPerDatabase: 10, duplicates: 0.05 };

interface Message {
  readonly id: string;
  readonly database: string;
  readonly schema: string;
}

export const burst: Benchmark = {
  name: 'burst',
  description: `${size.messages} messages at once for 200 schemas in 20 databases, 5 % of them twice`,
  async run(options) {
    const databases = Array.from({ length: size.databases }, (_, index) => `burst_${index}`);
    const cloud = await startCloud(databases);
    try {
      return await measure(cloud, options, databases);
    } finally {
      await cloud.stop();
    }
  },
};

async function measure(
  cloud: Cloud,
  options: BenchmarkOptions,
  databases: readonly string[],
): Promise<Result> {
  const messages = plan(scaled(size.messages, options), databases);
  const twice = messages.filter((_, index) => index % Math.round(1 / size.duplicates) === 0);
  const connections = watchConnections(cloud, `usename = '${functionLogin(functionName, localProject)}'`);
  const pid = cloud.functions.get(functionName)?.pid() ?? 0;
  const publishedAt = new Map<string, number>();
  const startedAt = performance.now();

  const publish = ({ id, database, schema }: Message) => {
    publishedAt.set(id, publishedAt.get(id) ?? performance.now());
    return cloud.publish(functionName, id, { target: { instance: localInstance, database }, schema });
  };
  await Promise.all([...messages, ...twice].map(publish));
  options.progress(`published after ${Math.round(performance.now() - startedAt)} ms`);
  const ids = messages.map(({ id }) => id);
  await allAnswered(cloud, ids, options);

  const first = [...cloud.answers].map(([id, [answer]]) => ({ id, answer: answer as Answer }));
  const elapsed = Math.max(...first.map(({ answer }) => answer.receivedAt)) - startedAt;
  const waited = first.map(({ id, answer }) => answer.receivedAt - (publishedAt.get(id) ?? 0));
  // The second copies that are still under way find that there is nothing to do; only then can they be counted.
  await settled(cloud);
  const row = {
    messages: messages.length + twice.length,
    operations: messages.length,
    'per second': rounded((messages.length / elapsed) * 1000),
    'P50 ms': rounded(percentile(waited, 0.5)),
    'P95 ms': rounded(percentile(waited, 0.95)),
    'P99 ms': rounded(percentile(waited, 0.99)),
    'peak MiB': peakMemoryMib(pid),
    connections: await connections.stop(),
  };
  const ends = endings(cloud, ids);
  return {
    benchmark: 'burst',
    rows: [row],
    checks: [
      { name: 'peak memory of the function', value: row['peak MiB'], atMost: 512, unit: ' MiB' },
      { name: 'operations that did not end as succeeded', value: ends.notSucceeded, atMost: 0 },
      { name: 'operations with more than one result', value: ends.repeated, atMost: 0 },
      { name: 'schemas missing', value: await missingSchemas(cloud, messages), atMost: 0 },
      {
        name: 'restarts of the function',
        value: (cloud.functions.get(functionName)?.starts() ?? 0) - 1,
        atMost: 0,
      },
    ],
    notes: [`after the first attempt: ${ends.later} operations`],
  };
}

/** Every schema is asked for many times, under ids of their own, and in an order that mixes databases. */
function plan(count: number, databases: readonly string[]): Message[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `burst-${index}`,
    database: databases[index % databases.length] ?? '',
    schema: `s${Math.floor(index / databases.length) % size.schemasPerDatabase}`,
  }));
}

async function missingSchemas(cloud: Cloud, messages: readonly Message[]): Promise<number> {
  let missing = 0;
  for (const database of new Set(messages.map((message) => message.database))) {
    const wanted = new Set(messages.filter((one) => one.database === database).map(({ schema }) => schema));
    const found = await cloud.query<{ nspname: string }>(database, 'SELECT nspname FROM pg_namespace');
    missing += [...wanted].filter((schema) => !found.some(({ nspname }) => nspname === schema)).length;
  }
  return missing;
}
