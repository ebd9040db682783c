import { describe, expect, it } from 'vitest';
import { filesPerPlot, plotsCatalog, plotsTree } from '../support/plots.ts';
import { target, uploads } from '../support/stack.ts';
import { catalogFile, commitOf, type Tree, useRepositories, zipped } from './repositories.ts';

const cloud = useRepositories();

const libraries = { files: ['libraries/*.yaml'], format: 'yaml', path: 'libraries/{id}.yaml', key: '{id}' };
const plots = {
  files: ['plots/**/*.md'],
  format: 'markdown',
  path: 'plots/{id}/{language}/{library}.md',
  key: '{id}/{language}/{library}',
  language: 'english',
  references: [{ field: 'uses', collection: 'libraries' }],
};

const gallery: Tree = {
  ...catalogFile({ libraries, plots }),
  'libraries/altair.yaml': 'title: Altair\n',
  'libraries/plotly.yaml': 'title: Plotly\n',
  'plots/scatter/python/altair.md':
    '---\nuses: altair\ntags: [dots]\n---\n# Scattered points\n\nDrawn one by one.\n',
  'plots/scatter/python/plotly.md': '---\nuses: [plotly, altair]\n---\n# Points\n\nA drawing of many.\n',
  LICENSE: 'free',
};

const keysOf = async (schema: string) =>
  (await cloud.query(`SELECT key FROM ${schema}.documents ORDER BY collection, key`)).map(({ key }) => key);

describe('a repository in an archive', () => {
  it('becomes rows that can be searched, with parts of paths and references', async () => {
    const { summary, result, changes } = await cloud.sync('gallery', gallery);

    const counts = { documents: 4, added: 4, updated: 0, deleted: 0, unchanged: 0, problems: 0 };
    expect(summary).toEqual(counts);
    expect(result).toMatchObject({
      repository: 'gallery',
      schema: 'gallery',
      commit: commitOf(gallery),
      number: 1,
      collections: { libraries: 2, plots: 2 },
      problems: [],
    });
    expect(changes?.map(({ kind, name }) => `${kind} ${name}`)).toEqual(
      expect.arrayContaining([
        'table gallery.documents',
        'view gallery.plots',
        'documents gallery.documents',
      ]),
    );
    const [row] = await cloud.query(`SELECT * FROM gallery.documents WHERE key = 'scatter/python/altair'`);
    expect(row).toMatchObject({
      repository: 'gallery',
      collection: 'plots',
      path: 'plots/scatter/python/altair.md',
      parts: { id: 'scatter', language: 'python', library: 'altair' },
      title: 'Scattered points',
      metadata: { uses: 'altair', tags: ['dots'] },
      text: expect.stringContaining('Drawn one by one'),
      refs: [{ field: 'uses', collection: 'libraries', key: 'altair' }],
      created_commit: commitOf(gallery),
      updated_commit: commitOf(gallery),
    });
    expect(
      await cloud.query(
        `SELECT library FROM gallery.plots WHERE search @@ to_tsquery('english', 'point') ORDER BY 1`,
      ),
    ).toEqual([{ library: 'altair' }, { library: 'plotly' }]);
    expect(
      await cloud.query(
        `SELECT key FROM gallery.plots WHERE refs @> '[{"collection": "libraries", "key": "plotly"}]'`,
      ),
    ).toEqual([{ key: 'scatter/python/plotly' }]);
    expect(await cloud.query('SELECT * FROM gallery.syncs')).toMatchObject([
      { number: '1', state: 'applied', commit: commitOf(gallery), documents: '4', added: '4', problem: [] },
    ]);
  });

  it('is written only where it changed, and loses what is gone', async () => {
    await cloud.sync('moving', gallery);
    const before = await cloud.query('SELECT key, xmin::text FROM moving.documents ORDER BY 1');
    const { 'plots/scatter/python/plotly.md': _, ...rest } = gallery;
    const next = {
      ...rest,
      'libraries/plotly.yaml': 'title: Plotly 6\n',
      'libraries/vega.yaml': 'title: Vega\n',
    };

    const { summary, changes, result } = await cloud.sync('moving', next);

    expect(summary).toEqual({ documents: 4, added: 1, updated: 1, deleted: 1, unchanged: 2, problems: 0 });
    expect(changes).toEqual([
      expect.objectContaining({
        name: 'moving.documents',
        detail: 'of moving: 1 added, 1 updated, 1 deleted',
      }),
    ]);
    expect(result).toMatchObject({ commit: commitOf(next), previousCommit: commitOf(gallery) });
    const after = await cloud.query('SELECT key, xmin::text FROM moving.documents ORDER BY 1');
    expect(
      after.filter((row) => before.some((old) => JSON.stringify(old) === JSON.stringify(row))),
    ).toMatchObject([{ key: 'altair' }, { key: 'scatter/python/altair' }]);
    expect(
      await cloud.query(`SELECT created_commit, updated_commit FROM moving.documents WHERE key = 'plotly'`),
    ).toEqual([{ created_commit: commitOf(gallery), updated_commit: commitOf(next) }]);
  });

  it('is the same as a zip', async () => {
    await cloud.sync('packed', gallery);
    const before = await cloud.everything('packed');
    const object = 'repositories/packed.zip';
    await cloud.put(object, zipped(gallery));

    const { summary } = await cloud.done({
      repository: 'packed',
      source: 'archive',
      archive: { bucket: uploads, object },
      target: target('app'),
    });

    expect(summary).toMatchObject({ documents: 4, added: 0, updated: 0, deleted: 0, unchanged: 4 });
    const { documents, views } = await cloud.everything('packed');
    expect({ documents, views }).toEqual({ documents: before['documents'], views: before['views'] });
  });

  it('is read by another catalog as soon as it has one', async () => {
    const files = { 'a/x.md': '# X\n', 'a/y.md': '# Y\n', 'z.yaml': 'title: Z\n' };
    await cloud.sync('growing', files);
    expect(await keysOf('growing')).toEqual(['a/x.md', 'a/y.md', 'z.yaml']);

    const pages = { files: ['a/*.md'], format: 'markdown', path: 'a/{name}.md', key: '{name}' };
    await cloud.sync('growing', { ...files, ...catalogFile({ pages }) });
    expect(await keysOf('growing')).toEqual(['x', 'y']);
    expect(Object.keys((await cloud.everything('growing'))['views'] as object)).toEqual(['pages']);

    const renamed = { ...pages, path: 'a/{letter}.md', key: 'page-{letter}' };
    await cloud.sync('growing', { ...files, ...catalogFile({ pages: renamed }) });
    expect(await cloud.query('SELECT key, letter FROM growing.pages ORDER BY 1')).toEqual([
      { key: 'page-x', letter: 'x' },
      { key: 'page-y', letter: 'y' },
    ]);

    await cloud.sync('growing', files);
    expect(await keysOf('growing')).toEqual(['a/x.md', 'a/y.md', 'z.yaml']);
  });

  it('is read as a whole again where that is asked for, and written only where that makes a difference', async () => {
    const message = await cloud.upload('rebuilt', gallery);
    await cloud.done(message);
    await cloud.query(`UPDATE rebuilt.documents SET title = 'Spoilt' WHERE key = 'altair'`);
    expect((await cloud.done(message)).summary).toMatchObject({ updated: 0, unchanged: 4 });
    expect((await cloud.done({ ...message, rebuild: true })).summary).toMatchObject({
      updated: 1,
      unchanged: 3,
    });
    expect(await cloud.query(`SELECT title FROM rebuilt.libraries WHERE key = 'altair'`)).toEqual([
      { title: 'Altair' },
    ]);
  });

  it('may have a collection of any name', async () => {
    const collections = { constructor: libraries, select: plots, user: libraries };
    const references = [{ field: 'uses', collection: 'constructor' }];
    const files = { ...gallery, ...catalogFile({ ...collections, select: { ...plots, references } }) };
    await cloud.sync('names', files);
    expect((await cloud.sync('names', { ...files, 'x.txt': '' })).changes).toEqual([]);
    expect(await cloud.query('SELECT id FROM names.constructor ORDER BY 1')).toEqual([
      { id: 'altair' },
      { id: 'plotly' },
    ]);
    expect(await cloud.query('SELECT count(*)::int FROM names."select"')).toEqual([{ count: 2 }]);
  });

  it('is read by the message’s catalog where that has one', async () => {
    const notes = { files: ['*.txt'], format: 'source' };
    const files = { ...gallery, 'a.txt': 'first line\n' };
    await cloud.sync('told', files, { config: { collections: { notes } } });
    expect(await cloud.query('SELECT key, title, text FROM told.notes')).toEqual([
      { key: 'a.txt', title: null, text: 'first line\n' },
    ]);
  });

  it('has what is wrong with its catalog told, and stays as it was', async () => {
    await cloud.sync('mistaken', gallery);
    const before = await cloud.everything('mistaken');
    const broken = catalogFile({ plots: { ...plots, path: '{id}{id}', references: [] } });

    const error = await cloud.refused(
      await cloud.upload('mistaken', { ...gallery, ...broken }),
      'CATALOG_INVALID',
    );

    expect(error.message).toMatch(/drover\.catalog\.yaml.*collections\.plots\.path/);
    expect(await cloud.everything('mistaken')).toEqual(before);
  });
});

describe('a catalogue of plots', () => {
  it('syncs with the catalog that is shipped for it, whatever its predecessor could not', async () => {
    const config = plotsCatalog();
    const first = await cloud.sync('plots', plotsTree({ plots: 4 }), { config });
    expect(first.summary).toMatchObject({ documents: 4 * filesPerPlot, problems: 0 });
    const faults = { 'yaml-error': 0, 'unknown-library': 1, 'zero-score': 2 };
    const second = await cloud.sync('plots', plotsTree({ plots: 4, faults }), { config });
    expect(second.summary).toMatchObject({ documents: 4 * filesPerPlot, deleted: 0 });
    expect(Number(second.summary?.['problems'])).toBeGreaterThan(0);
  });
});
