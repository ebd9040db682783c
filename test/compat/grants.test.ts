import { afterAll, beforeAll, describe, test } from 'vitest';
import { type Laboratory, openLaboratory, proveConvergence } from '../shared/postgres/grants/laboratory.ts';
import type { PreparedCluster } from '../support/postgres.ts';
import { otherMajors, startMajor } from './majors.ts';

describe.each(otherMajors)('on PostgreSQL %i', (major) => {
  let cluster: PreparedCluster;
  let laboratory: Laboratory;

  beforeAll(async () => {
    cluster = await startMajor(major);
    laboratory = await openLaboratory(cluster);
  });

  afterAll(async () => {
    await laboratory.close();
    await cluster.remove();
  });

  test('whatever memberships are found, the wanted ones are there after it, and nothing is left to do', async () => {
    await proveConvergence(laboratory, 60);
  });
});
