import { expect, it } from 'vitest';
import { exportDataset } from '../../../../shared/bigquery/archive/export.ts';
import { ensureTenantDataset } from '../../../../shared/bigquery/tenant-dataset.ts';
import { bucket, insertRows, newOperation, send, signal, useBigQuery } from '../fixture.ts';

const cloud = useBigQuery({ bufferSeconds: 3600 });

const acme = { id: 'tenant_acme', tenant: 'acme', operation: newOperation() };

it('exports nothing while it would lack rows that were streamed, and does so later', async () => {
  await ensureTenantDataset({ ...acme, displayName: 'Acme', location: 'EU', labels: {}, access: [] });
  await send('POST', `datasets/${acme.id}/tables`, {
    tableReference: { datasetId: acme.id, tableId: 'orders' },
    schema: { fields: [{ name: 'n', type: 'INTEGER' }] },
  });
  await insertRows(acme.id, 'orders', { n: 1 });
  const held = { signal, assertHeld: () => undefined };
  const wanted = { ...acme, destination: `gs://${bucket}/acme/` };
  await expect(exportDataset(wanted, held)).rejects.toMatchObject({
    code: 'TABLE_BEING_WRITTEN',
    retryable: true,
  });
  cloud.server.advance(3600);
  await expect(exportDataset(wanted, held)).resolves.toMatchObject({ rows: 1 });
});
