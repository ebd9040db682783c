import { describe, expect, it } from 'vitest';
import { target } from '../support/stack.ts';
import { catalogFile, type Tree, useRepositories } from './repositories.ts';

const cloud = useRepositories();

const properties = {
  rating: { type: 'number' },
  count: { type: 'integer' },
  draft: { type: 'boolean' },
  author: { type: 'string' },
  day: { type: 'string', format: 'date' },
  seen: { type: ['string', 'null'], format: 'date-time' },
  tags: { type: 'array', items: { type: 'string' } },
  any: {},
  title: { type: 'string' },
};

const codes = (more: object = {}) => ({
  files: ['codes/*.json'],
  format: 'json',
  path: 'codes/{code}.json',
  key: '{code}',
  schema: { type: 'object', properties },
  ...more,
});

const whole = {
  rating: 0.1,
  count: 9007199254740992,
  draft: false,
  author: 'Ada',
  day: '2024-02-29',
  seen: '2024-02-29T23:30:00+02:00',
  tags: ['x', 'y'],
  any: { deep: [1] },
  title: 'All',
};

const json = (values: Readonly<Record<string, object | string>>): Tree =>
  Object.fromEntries(
    Object.entries(values).map(([code, value]) => [
      `codes/${code}.json`,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );

const columnsOf = (schema: string, view: string) =>
  cloud.query(
    `SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
      WHERE attrelid = '${schema}.${view}'::regclass AND attnum > 0 ORDER BY attnum`,
  );

const viewsOf = async (schema: string) => (await cloud.everything(schema))['views'];

describe('the view of a collection', () => {
  it('has a column of its type for each field that the JSON Schema describes', async () => {
    await cloud.sync('typed', { ...catalogFile({ codes: codes() }), ...json({ a: whole, b: {} }) });

    expect((await columnsOf('typed', 'codes')).slice(0, 11)).toEqual([
      { name: 'key', type: 'text' },
      { name: 'code', type: 'text' },
      { name: 'rating', type: 'numeric' },
      { name: 'count', type: 'bigint' },
      { name: 'draft', type: 'boolean' },
      { name: 'author', type: 'text' },
      { name: 'day', type: 'date' },
      { name: 'seen', type: 'timestamp with time zone' },
      { name: 'tags', type: 'text[]' },
      { name: 'any', type: 'jsonb' },
      { name: 'metadata_title', type: 'text' },
    ]);
    expect(
      await cloud.query(
        `SELECT code, rating, count, draft, author, day::text, seen, tags, "any", title, metadata_title
           FROM typed.codes ORDER BY 1`,
      ),
    ).toEqual([
      {
        ...whole,
        code: 'a',
        rating: '0.1',
        count: '9007199254740992',
        seen: new Date('2024-02-29T21:30:00Z'),
        metadata_title: 'All',
      },
      expect.objectContaining({ code: 'b', rating: null, count: null, draft: null, seen: null, tags: null }),
    ]);
  });

  it('has null where a row was kept that is older than the schema', async () => {
    const old = codes({ schema: { properties: { count: { type: 'string' }, day: { type: 'string' } } } });
    const file = json({ a: { count: 'many', day: 'soon' }, b: { count: '7', day: '2024-01-01' } });
    await cloud.sync('older', { ...catalogFile({ codes: old }), ...file });
    const mended = json({ b: { count: 7, day: '2024-01-01' } });

    const { summary, result } = await cloud.sync('older', {
      ...catalogFile({ codes: codes() }),
      ...file,
      ...mended,
    });

    expect(summary).toMatchObject({ updated: 1, unchanged: 1, problems: 1 });
    expect(result?.problems).toMatchObject([{ code: 'SCHEMA_VIOLATION', path: 'codes/a.json' }]);
    expect(await cloud.query('SELECT code, count, day::text, metadata FROM older.codes ORDER BY 1')).toEqual([
      { code: 'a', count: null, day: null, metadata: { count: 'many', day: 'soon' } },
      { code: 'b', count: '7', day: '2024-01-01', metadata: { count: 7, day: '2024-01-01' } },
    ]);
  });

  it.each([
    ['an integer below what 64 bits hold', '{"count": -9223372036854775809}'],
    ['an integer above what 64 bits hold', '{"count": 9223372036854775808}'],
    ['a leap second and more', '{"seen": "2016-12-31T23:59:60.5Z"}'],
    ['a leap second in an hour that no day has', '{"seen": "2016-12-31T24:59:60+01:00"}'],
    ['a leap second in a minute that no hour has', '{"seen": "2016-12-31T23:99:60+00:40"}'],
    ['a second of very many digits', `{"seen": "2016-12-31T23:59:59.${'1'.repeat(300)}Z"}`],
    ['the year 0', '{"day": "0000-01-01"}'],
    ['an offset that nobody has', '{"seen": "2024-01-01T00:00:00+23:00"}'],
    ['a number of many digits', '{"rating": 1e-300, "count": 1e18}'],
  ])('can be read whatever is in a file: %s', async (what, text) => {
    const name = `odd_${what.replaceAll(/\W+/g, '_')}`.toLowerCase();
    await cloud.sync(name, {
      ...catalogFile({ codes: codes() }),
      ...json({ good: { count: 1 }, odd: text }),
    });
    expect(await cloud.query(`SELECT * FROM ${name}.codes`)).toContainEqual(
      expect.objectContaining({ code: 'good', count: '1' }),
    );
  });

  it('stays as it is while its catalog does', async () => {
    const files = { ...catalogFile({ codes: codes() }), ...json({ a: whole }) };
    await cloud.sync('steady', files);
    const before = await viewsOf('steady');

    const { changes } = await cloud.sync('steady', { ...files, 'other.txt': 'of no collection' });

    expect(changes).toEqual([]);
    expect(await viewsOf('steady')).toEqual(before);
  });

  it('follows the catalog: it gets more columns, others, and goes', async () => {
    const few = codes({ schema: { properties: { count: { type: 'integer' } } } });
    const files = json({ a: whole });
    await cloud.sync('changing', { ...catalogFile({ codes: few, more: few }), ...files });
    await cloud.query('CREATE ROLE views_reader; GRANT SELECT ON changing.codes TO views_reader');

    const { changes } = await cloud.sync('changing', { ...catalogFile({ codes: codes() }), ...files });

    expect(changes).toContainEqual(
      expect.objectContaining({ kind: 'view', name: 'changing.more', detail: 'dropped' }),
    );
    expect((await columnsOf('changing', 'codes')).map(({ name }) => name)).toContain('rating');
    expect(Object.keys((await viewsOf('changing')) as object)).toEqual(['codes']);
    expect(await cloud.query('SELECT count FROM changing.codes')).toEqual([{ count: '9007199254740992' }]);
  });

  it('that others are built on is not taken from under them', async () => {
    const files = json({ a: whole });
    await cloud.sync('used', { ...catalogFile({ codes: codes() }), ...files });
    await cloud.query('CREATE SCHEMA reports; CREATE VIEW reports.counts AS SELECT count FROM used.codes');
    const before = await cloud.everything('used');
    const other = codes({ schema: { properties: { count: { type: 'string' } } } });
    const next = { ...catalogFile({ codes: other }), ...json({ a: { count: 'one' }, b: { count: 'two' } }) };

    const error = await cloud.refused(await cloud.upload('used', next), 'VIEW_IN_USE');

    expect(error.message).toMatch(/used\.codes.*drop.*reports\.counts/s);
    expect(await cloud.everything('used')).toEqual(before);

    await cloud.query('DROP VIEW reports.counts');
    await cloud.sync('used', { ...next, 'x.txt': '' });
    expect(await cloud.query('SELECT count FROM used.codes ORDER BY 1')).toEqual([
      { count: 'one' },
      { count: 'two' },
    ]);
  });
});

describe('a schema', () => {
  const markdown = (name: string) => catalogFile({ [name]: { files: ['*.md'], format: 'markdown' } });

  it('is shared by two repositories that have collections of different names', async () => {
    await cloud.sync('one', { ...markdown('ones'), 'a.md': '# One' }, { schema: 'shared' });
    await cloud.sync('two', { ...markdown('twos'), 'a.md': '# Two' }, { schema: 'shared' });
    await cloud.sync('one', { ...markdown('ones'), 'a.md': '# One again' }, { schema: 'shared' });

    expect(
      await cloud.query('SELECT repository, collection, key, title FROM shared.documents ORDER BY 1'),
    ).toEqual([
      { repository: 'one', collection: 'ones', key: 'a.md', title: 'One again' },
      { repository: 'two', collection: 'twos', key: 'a.md', title: 'Two' },
    ]);
    expect(await cloud.query('SELECT title FROM shared.twos')).toEqual([{ title: 'Two' }]);
    expect(await cloud.query('SELECT repository, number FROM shared.syncs ORDER BY 1, 2')).toEqual([
      { repository: 'one', number: '1' },
      { repository: 'one', number: '2' },
      { repository: 'two', number: '1' },
    ]);
  });

  it('has no two views of one name', async () => {
    await cloud.sync('first', { ...markdown('posts'), 'a.md': '# A' }, { schema: 'contested' });
    const before = await cloud.everything('contested');
    const message = await cloud.upload(
      'second',
      { ...markdown('posts'), 'b.md': '# B' },
      { schema: 'contested' },
    );

    expect((await cloud.refused(message, 'VIEW_TAKEN')).message).toMatch(
      /posts.*call the collection otherwise/,
    );
    expect(await cloud.everything('contested')).toEqual(before);
  });

  it('has no two views of one name either where both repositories come at once', async () => {
    await cloud.sync('early', { ...markdown('early_posts'), 'a.md': '# A' }, { schema: 'raced' });
    const late = await cloud.upload('late', { ...markdown('posts'), 'b.md': '# B' }, { schema: 'raced' });
    // First what kind of archive it is, then, when it is known which views there are, the archive.
    const { met, letGo } = cloud.holdRead('repositories/late.tar.gz', 2);
    const ending = cloud.send(late);
    await met;
    await cloud.sync('early', { ...markdown('posts'), 'a.md': '# A' }, { schema: 'raced' });
    letGo();

    expect(await ending).toMatchObject({ state: 'failed', error: { code: 'VIEW_TAKEN' } });
    expect(await cloud.query('SELECT title FROM raced.posts')).toEqual([{ title: 'A' }]);
  });

  it('that has a table of the same name is left alone', async () => {
    await cloud.stack.send('create-schema', { target: target('app'), schema: 'taken' }, { id: 'taken' });
    await cloud.stack.ended('create-schema', 'taken');
    await cloud.query('CREATE TABLE taken.documents (id int); INSERT INTO taken.documents VALUES (1)');
    const error = await cloud.refused(await cloud.upload('taken', { 'a.md': '# A' }), 'TABLE_TAKEN');
    expect(error.message).toMatch(/documents.*another schema, or rename/);
    expect(await cloud.query('SELECT * FROM taken.documents')).toEqual([{ id: 1 }]);
    expect(
      await cloud.query(`SELECT relname FROM pg_class WHERE relnamespace = 'taken'::regnamespace`),
    ).toEqual([{ relname: 'documents' }]);
  });

  it('has indexes, whose names no view can have either', async () => {
    const message = await cloud.upload('indexed', { ...markdown('documents_search'), 'a.md': '# A' });
    await cloud.refused(message, 'CATALOG_INVALID');
  });
});
