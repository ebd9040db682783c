import { type Benchmark, type BenchmarkOptions, type Result, rounded, scaled } from './benchmark.ts';
import { countRows, createFloorTables, differingRows } from './floor/sync-tables.ts';
import { median } from './statistics.ts';
import {
  dropSchemas,
  type SyncSides,
  settle,
  syncTopic,
  type Uploaded,
  withSyncSides,
} from './sync-sides.ts';
import { peakMemoryMib } from './watch.ts';

/** Unpacked, these are 200 MB. */
export const documents = 20_000;

/** A smaller repository, by which code is compiled before anything counts. */
const warmUp = 2000;

const turns = 2;

type Side = 'product' | 'floor';

export const syncFull: Benchmark = {
  name: 'sync-full',
  description: 'a repository of 20,000 files and 200 MB into an empty schema, against untar, hash and COPY',
  run: (options) => withSyncSides((sides) => measure(sides, options)),
};

async function measure(sides: SyncSides, options: BenchmarkOptions): Promise<Result> {
  options.progress('making the archives');
  const small = await sides.archive({ documents: scaled(warmUp, options, 100) }, 'small');
  const archive = await sides.archive({ documents: scaled(documents, options, 200) }, 'whole');
  const object = await sides.upload(archive, 'whole.tar.gz');

  options.progress('warming up');
  await takeTurn(sides, 'warm', await sides.upload(small, 'small.tar.gz'), ['product', 'floor']);
  const took: Record<Side, number[]> = { product: [], floor: [] };
  let differing = 0;
  let missing = 0;
  for (let turn = 1; turn <= turns; turn += 1) {
    options.progress(`turn ${turn} of ${turns}`);
    // Who comes first changes; at first the floor learns from the product's rows.
    const order: Side[] = turn % 2 === 1 ? ['product', 'floor'] : ['floor', 'product'];
    const figures = await takeTurn(sides, String(turn), object, order, turn === 1);
    took.product.push(figures.product);
    took.floor.push(figures.floor);
    differing += figures.differing;
    for (const documents of figures.documents) missing += Math.abs(archive.tree.documents - documents);
  }

  const running = sides.cloud.functions.get(syncTopic);
  const ratio = rounded(median(took.product) / median(took.floor));
  const peak = peakMemoryMib(running?.pid() ?? 0);
  const row = (side: string, list: readonly number[], of: number) => ({
    side,
    files: archive.files,
    MB: Math.round(archive.bytes / 1e6),
    turns: list.length,
    'P50 s': rounded(median(list) / 1000),
    'files per second': Math.round((archive.files / median(list)) * 1000),
    ratio: of,
  });
  const seconds = (list: readonly number[]) => list.map((ms) => rounded(ms / 1000)).join(', ');
  return {
    benchmark: 'sync-full',
    rows: [{ ...row('Drover', took.product, ratio), 'peak MiB': peak }, row('floor', took.floor, 1)],
    checks: [
      { name: 'ratio of the medians', value: ratio, atMost: 2 },
      { name: 'peak memory of the function', value: peak, atMost: 512, unit: ' MiB' },
      { name: 'documents that are not there, on both sides', value: missing, atMost: 0 },
      { name: 'rows that are not the same on both sides', value: differing, atMost: 0 },
      { name: 'restarts of the function', value: (running?.starts() ?? 0) - 1, atMost: 0 },
    ],
    notes: [`seconds of each turn: Drover ${seconds(took.product)}; floor ${seconds(took.floor)}`],
  };
}

interface Turn extends Readonly<Record<Side, number>> {
  /** How many there are then, by side. */
  readonly documents: readonly number[];
  /** Where it was compared. */
  readonly differing: number;
}

async function takeTurn(
  sides: SyncSides,
  name: string,
  object: Uploaded,
  order: readonly Side[],
  isCompared = true,
): Promise<Turn> {
  const { client, floor } = sides;
  const [schema, floors] = [`site_${name}`, `floor_${name}`];
  await sides.createSchema(schema);
  await createFloorTables(client, floors);
  const took: Record<Side, number> = { product: 0, floor: 0 };
  for (const side of order) {
    await settle(client);
    if (side === 'product') {
      took.product = (await sides.sync(schema, schema, object)).ms;
      if (isCompared) await floor.tell({ learn: { object: object.url, schema, repository: schema } });
    } else {
      took.floor = (await floor.tell({ copy: { object: object.url, schema: floors } })).ms;
    }
  }
  const there = [await countRows(client, schema), await countRows(client, floors)];
  const differing = isCompared ? await differingRows(client, schema, floors) : 0;
  await dropSchemas(client, schema, floors);
  return { ...took, documents: there, differing };
}
