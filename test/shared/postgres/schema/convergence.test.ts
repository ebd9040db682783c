import { afterAll, beforeAll, test } from 'vitest';
import { type PreparedCluster, startPrepared } from '../../../support/postgres.ts';
import { type Laboratory, openLaboratory, proveConvergence } from './convergence.ts';

let cluster: PreparedCluster;
let laboratory: Laboratory;

beforeAll(async () => {
  cluster = await startPrepared();
  laboratory = await openLaboratory(cluster);
});

afterAll(async () => {
  await laboratory.close();
  await cluster.remove();
});

test('whatever is found in a catalog, what was applied needs not be applied again, or is refused', async () => {
  await proveConvergence(laboratory, 100);
}, 180_000);
