import { type Benchmark, type BenchmarkOptions, type Result, rounded, scaled } from './benchmark.ts';
import { median, percentile } from './statistics.ts';
import { documents } from './sync.ts';
import {
  type ArchiveFile,
  rowsWritten,
  type SyncSides,
  settle,
  syncTopic,
  withSyncSides,
} from './sync-sides.ts';
import { peakMemoryMib } from './watch.ts';

const turns = 9;

export const syncNoop: Benchmark = {
  name: 'sync-noop',
  description: 'the same repository unchanged, in an archive of another commit, against reading the archive',
  run: (options) => withSyncSides((sides) => measure('sync-noop', 0, sides, options)),
};

export const syncOne: Benchmark = {
  name: 'sync-one',
  description: 'the same repository with one file changed, against reading the archive',
  run: (options) => withSyncSides((sides) => measure('sync-one', 1, sides, options)),
};

/** Which article is another in each other archive. */
const changed = 7;

/** Two archives that take turns: whichever is there, the other one has to be read. */
type Pair = readonly [ArchiveFile, ArchiveFile];

/** A repository, and the schema of the same name. */
const [many, few] = ['many', 'few'];

/** @param changes files that are different in each archive */
async function measure(
  benchmark: string,
  changes: 0 | 1,
  sides: SyncSides,
  options: BenchmarkOptions,
): Promise<Result> {
  const { floor, client } = sides;
  options.progress('making the archives');
  const tree = { documents: scaled(documents, options, 200) };
  const pair: Pair = [
    await sides.archive(changes === 0 ? tree : { ...tree, changed }, 'one'),
    await sides.archive(tree, 'other'),
  ];
  const small: Pair = [
    await sides.archive({ documents: 4 }, 'few'),
    await sides.archive({ documents: 4 }, 'same few'),
  ];
  options.progress('syncing for the first time');
  await begin(sides, few, small[1]);
  await begin(sides, many, pair[1]);

  const took = {
    floor: [] as number[],
    read: [] as number[],
    same: [] as number[],
    constant: [] as number[],
  };
  const written = { read: 0, same: 0 };
  const count = scaled(turns, options, 3);
  // The first turn has the code compiled, and doesn't count.
  for (let turn = 0; turn <= count; turn += 1) {
    options.progress(`turn ${turn} of ${count}`);
    const object = await sides.upload(pair[turn % 2 === 0 ? 0 : 1], `${many}.tar.gz`);
    const other = await sides.upload(small[turn % 2 === 0 ? 0 : 1], `${few}.tar.gz`);
    await settle(client);
    const before = await rowsWritten(client, many);
    const bare = await floor.tell({ read: object.url });
    const read = await sides.sync(many, many, object);
    const between = await rowsWritten(client, many);
    const same = await sides.sync(many, many, object);
    const after = await rowsWritten(client, many);
    const constant = await sides.sync(few, few, other);
    if (turn === 0) continue;
    took.floor.push(bare.ms);
    took.read.push(read.ms);
    took.same.push(same.ms);
    took.constant.push(constant.ms);
    written.read += between - before;
    written.same += after - between;
  }

  const running = sides.cloud.functions.get(syncTopic);
  const constant = median(took.constant);
  const withoutConstant = rounded((median(took.read) - constant) / median(took.floor));
  const peak = peakMemoryMib(running?.pid() ?? 0);
  const row = (
    what: string,
    { files, bytes }: Pick<ArchiveFile, 'files' | 'bytes'>,
    list: readonly number[],
  ) => ({
    what,
    files,
    MB: Math.round(bytes / 1e6),
    syncs: list.length,
    'P50 ms': rounded(median(list)),
    'P95 ms': rounded(percentile(list, 0.95)),
    ratio: rounded(median(list) / median(took.floor)),
  });
  return {
    benchmark,
    rows: [
      row(changes === 0 ? 'Drover, another commit' : 'Drover, one file changed', pair[0], took.read),
      row('Drover, the same object', pair[0], took.same),
      row('Drover, a few files', small[0], took.constant),
      row('floor', pair[0], took.floor),
    ],
    checks: [
      { name: 'ratio, without what a few files take', value: withoutConstant, atMost: 1.3 },
      {
        name: `rows written that are not ${changes} a sync`,
        value: Math.abs(written.read - changes * count),
        atMost: 0,
      },
      { name: 'rows written for the same object', value: written.same, atMost: 0 },
      { name: 'peak memory of the function', value: peak, atMost: 512, unit: ' MiB' },
      { name: 'restarts of the function', value: (running?.starts() ?? 0) - 1, atMost: 0 },
    ],
    notes: [`rows of documents written by ${count} syncs: ${written.read}`],
  };
}

/** Syncs for the first time, and sees that what is written is counted. */
async function begin(sides: SyncSides, repository: string, archive: ArchiveFile): Promise<void> {
  const { client } = sides;
  const wanted = archive.tree.documents;
  await sides.createSchema(repository);
  const object = await sides.upload(archive, `${repository}.tar.gz`);
  const { summary } = await sides.sync(repository, repository, object);
  const written = await rowsWritten(client, repository);
  if (summary.added !== wanted || written !== wanted)
    throw new Error(`of ${wanted} documents ${summary.added} were added, and ${written} rows written`);
  // As autovacuum does it, some time after a table has got its rows.
  await client.query('VACUUM ANALYZE');
}
