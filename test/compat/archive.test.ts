import { afterAll, beforeAll, describe, it } from 'vitest';
import { startArchiveStorage, startWorld, type World } from '../shared/archive/fixture.ts';
import { proveRoundTrip } from '../shared/archive/round-trip.ts';
import { otherMajors, startMajor } from './majors.ts';

const storage = startArchiveStorage();

afterAll(async () => (await storage).close());

describe.each(otherMajors)('on PostgreSQL %i', (major) => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld(startMajor(major), storage);
  });
  afterAll(() => world?.cluster.remove());

  it('a schema with everything comes back as it was', () => proveRoundTrip(world, `billing_${major}`, 109));
});
