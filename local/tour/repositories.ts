import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { styleText } from 'node:util';
import pg from 'pg';
import { list } from 'tar';
import { archiveOf } from '../github/archive.ts';
import { LocalRepository } from '../github/repository.ts';
import type { Stack } from '../stack.ts';
import { type Step, target } from './step.ts';
import { uploads } from './uploads.ts';

const sample = path.resolve(import.meta.dirname, '..', '..', 'samples', 'sqlstates.tar.gz');

const object = 'repositories/sqlstates.tar.gz';

const changed = 'codes/40/40001.md';

/** A repository of some hundred files as tables, and one file of it changed. */
export const repositorySteps: readonly Step[] = [
  {
    title: 'The archive of a repository lands in a bucket, and becomes tables: PostgreSQL’s error codes',
    does: { object, content: () => readFile(sample), follow: true },
    expected: { state: 'succeeded' },
    after: showCollections,
  },
  {
    title: 'One of its files is changed: one row moves',
    does: { object, content: changedArchive, follow: true },
    expected: { state: 'succeeded', changes: 1 },
    after: showMoved,
  },
  {
    title: 'The same commit once more, by a message: nothing to write',
    does: [
      ...['send', 'sync-repo-metadata', '--id', 'tour-34', '--data'],
      JSON.stringify({
        repository: 'sqlstates',
        source: 'archive',
        archive: { bucket: uploads, object },
        target: target('app'),
      }),
    ],
    expected: { state: 'succeeded', changes: 0 },
  },
];

async function changedArchive(): Promise<Buffer> {
  const reading: Promise<[string, Buffer]>[] = [];
  await list({
    file: sample,
    onReadEntry(entry) {
      const name = entry.path.split('/').slice(1).join('/');
      if (entry.type === 'File') reading.push(entry.concat().then((content) => [name, content]));
    },
  });
  const files = Object.fromEntries(await Promise.all(reading));
  const text = `${files[changed]}\nTry again at once, then wait longer each time.\n`;
  const repository = new LocalRepository(1, 'acme/sqlstates', {}, () => new Date());
  return archiveOf(repository.commit({ files: { ...files, [changed]: text } }), 'sqlstates');
}

async function showCollections(stack: Stack): Promise<boolean> {
  const collections = await query(
    stack,
    `SELECT collection, count(*)::int AS documents FROM sqlstates.documents GROUP BY 1 ORDER BY 2 DESC`,
  );
  for (const { collection, documents } of collections) {
    console.log(`      ${String(documents).padStart(4)} in sqlstates.${collection}`);
  }
  const question = 'deadlock retry';
  const found = await query(
    stack,
    `SELECT key, title FROM sqlstates.codes WHERE search @@ websearch_to_tsquery('english', '${question}')
      ORDER BY ts_rank(search, websearch_to_tsquery('english', '${question}')) DESC LIMIT 3`,
  );
  console.log(styleText('dim', `      search for “${question}”:`));
  for (const { key, title } of found) console.log(`      ${key}  ${title}`);
  return collections.length > 3 && found.length > 0;
}

async function showMoved(stack: Stack): Promise<boolean> {
  const moved = await query(
    stack,
    `SELECT path, created_commit, updated_commit FROM sqlstates.documents WHERE updated_commit <> created_commit`,
  );
  for (const { path: file, created_commit: from, updated_commit: to } of moved) {
    console.log(`      ${file}: from ${String(from).slice(0, 7)} to ${String(to).slice(0, 7)}`);
  }
  return moved.length === 1;
}

async function query({ cluster }: Stack, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: cluster.superuserUrl('app') });
  await client.connect();
  try {
    return (await client.query(text)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}
