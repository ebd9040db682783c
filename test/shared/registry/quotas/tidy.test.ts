import { expect, it } from 'vitest';
import { tidyQuotas } from '../../../../shared/registry/quotas/tidy.ts';
import { tenantDocumentId } from '../../../../shared/registry/tenants/document-id.ts';
import { quotaOf } from '../../../support/tenant-record.ts';
import { useRegistry } from '../fixture.ts';

const registry = useRegistry();
const midnight = new Date('2025-03-02T00:00:20Z');
const secondsAgo = (seconds: number) => Math.floor(midnight.getTime() / 1000) - seconds;

const write = (tenant: string, day: string, today: number, recent: object[] = []) =>
  registry.db.collection('quotas').doc(tenantDocumentId(tenant)).set({ tenant, day, today, recent });

it('begins the day for those that have not yet, and forgets nothing of the last minute', async () => {
  const lately = { second: secondsAgo(30), count: 2 };
  await write('old', '2025-02-27', 5, [{ second: secondsAgo(86_400), count: 5 }]);
  await write('busy', '2025-03-01', 9, [{ second: secondsAgo(62), count: 1 }, lately]);
  await write('early', '2025-03-02', 1, [lately]);

  expect(await tidyQuotas(registry.db, midnight, 100)).toBe(2);
  expect(await quotaOf(registry.db, 'old')).toEqual({
    tenant: 'old',
    day: '2025-03-02',
    today: 0,
    recent: [],
  });
  expect(await quotaOf(registry.db, 'busy')).toMatchObject({ day: '2025-03-02', today: 0, recent: [lately] });
  expect(await quotaOf(registry.db, 'early')).toMatchObject({ today: 1 });
  expect(await tidyQuotas(registry.db, midnight, 100)).toBe(0);
});

it('begins no day that has not begun by Firestore’s clock', async () => {
  const day = new Date().toISOString().slice(0, 10);
  await write('acme', day, 5);
  expect(await tidyQuotas(registry.db, new Date(Date.now() + 86_400_000), 10)).toBe(0);
  expect(await quotaOf(registry.db, 'acme')).toMatchObject({ day, today: 5 });
});

it('does no more than a tick can do', async () => {
  for (const tenant of ['one', 'two', 'six']) await write(tenant, '2025-03-01', 1);
  expect(await tidyQuotas(registry.db, midnight, 2)).toBe(2);
  expect(await tidyQuotas(registry.db, midnight, 2)).toBe(1);
});

it('leaves alone what a tenant counts meanwhile', async () => {
  await write('acme', '2025-03-01', 5);
  let counted = false;
  registry.server.intercept = async ({ method, phase }) => {
    if (counted || method !== 'RunQuery' || phase !== 'after') return;
    counted = true;
    await write('acme', '2025-03-02', 1);
  };
  expect(await tidyQuotas(registry.db, midnight, 10)).toBe(0);
  expect(await quotaOf(registry.db, 'acme')).toMatchObject({ today: 1 });
});
