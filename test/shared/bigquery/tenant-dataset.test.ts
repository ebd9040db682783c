import { describe, expect, it } from 'vitest';
import {
  deleteTenantDataset,
  ensureTenantDataset,
  findDataset,
  type TenantDataset,
} from '../../../shared/bigquery/tenant-dataset.ts';
import { newName, newOperation, refuse, send, useBigQuery, watch, writing } from './fixture.ts';

const cloud = useBigQuery();

/** What a tenant of its own wants, which nobody else has. */
function wanted(more: Partial<TenantDataset> = {}): TenantDataset {
  const tenant = newName('t');
  return {
    id: `tenant_${tenant}`,
    tenant,
    displayName: 'Acme & Co.',
    location: 'europe-west1',
    labels: { plan: 'starter' },
    access: [{ role: 'READER', userByEmail: 'alice@acme.com' }],
    operation: newOperation(),
    ...more,
  };
}

const read = (id: string) => send<Record<string, unknown>>('GET', `datasets/${id}`);

/** The access that somebody gave by hand is one entry more. */
async function giveAccess(id: string, entry: object): Promise<void> {
  const { access } = (await read(id)) as { access: object[] };
  await send('PATCH', `datasets/${id}`, { access: [...access, entry] });
}

describe('a tenant’s dataset', () => {
  it('is made with all that was asked for, and for nobody else in the project but its owners', async () => {
    const acme = wanted({ tableExpiryDays: 30 });
    await expect(ensureTenantDataset(acme)).resolves.toEqual({
      found: 'absent',
      changes: [{ action: 'create', kind: 'dataset', name: acme.id, detail: 'in europe-west1' }],
      notes: [],
      statements: [],
    });
    await expect(read(acme.id)).resolves.toMatchObject({
      friendlyName: 'Acme & Co.',
      location: 'europe-west1',
      labels: { plan: 'starter', 'managed-by': 'drover', 'drover-tenant': acme.tenant },
      defaultTableExpirationMs: '2592000000',
      access: [
        { role: 'OWNER', specialGroup: 'projectOwners' },
        { role: 'READER', userByEmail: 'alice@acme.com' },
      ],
    });
    await expect(findDataset(acme.id)).resolves.toMatchObject({
      id: acme.id,
      location: 'europe-west1',
      labels: { 'drover-tenant': acme.tenant },
    });
  });

  it('is left alone where it is as it should be, however its access is written', async () => {
    const access = [
      { role: 'roles/bigquery.dataViewer', userByEmail: 'Alice@acme.com' },
      { role: 'WRITER', groupByEmail: 'team@acme.com' },
    ];
    const acme = wanted({ access, tableExpiryDays: 30 });
    await ensureTenantDataset(acme);
    const calls = watch(cloud);
    const again = await ensureTenantDataset({ ...acme, operation: newOperation() });
    expect(again).toEqual({ found: 'present', changes: [], notes: [], statements: [] });
    expect(writing(calls)).toEqual([]);
  });

  it('was not there before for any attempt of the operation that made it', async () => {
    const acme = wanted();
    refuse(cloud, 'datasets.insert', [503, 'backendError'], { phase: 'after' });
    await expect(ensureTenantDataset(acme)).rejects.toMatchObject({ retryable: true });
    cloud.server.intercept = undefined;
    expect(await ensureTenantDataset(acme)).toMatchObject({ found: 'absent', changes: [] });
    expect(await ensureTenantDataset({ ...acme, operation: newOperation() })).toMatchObject({
      found: 'present',
    });
    expect(await ensureTenantDataset(acme)).toMatchObject({ found: 'absent', changes: [] });
  });

  it('is brought to what is asked for later, and keeps what somebody else gave', async () => {
    const acme = wanted({ tableExpiryDays: 30 });
    await ensureTenantDataset(acme);
    await send('PATCH', `datasets/${acme.id}`, { labels: { team: 'data' }, description: 'mine' });
    await giveAccess(acme.id, { role: 'WRITER', userByEmail: 'carol@acme.com' });
    const { tableExpiryDays: _, ...unlimited } = acme;
    const { changes } = await ensureTenantDataset({
      ...unlimited,
      displayName: 'Acme',
      labels: { plan: 'scale' },
      access: [{ role: 'READER', groupByEmail: 'team@acme.com' }],
    });
    expect(changes).toEqual([
      {
        action: 'alter',
        kind: 'dataset',
        name: acme.id,
        detail: 'labels plan; name; expiry of new tables; READER for team@acme.com',
      },
    ]);
    const dataset = await read(acme.id);
    expect(dataset).toMatchObject({
      friendlyName: 'Acme',
      description: 'mine',
      labels: { plan: 'scale', team: 'data', 'drover-tenant': acme.tenant },
      access: [
        { specialGroup: 'projectOwners' },
        { userByEmail: 'alice@acme.com' },
        { userByEmail: 'carol@acme.com' },
        { groupByEmail: 'team@acme.com' },
      ],
    });
    expect(dataset['defaultTableExpirationMs']).toBeUndefined();
  });

  it('takes back nothing that somebody gave at the same moment', async () => {
    const acme = wanted();
    await ensureTenantDataset(acme);
    let isDone = false;
    cloud.server.intercept = async ({ method, phase }) => {
      if (isDone || method !== 'datasets.patch' || phase !== 'before') return;
      isDone = true;
      await giveAccess(acme.id, { role: 'WRITER', userByEmail: 'carol@acme.com' });
    };
    await ensureTenantDataset({ ...acme, access: [{ role: 'READER', userByEmail: 'bob@acme.com' }] });
    expect((await findDataset(acme.id))?.access).toHaveLength(4);
  });

  it.each([
    ['nobody’s', {}],
    ['another tenant’s', { 'managed-by': 'drover', 'drover-tenant': 'other' }],
    ['the platform’s', { 'managed-by': 'drover', 'drover-scope': 'system' }],
    ['said to be the tenant’s by somebody else', { 'drover-tenant': 'acme' }],
  ])('is not one that is %s', async (_, labels) => {
    const acme = wanted({ tenant: 'acme' });
    await send('POST', 'datasets', {
      datasetReference: { datasetId: acme.id },
      location: 'europe-west1',
      labels,
    });
    const calls = watch(cloud);
    const refused = { code: 'DATASET_EXISTS', retryable: false };
    await expect(ensureTenantDataset(acme)).rejects.toMatchObject(refused);
    await expect(deleteTenantDataset(acme.id, 'acme')).rejects.toMatchObject(refused);
    expect(writing(calls)).toEqual([]);
  });

  it('stays where it is', async () => {
    const acme = wanted();
    await ensureTenantDataset(acme);
    await expect(ensureTenantDataset({ ...acme, location: 'US' })).rejects.toMatchObject({
      code: 'REGION_MISMATCH',
      retryable: false,
      message: expect.stringContaining('is in europe-west1, not in US'),
    });
    expect((await ensureTenantDataset({ ...acme, location: 'EUROPE-west1' })).changes).toEqual([]);
  });

  it('is only looked at in a dry run', async () => {
    const acme = wanted();
    const calls = watch(cloud);
    const { changes, statements } = await ensureTenantDataset(acme, { dryRun: true });
    expect(changes).toHaveLength(1);
    expect(statements).toEqual([expect.stringMatching(/^POST datasets \{.*"drover-tenant"/)]);
    expect(writing(calls)).toEqual([]);
  });

  it('is refused with what is missing', async () => {
    refuse(cloud, 'datasets.insert', [403, 'accessDenied']);
    await expect(ensureTenantDataset(wanted())).rejects.toMatchObject({
      code: 'GOOGLE_PERMISSION_DENIED',
      message: expect.stringContaining('bigquery.dataOwner'),
    });
  });
});

describe('deleting a tenant’s dataset', () => {
  it('takes all that is in it, once', async () => {
    const acme = wanted();
    await ensureTenantDataset(acme);
    await send('POST', `datasets/${acme.id}/tables`, {
      tableReference: { datasetId: acme.id, tableId: 'orders' },
      schema: { fields: [{ name: 'n', type: 'INTEGER' }] },
    });
    await expect(deleteTenantDataset(acme.id, acme.tenant)).resolves.toEqual([
      { action: 'revoke', kind: 'dataset', name: acme.id, detail: 'deleted' },
    ]);
    await expect(findDataset(acme.id)).resolves.toBeUndefined();
    await expect(deleteTenantDataset(acme.id, acme.tenant)).resolves.toEqual([]);
  });

  it('leaves one alone that became somebody else’s at the same moment', async () => {
    const acme = wanted();
    await ensureTenantDataset(acme);
    cloud.server.intercept = async ({ method, phase }) => {
      if (method !== 'datasets.delete' || phase !== 'before') return;
      await send('PATCH', `datasets/${acme.id}`, { labels: { 'drover-tenant': 'other' } });
    };
    await expect(deleteTenantDataset(acme.id, acme.tenant)).rejects.toMatchObject({
      code: 'DATASET_EXISTS',
    });
    await expect(findDataset(acme.id)).resolves.toBeDefined();
  });
});
