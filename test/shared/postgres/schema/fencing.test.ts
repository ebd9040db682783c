import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { parseMarker } from '../../../../shared/postgres/marker.ts';
import { Fenced } from '../../../../shared/postgres/schema/converge.ts';
import { connected, desired, type PreparedCluster, run, startPrepared } from '../../../support/postgres.ts';
import { type Fact, readCatalog } from './catalog.ts';

let cluster: PreparedCluster;

beforeAll(async () => {
  cluster = await startPrepared();
  await cluster.open('app');
});

afterAll(() => cluster.remove());

let count = 0;
let schema: string;
beforeEach(async () => {
  schema = `fenced_${++count}`;
  await cluster.converge(desired('app', schema, { levels: ['reader'] }), {
    fence: { epoch: 5, outstanding: false },
  });
});

const catalog = (): Promise<Fact[]> => connected(cluster.superuserUrl('app'), readCatalog);
const epoch = async () => {
  const comments = (await catalog()).filter(
    ({ area, about }) => area === 'comment' && about === `role app__${schema}__owner`,
  );
  return parseMarker(comments[0]?.what ?? null)?.epoch;
};

test('an attempt with an older epoch than the schema’s is fenced off and changes nothing', async () => {
  const before = await catalog();

  const attempt = cluster.converge(desired('app', schema, { comment: 'too late' }), {
    fence: { epoch: 4, outstanding: true },
  });

  await expect(attempt).rejects.toBeInstanceOf(Fenced);
  await expect(attempt).rejects.toMatchObject({ code: 'FENCED', retryable: true, epoch: 5 });
  expect(await catalog()).toEqual(before);
});

test.each([5, 6])('an attempt with epoch %i goes on where epoch 5 left off', async (mine) => {
  const { steps } = await cluster.converge(desired('app', schema, { comment: 'in time' }), {
    fence: { epoch: mine, outstanding: false },
  });

  expect(steps.length).toBeGreaterThan(1);
  expect(await epoch()).toBe(mine);
});

test('where nothing differs nothing is executed, and the mark stays as it is', async () => {
  const before = await catalog();

  const { steps } = await cluster.converge(desired('app', schema, { levels: ['reader'] }), {
    fence: { epoch: 9, outstanding: false },
  });

  expect(steps).toEqual([]);
  expect(await catalog()).toEqual(before);
});

test('an attempt that has to fence off another leaves its mark even where nothing differs', async () => {
  const { steps } = await cluster.converge(desired('app', schema, { levels: ['reader'] }), {
    fence: { epoch: 9, outstanding: true },
  });

  expect(steps.map(({ change }) => change)).toEqual([undefined]);
  expect(await epoch()).toBe(9);
  const late = cluster.converge(desired('app', schema), { fence: { epoch: 8, outstanding: false } });
  await expect(late).rejects.toMatchObject({ code: 'FENCED', epoch: 9 });
});

test('a dry run is not fenced off, tells what it would do and changes nothing', async () => {
  const before = await catalog();

  const { steps } = await cluster.converge(desired('app', schema, { comment: 'perhaps' }), {
    fence: undefined,
  });

  expect(steps.map((step) => step.sql.text)).toContain(`COMMENT ON SCHEMA "${schema}" IS 'perhaps'`);
  expect(await catalog()).toEqual(before);
});

test('an adopted role keeps no epoch that somebody wrote into a comment of another kind', async () => {
  await run(cluster.superuserUrl('app'), `COMMENT ON ROLE app__${schema}__owner IS '{"epoch":99}'`);

  await cluster.converge(desired('app', schema, { adopt: true }), {
    fence: { epoch: 1, outstanding: false },
  });

  expect(await epoch()).toBe(1);
});
