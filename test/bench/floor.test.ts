import { expect, it } from 'vitest';
import { isolations } from '../../shared/registry/tenants/model.ts';
import { bootstrapByDrover, bootstrapByFloor, withBootstrappingSides } from './bootstrap.ts';
import { callsOf } from './calls.ts';
import { floorTopic } from './floor/process.ts';
import { captureStatements } from './floor/statements.ts';
import { tenantLike } from './floor/tenants.ts';
import { rotateByDrover, rotateByFloor, withRotatingSides } from './rotate.ts';
import { rotateTopic, withSecrets } from './secrets.ts';
import { ask, askFor, database, newSchemas, productTopic, withSides } from './sides.ts';
import { newTenants, tenantMessage, tenantsTopic } from './tenants.ts';

it('makes the calls that Drover makes, no more and no fewer', async () => {
  await withSides(1, async ({ cloud, floor }) => {
    const [asked = '', bare = ''] = newSchemas(2);
    const [statements] = await captureStatements(cloud.cluster.port, database, [bare]);
    if (statements === undefined) throw new Error('nothing was captured');
    await floor.tell({ statements: [[bare, statements]] });

    const product = await callsOf(cloud, () => ask(cloud, productTopic, asked));
    const floors = await callsOf(cloud, () => ask(cloud, floorTopic, bare));

    expect(product).toContain('Firestore Commit');
    expect(floors).toEqual(product);
    // The floor's statements make of a schema all that Drover would: it finds nothing left to do.
    expect(await captureStatements(cloud.cluster.port, database, [bare, asked])).toMatchObject([
      { changes: [] },
      { changes: [] },
    ]);
  });
});

it('makes the calls of a rotation, after which Drover finds the secret as its own would be', async () => {
  await withRotatingSides(1, async ({ cloud, product, bare }) => {
    const [asked = ''] = product;
    const [rotated = ''] = bare;
    const products = await callsOf(cloud, () => rotateByDrover(cloud, asked));
    const floors = await callsOf(cloud, () => rotateByFloor(cloud, rotated));
    // Some are made at the same time, and arrive as they like.
    expect(floors.sort()).toEqual(products.sort());

    await withSecrets(cloud, async (secrets) => {
      const before = await secrets.record(rotated);
      await askFor(cloud, rotateTopic, { secret: rotated, action: 'verify' });
      await rotateByDrover(cloud, rotated);
      expect(before).toMatchObject({ current: 3, previous: 2, open: null });
      expect(await secrets.record(rotated)).toMatchObject({ current: 4, previous: 3, open: null });
      expect((await secrets.versions(rotated)).map(({ state }) => state)).toEqual([
        'ENABLED',
        'ENABLED',
        'DISABLED',
        'DISABLED',
      ]);
    });
  });
});

it('makes the calls of a bootstrap, after which Drover finds nothing left to do for the tenant', async () => {
  await withBootstrappingSides(async ({ cloud, floor, templates }) => {
    for (const isolation of isolations) {
      const [asked = '', bare = ''] = newTenants(2);
      await floor.tell({ tenants: [tenantLike(templates[isolation], bare)] });
      const products = await callsOf(cloud, () => bootstrapByDrover(cloud, asked, isolation));
      const floors = await callsOf(cloud, () => bootstrapByFloor(cloud, bare, isolation));
      expect(products).toContain('KMS Encrypt');
      expect(floors.sort()).toEqual(products.sort());

      const again = await askFor(cloud, tenantsTopic, tenantMessage(bare, isolation));
      expect(JSON.parse(again)).toMatchObject({ data: { changes: [], result: { tenant: bare } } });
    }
  });
});
