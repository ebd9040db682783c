import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { languages } from '../../../../functions/sync-repo-metadata/catalog/model.ts';
import { type StagedDocument, Staging } from '../../../../functions/sync-repo-metadata/tables/staging.ts';
import { type CloudSqlCluster, createCloudSqlCluster } from '../../../../local/postgres/cloudsql.ts';

let cluster: CloudSqlCluster;
let client: pg.Client;

beforeAll(async () => {
  cluster = await createCloudSqlCluster();
  await cluster.createDatabase('app');
  client = new pg.Client({ connectionString: cluster.superuserUrl('app') });
  await client.connect();
  // As the function's sessions are.
  await client.query(`SET search_path = ''`);
});
afterAll(async () => {
  await client?.end();
  await cluster?.remove();
});

const document = (more: Partial<StagedDocument> = {}): StagedDocument => ({
  collection: 'docs',
  key: 'a',
  path: 'a.md',
  parts: '{}',
  blob: 'b',
  definition: 'd',
  language: 'simple',
  title: undefined,
  metadata: '{}',
  text: undefined,
  words: '',
  refs: '[]',
  ...more,
});

async function stage(documents: readonly StagedDocument[], used: readonly string[] = ['simple']) {
  const staging = new Staging(client, 'postgres');
  await staging.begin(used);
  for (const one of documents) await staging.add(one);
  await staging.end();
}

async function staged(columns: string): Promise<Record<string, unknown>[]> {
  return (await client.query(`SELECT ${columns} FROM pg_temp.staged ORDER BY key`)).rows;
}

/** Any text that PostgreSQL has, with all that its formats give a meaning to. */
const text = fc
  .oneof(
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.stringMatching(/^[\t\n\r\\".,{}N|]{0,20}$/),
    fc.constantFrom('', '\\.', '\\N', 'NULL', '\n\\.\n'),
  )
  .filter((value) => !value.includes('\0') && value.isWellFormed());

describe('documents on their way', () => {
  it('arrive as they are', async () => {
    const some = fc.array(
      fc.record({
        path: text,
        title: fc.option(text, { nil: undefined }),
        text: fc.option(text, { nil: undefined }),
        words: text,
        metadata: text,
      }),
      { minLength: 300, maxLength: 300 },
    );
    const [all = []] = fc.sample(some, 1);
    const documents = all.map((one, index) =>
      document({
        ...one,
        key: String(index).padStart(4, '0'),
        metadata: JSON.stringify({ value: one.metadata }),
      }),
    );
    await stage(documents);
    expect(await staged('key, path, title, text, words, metadata')).toEqual(
      documents.map(({ key, path, title = null, text: body = null, words, metadata }) => ({
        key,
        path,
        title,
        text: body,
        words,
        metadata: JSON.parse(metadata),
      })),
    );
  });

  it('arrive in as many batches as they need', async () => {
    const body = 'x'.repeat(100_000);
    const documents = Array.from({ length: 60 }, (_, index) =>
      document({ key: String(index).padStart(2, '0'), text: body }),
    );
    await stage(documents);
    const [row] = await staged('count(*) OVER () AS count, sum(length(text)) OVER () AS characters');
    expect(row).toEqual({ count: '60', characters: '6000000' });
  });

  it('are searched by what they are called, say and are marked with, in this order', async () => {
    await stage([
      document({ key: '1', words: 'cow' }),
      document({ key: '2', text: 'a cow' }),
      document({ key: '3', title: 'Cow' }),
    ]);
    const [first] = (
      await client.query(
        `SELECT string_agg(key, ' ' ORDER BY ts_rank(search, to_tsquery('simple', 'cow')) DESC) AS keys FROM pg_temp.staged`,
      )
    ).rows as { keys: string }[];
    expect(first?.keys).toBe('3 2 1');
  });

  it('are searched each in its own language', async () => {
    const said = { text: 'running houses' };
    await stage(
      [
        document({ key: '1', language: 'english', ...said }),
        document({ key: '2', language: 'simple', ...said }),
      ],
      ['english', 'simple'],
    );
    expect(await staged('search::text')).toEqual([
      { search: "'hous':2B 'run':1B" },
      { search: "'houses':2B 'running':1B" },
    ]);
  });

  it('may be in any language that a catalog may name', async () => {
    await stage(
      languages.map((language) => document({ key: language, language, text: 'Drover' })),
      languages,
    );
    expect(await staged('key')).toHaveLength(languages.length);
  });

  it('are searched by as much as a vector has room for', async () => {
    const tokens = (count: number) =>
      Array.from({ length: count }, (_, index) =>
        String.fromCodePoint(0x4e00 + (index % 20_000), 0x4e00 + Math.floor(index / 20_000)),
      ).join(' ');
    await stage([document({ text: tokens(200_000), title: tokens(300), words: tokens(10_000) })]);
    expect(await staged('length(search) > 30000 AS long')).toEqual([{ long: true }]);
  });

  it('are searched soon though they have no blank', async () => {
    await stage([
      document({ text: 'a_'.repeat(50_000), title: 'a_'.repeat(500), words: 'a_'.repeat(10_000) }),
    ]);
    expect(await staged('length(search) > 0 AS found')).toEqual([{ found: true }]);
  });

  it('that PostgreSQL refuses fail the run', async () => {
    const refused = stage([document({ metadata: '{' })]);
    await expect(refused).rejects.toMatchObject({ code: '22P02' });
    // And the session can be used for the next one.
    await stage([document()]);
    expect(await staged('key')).toEqual([{ key: 'a' }]);
  });
});
