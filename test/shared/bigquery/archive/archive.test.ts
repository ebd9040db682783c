import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ApiError } from '../../../../local/http/api-error.ts';
import { exportDataset } from '../../../../shared/bigquery/archive/export.ts';
import { restoreDataset } from '../../../../shared/bigquery/archive/restore.ts';
import { listTables } from '../../../../shared/bigquery/resources.ts';
import { ensureTenantDataset } from '../../../../shared/bigquery/tenant-dataset.ts';
import { listObjects } from '../../../../shared/gcp/storage/folder.ts';
import { deleteObject, findObject } from '../../../../shared/gcp/storage/objects.ts';
import { readObject } from '../../../../shared/gcp/storage/read.ts';
import { writeObject } from '../../../../shared/gcp/storage/write.ts';
import {
  bucket,
  insertRows,
  newName,
  newOperation,
  readRows,
  refuse,
  send,
  signal,
  useBigQuery,
  watch,
} from '../fixture.ts';

const cloud = useBigQuery({ rowsPerFile: 2 });

const held = { signal, assertHeld: () => undefined };

const schema = {
  fields: [
    { name: 'id', type: 'INTEGER', mode: 'REQUIRED' },
    { name: 'at', type: 'TIMESTAMP', mode: 'NULLABLE' },
    { name: 'price', type: 'NUMERIC', mode: 'NULLABLE' },
    { name: 'raw', type: 'BYTES', mode: 'NULLABLE' },
    { name: 'tags', type: 'STRING', mode: 'REPEATED' },
    {
      name: 'place',
      type: 'RECORD',
      mode: 'NULLABLE',
      fields: [{ name: 'city', type: 'STRING', mode: 'NULLABLE', description: 'Where' }],
    },
    { name: 'more', type: 'JSON', mode: 'NULLABLE' },
  ],
};

const orders = [
  {
    id: 1,
    at: '2026-01-31T12:00:00.123456Z',
    price: '12345678901234567890.000000001',
    raw: randomBytes(8).toString('base64'),
    tags: ['a', '\u2028"\\', ''],
    place: { city: 'Zürich\n' },
    more: '{"a":[1,null,"x"]}',
  },
  { id: 9007199254740993n.toString(), tags: [] },
  { id: 3, place: { city: null } },
];

interface Tenant {
  readonly id: string;
  readonly tenant: string;
  readonly destination: string;
}

async function newTenant(): Promise<Tenant> {
  const tenant = newName('t');
  const id = `tenant_${tenant}`;
  const settings = { displayName: tenant, location: 'EU', labels: {}, access: [], operation: newOperation() };
  await ensureTenantDataset({ id, tenant, ...settings });
  return { id, tenant, destination: `gs://${bucket}/${tenant}/dataset/` };
}

async function makeTable(dataset: string, tableId: string, settings: object): Promise<void> {
  await send('POST', `datasets/${dataset}/tables`, {
    tableReference: { datasetId: dataset, tableId },
    ...settings,
  });
}

/** A tenant with orders, an empty table and a view. */
async function usedTenant(): Promise<Tenant> {
  const acme = await newTenant();
  await makeTable(acme.id, 'orders', {
    schema,
    description: 'What was ordered',
    labels: { team: 'data' },
    timePartitioning: { type: 'DAY', field: 'at' },
    clustering: { fields: ['id'] },
  });
  await insertRows(acme.id, 'orders', ...orders);
  await makeTable(acme.id, 'größe 2', { schema: { fields: [{ name: 'n', type: 'INTEGER' }] } });
  await makeTable(acme.id, 'recent', { view: { query: 'SELECT * FROM orders', useLegacySql: false } });
  return acme;
}

const objectsOf = async ({ tenant }: Tenant) =>
  (await listObjects({ bucket, name: `${tenant}/` }, signal)).map(({ name }) =>
    name.slice(`${tenant}/dataset/`.length),
  );

const described = (dataset: string, table: string) =>
  send<Record<string, unknown>>('GET', `datasets/${dataset}/tables/${table}`);

const manifestPlace = ({ tenant }: Tenant) => ({ bucket, name: `${tenant}/dataset/dataset.json` });

describe('a dataset that is exported', () => {
  it('is in Cloud Storage with rows, schemas and queries', async () => {
    const acme = await usedTenant();
    await expect(exportDataset({ ...acme, operation: newOperation() }, held)).resolves.toEqual({
      manifest: `${acme.destination}dataset.json`,
      tables: 2,
      rows: 3,
      views: 1,
      notes: [],
    });
    expect(await objectsOf(acme)).toEqual([
      'dataset.json',
      'rows/orders/0/000000000000.json.gz',
      'rows/orders/0/000000000001.json.gz',
      'schemas/gr%C3%B6%C3%9Fe%202.json',
      'schemas/orders.json',
    ]);
    const object = await findObject(manifestPlace(acme), signal);
    const manifest: unknown = JSON.parse((object ? await readObject(object, signal) : '').toString());
    expect(manifest).toMatchObject({
      format: 'drover-dataset',
      formatVersion: 1,
      project: 'acme',
      dataset: acme.id,
      tenant: acme.tenant,
      location: 'EU',
      tables: [
        { id: 'größe 2', rows: 0, objects: null, files: 0 },
        { id: 'orders', rows: 3, objects: 'rows/orders/0/*.json.gz', files: 2, settings: { schema } },
      ],
      views: [{ id: 'recent', settings: { view: { query: 'SELECT * FROM orders' } } }],
    });
  });

  it('is the same again where it is restored', async () => {
    const acme = await usedTenant();
    await exportDataset({ ...acme, operation: newOperation() }, held);
    const other = await newTenant();
    const manifest = `${acme.destination}dataset.json`;
    const { changes, notes, rows } = await restoreDataset(
      { manifest, id: other.id, operation: newOperation() },
      held,
    );
    expect({ changes: changes.map(({ name }) => name), notes, rows }).toEqual({
      changes: ['größe 2', 'orders', 'recent'].map((table) => `${other.id}.${table}`),
      notes: [],
      rows: 3,
    });
    expect(await readRows(other.id, 'orders')).toEqual(await readRows(acme.id, 'orders'));
    const before = await described(acme.id, 'orders');
    const settings = ['schema', 'description', 'labels', 'timePartitioning', 'clustering'];
    expect(await described(other.id, 'orders')).toMatchObject(
      Object.fromEntries(settings.map((name) => [name, before[name]])),
    );
    expect(await described(other.id, 'recent')).toMatchObject({ type: 'VIEW' });
  });

  it('is not there where it never was', async () => {
    const nobody = { id: 'nobody', tenant: 'nobody', destination: `gs://${bucket}/nobody/` };
    await expect(exportDataset({ ...nobody, operation: newOperation() }, held)).resolves.toBeUndefined();
    expect(await listObjects({ bucket, name: 'nobody/' }, signal)).toEqual([]);
  });

  it('is nobody else’s', async () => {
    const acme = await usedTenant();
    await expect(
      exportDataset({ ...acme, tenant: 'other', operation: newOperation() }, held),
    ).rejects.toMatchObject({ code: 'DATASET_EXISTS' });
  });

  it('has no manifest before all is there, and goes on where an attempt ended', async () => {
    const acme = await usedTenant();
    const operation = newOperation();
    refuse(cloud, 'jobs.insert', [503, 'backendError'], { phase: 'after' });
    await expect(exportDataset({ ...acme, operation }, held)).rejects.toMatchObject({ retryable: true });
    expect(await objectsOf(acme)).not.toContain('dataset.json');
    cloud.server.intercept = undefined;
    await exportDataset({ ...acme, operation }, held);
    expect((await objectsOf(acme)).filter((name) => name.startsWith('rows/orders/'))).toHaveLength(2);
    expect(await objectsOf(acme)).toContain('dataset.json');
  });

  it('has rows that came since an earlier attempt', async () => {
    const acme = await usedTenant();
    const operation = newOperation();
    await exportDataset({ ...acme, operation }, held);
    await insertRows(acme.id, 'orders', { id: 4 });
    await expect(exportDataset({ ...acme, operation }, held)).resolves.toMatchObject({ rows: 4 });
    expect(await objectsOf(acme)).toContain('rows/orders/1/000000000001.json.gz');
  });

  it('is exported later where rows come meanwhile', async () => {
    const acme = await usedTenant();
    cloud.server.intercept = async ({ method, phase }) => {
      if (method !== 'Job' || phase !== 'after') return;
      cloud.server.intercept = undefined;
      await insertRows(acme.id, 'orders', { id: 4 });
    };
    await expect(exportDataset({ ...acme, operation: newOperation() }, held)).rejects.toMatchObject({
      code: 'TABLE_BEING_WRITTEN',
      retryable: true,
    });
    expect(await objectsOf(acme)).not.toContain('dataset.json');
  });
});

describe('restoring a dataset', () => {
  it('goes on where an attempt ended, and doubles no row', async () => {
    const acme = await usedTenant();
    await exportDataset({ ...acme, operation: newOperation() }, held);
    const other = await newTenant();
    const restore = {
      manifest: `${acme.destination}dataset.json`,
      id: other.id,
      operation: newOperation(),
    };
    refuse(cloud, 'jobs.insert', [503, 'backendError'], { phase: 'after' });
    await expect(restoreDataset(restore, held)).rejects.toMatchObject({ retryable: true });
    cloud.server.intercept = undefined;
    await restoreDataset(restore, held);
    const calls = watch(cloud);
    await restoreDataset(restore, held);
    expect(calls).toContain('jobs.insert');
    expect(await readRows(other.id, 'orders')).toHaveLength(3);
  });

  it('fills no table that has rows', async () => {
    const acme = await usedTenant();
    await exportDataset({ ...acme, operation: newOperation() }, held);
    const restore = { manifest: `${acme.destination}dataset.json`, id: acme.id, operation: newOperation() };
    await expect(restoreDataset(restore, held)).rejects.toMatchObject({
      code: 'GOOGLE_ALREADY_EXISTS',
      retryable: false,
    });
    expect(await readRows(acme.id, 'orders')).toHaveLength(3);
  });

  it('notices an object that is missing', async () => {
    const acme = await usedTenant();
    await exportDataset({ ...acme, operation: newOperation() }, held);
    const place = { bucket, name: `${acme.tenant}/dataset/rows/orders/0/000000000001.json.gz` };
    await deleteObject(place, signal);
    const other = await newTenant();
    const restore = { manifest: `${acme.destination}dataset.json`, id: other.id, operation: newOperation() };
    await expect(restoreDataset(restore, held)).rejects.toMatchObject({
      code: 'ARCHIVE_DAMAGED',
      message: expect.stringContaining('2 rows in 1 objects, where the manifest says 3 in 2'),
    });
  });

  it.each(['{', '[]', '{"format":"drover-dataset","formatVersion":2}'])(
    'takes no %o for a manifest',
    async (text) => {
      const acme = await newTenant();
      await writeObject(manifestPlace(acme), text, { signal, contentType: 'application/json' });
      const restore = { manifest: `${acme.destination}dataset.json`, id: acme.id, operation: newOperation() };
      await expect(restoreDataset(restore, held)).rejects.toMatchObject({
        code: 'ARCHIVE_DAMAGED',
        retryable: false,
      });
    },
  );

  it('needs an archive that was finished, and a dataset', async () => {
    const acme = await newTenant();
    const restore = { manifest: `${acme.destination}dataset.json`, id: acme.id, operation: newOperation() };
    await expect(restoreDataset(restore, held)).rejects.toMatchObject({ code: 'ARCHIVE_NOT_FOUND' });
    await exportDataset({ ...acme, operation: newOperation() }, held);
    await expect(restoreDataset({ ...restore, id: 'nobody' }, held)).rejects.toMatchObject({
      code: 'DATASET_NOT_FOUND',
    });
  });

  it('makes views that read each other, and tells which can’t be made', async () => {
    const acme = await newTenant();
    for (const id of ['above', 'below', 'broken']) {
      await makeTable(acme.id, id, { view: { query: `SELECT ${id}`, useLegacySql: false } });
    }
    await exportDataset({ ...acme, operation: newOperation() }, held);
    const other = await newTenant();
    cloud.server.intercept = async ({ method, phase, request }) => {
      if (method !== 'tables.insert' || phase !== 'before') return;
      const { tableId } = request['tableReference'] as { tableId: string };
      const there = await listTables(other.id, signal);
      if (tableId === 'broken' || (tableId === 'above' && !there.includes('below'))) {
        throw new ApiError(404, 'notFound', `Not found: what ${tableId} reads`);
      }
    };
    const restore = { manifest: `${acme.destination}dataset.json`, id: other.id, operation: newOperation() };
    const { changes, notes } = await restoreDataset(restore, held);
    expect(changes.map(({ name }) => name)).toEqual([`${other.id}.below`, `${other.id}.above`]);
    expect(notes).toEqual([
      {
        code: 'VIEW_NOT_RESTORED',
        message: expect.stringContaining('Not found: what broken reads'),
        statements: ['SELECT broken'],
      },
    ]);
  });
});
