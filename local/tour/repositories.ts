import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { styleText } from 'node:util';
import { Storage } from '@google-cloud/storage';
import pg from 'pg';
import { list } from 'tar';
import { archiveOf } from '../github/archive.ts';
import { LocalRepository } from '../github/repository.ts';
import { localProject, type Stack } from '../stack.ts';
import { type Step, target } from './step.ts';

const sample = path.resolve(import.meta.dirname, '..', '..', 'samples', 'sqlstates.tar.gz');

const archive = { bucket: `${localProject}-uploads`, object: 'repositories/sqlstates.tar.gz' };

const changed = 'codes/40/40001.md';

const sync = (id: string): string[] => [
  'send',
  'sync-repo-metadata',
  '--id',
  id,
  '--data',
  JSON.stringify({ repository: 'acme/sqlstates', source: 'archive', archive, target: target('app') }),
];

/** A repository of some hundred files as tables, and one file of it changed. */
export const repositorySteps: readonly Step[] = [
  {
    title: 'A repository, archived in a bucket, as tables: PostgreSQL’s error codes',
    before: async (stack) => upload(stack, await readFile(sample)),
    command: sync('tour-32'),
    expected: { state: 'succeeded' },
    after: showCollections,
  },
  {
    title: 'One of its files is changed: one row moves',
    before: uploadChanged,
    command: sync('tour-33'),
    expected: { state: 'succeeded', changes: 1 },
    after: showMoved,
  },
  {
    title: 'The same commit once more: nothing to write',
    command: sync('tour-34'),
    expected: { state: 'succeeded', changes: 0 },
  },
];

async function upload({ environment }: Stack, content: Buffer): Promise<void> {
  const storage = new Storage({
    projectId: localProject,
    apiEndpoint: environment['STORAGE_EMULATOR_HOST'] ?? '',
  });
  await storage.bucket(archive.bucket).file(archive.object).save(content, { resumable: false });
}

async function uploadChanged(stack: Stack): Promise<void> {
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
  await upload(stack, archiveOf(repository.commit({ files: { ...files, [changed]: text } }), 'sqlstates'));
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
