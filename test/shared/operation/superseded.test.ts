import { expect, it } from 'vitest';
import { Superseded } from '../../../shared/registry/intents.ts';
import { operation, push, type Run, useWorker } from './worker.ts';

const worker = useWorker();

const tooLate: Run = async () => {
  throw new Superseded('a newer operation');
};

it('a dry run of what is superseded ends as planned, for nothing was done and nothing would be', async () => {
  await operation(tooLate)(push('late', {}, { 'dry-run': 'true' }));
  expect(await worker.record('late', true)).toMatchObject({
    state: 'planned',
    changes: [],
    notes: [{ code: 'SUPERSEDED' }],
  });
  expect(worker.events.map(({ type }) => type)).toEqual(['drover.operation.planned']);

  await operation(tooLate)(push('late'));
  expect(await worker.record('late')).toMatchObject({ state: 'succeeded', notes: [{ code: 'SUPERSEDED' }] });
});
