import { randomUUID } from 'node:crypto';
import { Storage } from '@google-cloud/storage';
import { localInstance, localProject } from '../../local/stack.ts';
import { type Benchmark, type BenchmarkOptions, type Result, rounded, scaled } from './benchmark.ts';
import { type Cloud, startCloud } from './cloud.ts';
import { askFor } from './sides.ts';
import { median } from './statistics.ts';
import { allAnswered, peakMemoryMib } from './watch.ts';

const database = 'bench';
const target = { instance: localInstance, database };
const topic = 'ingest-object';

/** Without notifications: the events are published when the clock starts. */
const bucket = 'bench-manifests';

const routes = [{ kind: 'manifest', bucket, objects: 'manifests/**.json' }];

const turns = 3;
const principals = Array.from({ length: 40 }, (_, index) => `member_${index}`);
const grantsEach = 10;

/** Schemas of one turn, each with its grants. */
interface Wish {
  readonly schemas: readonly string[];
  readonly grantsOf: (index: number) => readonly { readonly principal: string; readonly level: string }[];
}

export const manifest: Benchmark = {
  name: 'manifest',
  description:
    '200 schemas and 2,000 grants from nothing, and unchanged, against the same operations sent by hand',
  async run(options) {
    const cloud = await startCloud([database], ['create-schema', 'grant-roles', topic], undefined, {
      DROVER_ROUTES: JSON.stringify(routes),
    });
    try {
      return await measure(cloud, options);
    } finally {
      await cloud.stop();
    }
  },
};

async function measure(cloud: Cloud, options: BenchmarkOptions): Promise<Result> {
  const count = scaled(200, options, 10);
  await cloud.query(database, principals.map((name) => `CREATE ROLE ${name} LOGIN`).join(';'));
  const upload = await uploading(cloud);
  await warmUp(cloud, upload, options);

  const took = {
    product: [] as number[],
    hand: [] as number[],
    same: [] as number[],
    handSame: [] as number[],
  };
  const transactions: number[] = [];
  for (let turn = 1; turn <= turns; turn += 1) {
    options.progress(`turn ${turn} of ${turns}`);
    const [mine, theirs] = [wishOf(`m${turn}`, count), wishOf(`h${turn}`, count)];
    const product = async () => took.product.push(await byManifest(cloud, upload, mine));
    const hand = async () => took.hand.push(await byHand(cloud, theirs, options));
    // Who comes first changes.
    for (const side of turn % 2 === 1 ? [product, hand] : [hand, product]) await side();
    const before = await committed(cloud);
    took.same.push(await byManifest(cloud, upload, mine, { changed: 0, unchanged: 2 * count }));
    transactions.push((await committed(cloud)) - before);
    took.handSame.push(await byHand(cloud, theirs, options));
  }

  const ratio = rounded(median(took.product) / median(took.hand));
  const row = (what: string, list: readonly number[], of: number | string) => ({
    what,
    schemas: count,
    grants: count * grantsEach,
    'P50 s': rounded(median(list) / 1000),
    ratio: of,
  });
  const peak = peakMemoryMib(cloud.functions.get(topic)?.pid() ?? 0);
  return {
    benchmark: 'manifest',
    rows: [
      { ...row('manifest, from nothing', took.product, ratio), 'peak MiB': peak },
      row('by hand, from nothing', took.hand, 1),
      row('manifest, unchanged', took.same, rounded(median(took.same) / median(took.handSame))),
      row('by hand, unchanged', took.handSame, 1),
    ],
    checks: [
      { name: 'from nothing: ratio of the medians', value: ratio, atMost: 1.25 },
      {
        name: 'unchanged: transactions in the database',
        value: Math.max(...transactions),
        atMost: 1,
      },
      { name: 'peak memory of the function', value: peak, atMost: 512, unit: ' MiB' },
    ],
    notes: [],
  };
}

type Upload = (name: string, content: string) => Promise<string>;

async function uploading({ environment }: Cloud): Promise<Upload> {
  const apiEndpoint = environment['STORAGE_EMULATOR_HOST'] ?? '';
  const storage = new Storage({ projectId: localProject, apiEndpoint });
  await storage.createBucket(bucket);
  return async (name, content) => {
    const file = storage.bucket(bucket).file(name);
    await file.save(content, { resumable: false });
    return String(file.metadata.generation);
  };
}

async function warmUp(cloud: Cloud, upload: Upload, options: BenchmarkOptions): Promise<void> {
  options.progress('warming up');
  const [mine, theirs] = [wishOf('warm_m', 20), wishOf('warm_h', 20)];
  for (let turn = 0; turn < 3; turn += 1) {
    await byManifest(cloud, upload, mine);
    await byHand(cloud, theirs, options);
  }
}

function wishOf(prefix: string, count: number): Wish {
  return {
    schemas: Array.from({ length: count }, (_, index) => `${prefix}_${index}`),
    grantsOf: (index) =>
      Array.from({ length: grantsEach }, (_, at) => ({
        principal: principals[(index + at) % principals.length] ?? '',
        level: ['reader', 'writer', 'analyst'][at % 3] ?? '',
      })),
  };
}

/** From publishing the event until its result was received. */
async function byManifest(
  cloud: Cloud,
  upload: Upload,
  { schemas, grantsOf }: Wish,
  expected: Readonly<Record<string, number>> = {},
): Promise<number> {
  const entries = schemas.map((schema, index) => {
    const grants = grantsOf(index).map(({ principal, level }) => ({ principal, kind: 'login', level }));
    return [schema, { grants }] as const;
  });
  const text = JSON.stringify({ version: 1, database: target, schemas: Object.fromEntries(entries) });
  const object = `manifests/${schemas[0]}.json`;
  const generation = await upload(object, text);
  const before = performance.now();
  const result = await askFor(cloud, topic, { event: 'OBJECT_FINALIZE', bucket, object, generation });
  const ms = performance.now() - before;
  const { summary } = (JSON.parse(result) as { data: { summary: Record<string, number> } }).data;
  for (const [name, value] of Object.entries(expected)) {
    if (summary[name] !== value) throw new Error(`${summary[name]} are ${name}, not ${value}`);
  }
  return ms;
}

/** From publishing the first message until the last result was received: grants after their schemas. */
async function byHand(cloud: Cloud, { schemas, grantsOf }: Wish, options: BenchmarkOptions): Promise<number> {
  const before = performance.now();
  await Promise.all(
    schemas.map(async (schema, index) => {
      await askFor(cloud, 'create-schema', { target, schema });
      const grants = grantsOf(index).map(({ principal, level }) => ({ principal, kind: 'login', level }));
      await askFor(cloud, 'grant-roles', { target, schema, mode: 'add', grants }, randomUUID());
    }),
  );
  await allAnswered(cloud, [], options);
  return performance.now() - before;
}

/** Of all sessions that have ended theirs, by PostgreSQL's own count, which is behind by up to a second. */
async function committed(cloud: Cloud): Promise<number> {
  const [row] = await cloud.query<{ count: number }>(
    'postgres',
    `SELECT xact_commit::int AS count FROM pg_stat_database WHERE datname = '${database}'`,
  );
  return row?.count ?? 0;
}
