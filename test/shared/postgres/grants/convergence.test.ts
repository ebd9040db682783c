import { afterAll, beforeAll, test } from 'vitest';
import { type PreparedCluster, startPrepared } from '../../../support/postgres.ts';
import { type Laboratory, openLaboratory, proveConvergence } from './laboratory.ts';

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

test('whatever memberships are found, the wanted ones are there after it, and nothing is left to do', async () => {
  await proveConvergence(laboratory, 60);
});
