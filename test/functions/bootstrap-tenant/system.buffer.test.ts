import { expect, it } from 'vitest';
import { insertRows, newOperation, readRows, watch, writing } from '../../shared/bigquery/fixture.ts';
import { bootstrap, dataset, useSystem } from './system-fixture.ts';

const cloud = useSystem({ bufferSeconds: 3600 });

const forced = { forceRecreate: { tables: ['operation_events'], confirm: 'acme.drover' } };

it('makes no table anew while copies would lack rows that were streamed, and does so later', async () => {
  await bootstrap();
  await insertRows(dataset, 'operation_events', { message_id: 'one' });
  const id = newOperation();
  const calls = watch(cloud);
  await expect(bootstrap(forced, { id })).rejects.toMatchObject({
    code: 'TABLE_BEING_WRITTEN',
    retryable: true,
    message: expect.stringContaining('90 minutes'),
  });
  expect(writing(calls)).toEqual([]);
  expect(await readRows(dataset, 'operation_events')).toHaveLength(1);
  cloud.server.advance(3600);
  const { changes } = await bootstrap(forced, { id });
  const copy = changes[0]?.name.split('.')[1] ?? '';
  expect(await readRows(dataset, copy)).toHaveLength(1);
});
