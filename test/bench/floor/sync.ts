import { once } from 'node:events';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { filesOfObject, type ReadFile } from './sync-files.ts';
import type { SyncAnswer, SyncOrder } from './sync-process.ts';
import {
  connectTo,
  copyEnd,
  copyHeader,
  copyStatement,
  type KnownRow,
  learnRows,
  rowOf,
} from './sync-rows.ts';

/**
 * The floor of what syncs a repository: a process of its own, as a function is, that does what can't be spared and nothing
 * else. Its parent says what to do, and is told how long it took.
 */
let client: pg.Client | undefined;
let rows: ReadonlyMap<string, KnownRow> = new Map();

/** Sent at once: so much that a write costs little beside what it carries. */
const batchBytes = 1024 * 1024;

async function carryOut(order: SyncOrder): Promise<SyncAnswer> {
  if (order.connect) client = await connectTo(order.connect);
  if (order.learn) rows = await learnRows(connection(), order.learn);
  const before = performance.now();
  const read = { files: 0, bytes: 0 };
  if (order.read) for await (const files of filesOfObject(order.read)) count(read, files);
  if (order.copy) await copy(order.copy, read);
  const ms = performance.now() - before;
  return { ...read, ms };
}

/** Reads, unpacks and hashes, and sends the rows in one COPY, in a transaction. */
async function copy(
  { object, schema }: SyncOrder['copy'] & object,
  read: Pick<SyncAnswer, 'files' | 'bytes'>,
) {
  await connection().query('BEGIN');
  const sink = connection().query(copyFrom(copyStatement(schema)));
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  sink.once('finish', resolve).once('error', reject);
  let batch: Buffer[] = [copyHeader];
  let bytes = 0;
  for await (const files of filesOfObject(object)) {
    count(read, files);
    for (const file of files) {
      const known = rows.get(file.path);
      if (known === undefined) continue;
      const parts = rowOf(known, file);
      batch.push(...parts);
      for (const part of parts) bytes += part.length;
    }
    if (bytes < batchBytes) continue;
    if (!sink.write(Buffer.concat(batch))) await Promise.race([once(sink, 'drain'), ended]);
    batch = [];
    bytes = 0;
  }
  sink.end(Buffer.concat([...batch, copyEnd]));
  await ended;
  await connection().query('COMMIT');
}

function count(read: { files: number; bytes: number }, files: readonly ReadFile[]): void {
  read.files += files.length;
  for (const { content } of files) read.bytes += content.length;
}

function connection(): pg.Client {
  if (client === undefined) throw new Error('there is no connection yet');
  return client;
}

process.on('message', async (order: SyncOrder) => {
  process.send?.(await carryOut(order));
});
process.send?.({});
