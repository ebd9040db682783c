import { type Benchmark, type BenchmarkOptions, type Result, rounded, scaled } from './benchmark.ts';
import { closedLoop } from './closed-loop.ts';
import { type Cloud, startCloud } from './cloud.ts';
import { type BenchSecret, createSecrets, longAgo, rotateTopic, withSecrets } from './secrets.ts';
import { askFor } from './sides.ts';
import { allAnswered, endings, peakMemoryMib, settled, watchConnections } from './watch.ts';

const size = { secrets: 500, databases: 25 };

/** Of the preparation: no more than there are databases, or those of one database wait for each other. */
const preparedAtOnce = 5;

export const rotateWave: Benchmark = {
  name: 'rotate-wave',
  description: `${size.secrets} secrets in ${size.databases} databases of one instance that are due at once`,
  async run(options) {
    const databases = Array.from(
      { length: scaled(size.databases, options, preparedAtOnce) },
      (_, index) => `wave_${index}`,
    );
    const secrets = Array.from({ length: scaled(size.secrets, options) }, (_, index) => ({
      secret: `wave-${index}`,
      database: databases[index % databases.length] ?? '',
    }));
    const cloud = await startCloud(databases, ['create-schema', rotateTopic]);
    try {
      await prepare(cloud, secrets, options);
      return await measure(cloud, secrets, databases.length, options);
    } finally {
      await cloud.stop();
    }
  },
};

/** Secrets with two versions that work, as they are after any rotation, and whose grace period is over. */
async function prepare(
  cloud: Cloud,
  secrets: readonly BenchSecret[],
  { progress }: BenchmarkOptions,
): Promise<void> {
  progress(`creating ${secrets.length} secrets`);
  await createSecrets(cloud, secrets, preparedAtOnce);
  progress('rotating each for the first time');
  await closedLoop(secrets, preparedAtOnce, async ({ secret }) => {
    await askFor(cloud, rotateTopic, { secret });
  });
  await withSecrets(cloud, async (registry) => {
    const due = { rotatedAt: longAgo(), nextRotation: longAgo(), nextRetirement: null };
    await Promise.all(secrets.map(({ secret }) => registry.set(secret, due)));
  });
  await settled(cloud);
}

async function measure(
  cloud: Cloud,
  secrets: readonly BenchSecret[],
  databases: number,
  options: BenchmarkOptions,
): Promise<Result> {
  const ids = secrets.map(({ secret }) => `${secret}@due`);
  const running = cloud.functions.get(rotateTopic);
  const connections = watchConnections(cloud, `application_name = 'drover/${rotateTopic}'`);
  const startedAt = performance.now();
  await Promise.all(
    secrets.map(({ secret }, index) =>
      cloud.publish(rotateTopic, ids[index] ?? '', { secret, scheduled: true }),
    ),
  );
  options.progress(`published after ${Math.round(performance.now() - startedAt)} ms`);
  await allAnswered(cloud, ids, options);
  const answered = ids.map((id) => cloud.answers.get(id)?.[0]?.receivedAt ?? Number.NaN);
  const elapsed = Math.max(...answered) - startedAt;
  await settled(cloud);
  const row = {
    secrets: secrets.length,
    databases,
    seconds: rounded(elapsed / 1000),
    'per second': rounded((secrets.length / elapsed) * 1000),
    'peak MiB': peakMemoryMib(running?.pid() ?? 0),
    connections: await connections.stop(),
  };
  const ends = endings(cloud, ids);
  return {
    benchmark: 'rotate-wave',
    rows: [row],
    checks: [
      { name: 'peak memory of the function', value: row['peak MiB'], atMost: 512, unit: ' MiB' },
      { name: 'rotations that did not end as succeeded', value: ends.notSucceeded, atMost: 0 },
      { name: 'rotations with more than one result', value: ends.repeated, atMost: 0 },
      { name: 'secrets that were not rotated', value: await notRotated(cloud, secrets), atMost: 0 },
      { name: 'restarts of the function', value: (running?.starts() ?? 0) - 1, atMost: 0 },
    ],
    notes: [`after the first attempt: ${ends.later} rotations`],
  };
}

/** Created as 1, rotated to 2 by the preparation, and to 3 by the wave. */
function notRotated(cloud: Cloud, secrets: readonly BenchSecret[]): Promise<number> {
  return withSecrets(cloud, async (registry) => {
    const records = await Promise.all(secrets.map(({ secret }) => registry.record(secret)));
    return records.filter((record) => record?.current !== 3).length;
  });
}
