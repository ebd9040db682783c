import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWorld, type World } from './fixture.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.close());

const mebibyte = 1024 * 1024;

/** The most that is held in memory besides what is there before, while something is done. */
async function peakOf(work: () => Promise<unknown>): Promise<number> {
  const held = () => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = held();
  let peak = before;
  const sampling = setInterval(() => {
    peak = Math.max(peak, held());
  }, 5);
  try {
    await work();
  } finally {
    clearInterval(sampling);
  }
  return peak - before;
}

test('memory doesn’t grow with the data', async () => {
  await world.schema('app', 'big');
  await world.as(
    'app',
    'big',
    'CREATE TABLE big.noise (id int, noise bytea)',
    'ALTER TABLE big.noise ALTER noise SET STORAGE EXTERNAL',
    `INSERT INTO big.noise SELECT n, string_agg(decode(md5((n * 1000 + m)::text), 'hex'), '')
       FROM generate_series(1, 1000) n, generate_series(1, 3000) m GROUP BY n`,
  );
  await world.schema('again', 'big');

  const t0 = Date.now();
  const archiving = await peakOf(() => world.archive('app', ['big'], 'big'));
  const restoring = await peakOf(() => world.restore('big', 'again'));
  console.log(Date.now() - t0, archiving / mebibyte, restoring / mebibyte);

  const sum = 'SELECT count(*), sum(length(noise)), md5(string_agg(md5(noise), $$$$ ORDER BY id)) FROM big.noise';
  expect(await world.query('again', sum)).toEqual(await world.query('app', sum));
});
