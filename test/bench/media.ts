import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Storage } from '@google-cloud/storage';
import limits from '../../functions/ingest-object/function.json' with { type: 'json' };
import { localInstance, localProject } from '../../local/stack.ts';
import { cameraExif, photograph } from '../support/photos.ts';
import { type Benchmark, type BenchmarkOptions, type Result, rounded, scaled } from './benchmark.ts';
import { startChild } from './child.ts';
import { type Cloud, startCloud } from './cloud.ts';
import type { MediaAnswer, MediaOrder } from './floor/media.ts';
import { median } from './statistics.ts';
import { allAnswered, peakMemoryMib } from './watch.ts';

const database = 'bench';
const topic = 'ingest-object';

/** Without notifications: the events are published when the clock starts. */
const bucket = 'bench-photos';

/** Different pictures, of 12 megapixels each; what is uploaded under many names. */
const pictures = 10;
const size = { width: 4032, height: 3024 };

const turns = 2;

const routes = [
  {
    kind: 'media',
    bucket,
    objects: 'photos/{user}/original/**',
    target: { instance: localInstance, database },
    schema: 'photos',
  },
];

export const media: Benchmark = {
  name: 'media',
  description:
    '500 photographs of 12 megapixels: previews and rows, against bare sharp producing the same files',
  async run(options) {
    const folder = await mkdtemp(path.join(tmpdir(), 'drover-bench-media-'));
    const cloud = await startCloud([database], ['create-schema', topic], undefined, {
      DROVER_ROUTES: JSON.stringify(routes),
    });
    try {
      return await measure(cloud, folder, options);
    } finally {
      await cloud.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function measure(cloud: Cloud, folder: string, options: BenchmarkOptions): Promise<Result> {
  options.progress('making the photographs');
  const files = await photographs(folder);
  const count = scaled(500, options, pictures);
  const storage = new Storage({
    projectId: localProject,
    apiEndpoint: cloud.environment['STORAGE_EMULATOR_HOST'] ?? '',
  });
  await storage.createBucket(bucket);
  const floor = await startChild<MediaOrder, MediaAnswer>(
    path.join(import.meta.dirname, 'floor', 'media.ts'),
    {},
  );
  const took = { product: [] as number[], each: [] as number[], once: [] as number[] };
  const made = { product: 0, floor: 0 };
  try {
    for (let turn = 0; turn <= turns; turn += 1) {
      // The first one warms both up and doesn't count.
      const many = turn === 0 ? pictures : count;
      options.progress(turn === 0 ? 'warming up' : `turn ${turn} of ${turns}`);
      const generations = await upload(storage, files, many, turn);
      const product = async () => {
        const ms = await byDrover(cloud, generations, options);
        if (turn > 0) took.product.push(ms);
      };
      const bare = async (way: 'each' | 'once') => {
        const order = { way, folder: path.join(folder, `floor-${turn}`), atATime: limits.concurrency };
        const photographs = Array.from({ length: many }, (_, index) => files[index % files.length] ?? '');
        const answer = await floor.tell({ ...order, photographs });
        if (turn > 0) took[way].push(answer.ms);
        if (way === 'each') made.floor += answer.files;
        await rm(order.folder, { recursive: true });
      };
      if (turn % 2 === 1) await product();
      await bare('each');
      await bare('once');
      if (turn % 2 === 0) await product();
      made.product += await previewsOf(cloud);
      await storage.bucket(bucket).deleteFiles({ force: true });
    }
  } finally {
    await floor.stop();
  }
  const [mine, each, once] = [median(took.product), median(took.each), median(took.once)];
  const ratio = rounded(mine / each);
  const running = cloud.functions.get(topic);
  const peak = peakMemoryMib(running?.pid() ?? 0);
  const row = (side: string, ms: number, of: number) => ({
    side,
    photographs: count,
    megapixels: Math.round((size.width * size.height) / 1e6),
    'images per second': rounded((count / ms) * 1000),
    seconds: rounded(ms / 1000),
    ratio: of,
  });
  return {
    benchmark: 'media',
    rows: [
      { ...row('Drover', mine, ratio), 'peak MiB': peak },
      row('bare sharp, a pipeline for each file', each, 1),
      row('bare sharp, decoded once', once, rounded(once / each)),
    ],
    checks: [
      { name: 'ratio of the medians', value: ratio, atMost: 1.25 },
      {
        name: `peak memory of the function, ${limits.concurrency} at a time`,
        value: peak,
        atMost: 512,
        unit: ' MiB',
      },
      { name: 'previews that only one side has', value: Math.abs(made.product - made.floor), atMost: 0 },
      { name: 'restarts of the function', value: (running?.starts() ?? 0) - 1, atMost: 0 },
    ],
    notes: [
      `seconds of each turn: Drover ${seconds(took.product)}; bare sharp ${seconds(took.each)}, decoded once ${seconds(took.once)}`,
      'the function also reads and writes them over HTTP, to a server on the same machine',
    ],
  };
}

async function photographs(folder: string): Promise<string[]> {
  const files: string[] = [];
  for (let seed = 1; seed <= pictures; seed += 1) {
    const exif = cameraExif({ at: `2026:06:${String(seed).padStart(2, '0')} 12:00:00`, offset: '+02:00' });
    const content = await photograph({ ...size, seed, format: 'jpeg', exif, orientation: 1 + (seed % 8) });
    const file = path.join(folder, `${seed}.jpg`);
    await writeFile(file, content);
    files.push(file);
  }
  return files;
}

interface Uploaded {
  readonly object: string;
  readonly generation: string;
}

async function upload(
  storage: Storage,
  files: readonly string[],
  count: number,
  turn: number,
): Promise<Uploaded[]> {
  const uploaded: Uploaded[] = [];
  for (let index = 0; index < count; index += 1) {
    const object = `photos/user-${index % 20}/original/${turn}-${index}.jpg`;
    const [{ metadata }] = await storage
      .bucket(bucket)
      .upload(files[index % files.length] ?? '', { destination: object, resumable: false });
    uploaded.push({ object, generation: String(metadata.generation) });
  }
  return uploaded;
}

/** From publishing the first event until the last result was received. */
async function byDrover(
  cloud: Cloud,
  uploaded: readonly Uploaded[],
  options: BenchmarkOptions,
): Promise<number> {
  const before = performance.now();
  const ids = uploaded.map(({ object, generation }) => `${object}#${generation}`.replaceAll(' ', ''));
  await Promise.all(
    uploaded.map((one, index) =>
      cloud.publish(topic, ids[index] ?? '', { event: 'OBJECT_FINALIZE', bucket, ...one }),
    ),
  );
  await allAnswered(cloud, ids, options);
  const last = Math.max(...ids.map((id) => cloud.answers.get(id)?.[0]?.receivedAt ?? 0));
  return last - before;
}

/** Of the rows there are, which then are no more. */
async function previewsOf(cloud: Cloud): Promise<number> {
  const [row] = await cloud.query<{ count: number }>(
    database,
    'WITH gone AS (DELETE FROM photos.media RETURNING previews) SELECT sum(jsonb_array_length(previews))::int AS count FROM gone',
  );
  return row?.count ?? 0;
}

const seconds = (list: readonly number[]) => list.map((ms) => rounded(ms / 1000)).join(', ');
