import { beforeAll, expect, it } from 'vitest';
import { findArchive } from '../../../functions/bootstrap-tenant/removal/content.ts';
import type { Saga } from '../../../functions/bootstrap-tenant/saga/step.ts';
import { tenantRecord } from '../../support/tenant-record.ts';

beforeAll(() => {
  process.env['GOOGLE_CLOUD_PROJECT'] = 'acme';
  delete process.env['DROVER_ARCHIVE_BUCKET'];
});

it('ends where there is no bucket for archives, and nothing was to be archived', async () => {
  const operation = { signal: new AbortController().signal };
  const saga = { operation, record: tenantRecord('acme') } as unknown as Saga;
  expect(await findArchive(saga)).toBeNull();
});
