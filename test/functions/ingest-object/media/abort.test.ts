import { describe, expect, test } from 'vitest';
import { decodeHeic } from '../../../../functions/ingest-object/media/heic.ts';
import { openImage } from '../../../../functions/ingest-object/media/image.ts';
import { roomOf } from '../../../../functions/ingest-object/media/room.ts';
import { fixture, openAll, quartered, standard } from './images.fixture.ts';

const reason = new Error('time is up');
const never = new AbortController().signal;

/** A HEIC of 5120 × 5120, which takes a second. */
async function large(): Promise<Buffer> {
  const image = await fixture('says-it-is-small.heic');
  const size = image.indexOf('ispe');
  image.writeUInt32BE(5120, size + 8);
  image.writeUInt32BE(5120, size + 12);
  return image;
}

const task = { maxPixels: 30e6, colours: undefined };

describe('a signal that fires', () => {
  test('before it begins', async () => {
    const options = { previews: standard, pixels: 50e6, gps: false, signal: AbortSignal.abort(reason) };
    await expect(openImage(await quartered().png().toBuffer(), options)).rejects.toBe(reason);
    await expect(openImage(await fixture('plain.heic'), options)).rejects.toBe(reason);
  });

  test('while an image is opened', async () => {
    const abort = new AbortController();
    const options = { previews: standard, pixels: 50e6, gps: false, signal: abort.signal };
    const opened = openImage(await quartered(4000, 3000).jpeg().toBuffer(), options);
    abort.abort(reason);
    await expect(opened).rejects.toBe(reason);
  });

  test('between previews', async () => {
    const abort = new AbortController();
    const options = { previews: standard, pixels: 50e6, gps: false, signal: abort.signal };
    const image = await openImage(await quartered(2000, 1500).jpeg().toBuffer(), options);
    const made: string[] = [];
    const all = async () => {
      for await (const { file } of image.previews()) {
        made.push(file);
        abort.abort(reason);
      }
    };
    await expect(all()).rejects.toBe(reason);
    expect(made).toEqual(['1200.webp']);
  });

  test('while a HEIC is decoded, doesn’t wait for it, and ends its worker', async () => {
    const ports = () => process.getActiveResourcesInfo().filter((one) => one === 'MessagePort').length;
    const before = ports();
    const abort = new AbortController();
    const content = await large();
    const settled: string[] = [];
    const all = [abort.signal, never].map((signal) =>
      decodeHeic({ ...task, content, memory: 300e6 }, signal).then(
        () => settled.push('decoded'),
        (error: unknown) => settled.push(error === reason ? 'aborted' : String(error)),
      ),
    );
    abort.abort(reason);
    await Promise.all(all);
    expect(settled).toEqual(['aborted', 'decoded']);
    expect(ports()).toBe(before);
  });
});

describe('a HEIC that is not what it says', () => {
  test('takes no more memory than what it says would', async () => {
    const decoded = decodeHeic({ ...task, content: await large(), memory: 1e6 }, never);
    // not its pixels, for whoever shows them when it fails
    const outcome = decoded.then(
      () => 'decoded',
      (error: unknown) => error,
    );
    expect(await outcome).toMatchObject({ code: 'IMAGE_DAMAGED' });
  });

  test('is found out', async () => {
    const opened = openAll(await fixture('says-it-is-small.heic'));
    await expect(opened).rejects.toMatchObject({ code: 'IMAGE_DAMAGED' });
  });
});

describe('work that takes memory', () => {
  /** Work that ends when it is told to. */
  function job() {
    const { promise, resolve } = Promise.withResolvers<void>();
    const state = { started: false, end: resolve };
    const work = async () => {
      state.started = true;
      await promise;
    };
    return { state, work };
  }

  test('waits for as much as it needs, in the order in which it came', async () => {
    const memory = roomOf(100);
    const jobs = [60, 60, 30].map((bytes) => ({ bytes, ...job() }));
    const all = jobs.map(({ bytes, work }) => memory.run(bytes, never, work));
    const started = () => jobs.map(({ state }) => state.started);
    await Promise.resolve();
    expect(started()).toEqual([true, false, false]); // the last one would fit, but has to wait
    jobs[0]?.state.end();
    await all[0];
    await new Promise(setImmediate);
    expect(started()).toEqual([true, true, true]);
    for (const { state } of jobs) state.end();
    await Promise.all(all);
  });

  test('runs alone where it needs more than there is', async () => {
    const memory = roomOf(100);
    const [small, big] = [job(), job()];
    const first = memory.run(1, never, small.work);
    const second = memory.run(1000, never, big.work);
    await Promise.resolve();
    expect([small.state.started, big.state.started]).toEqual([true, false]);
    small.state.end();
    await first;
    await new Promise(setImmediate);
    expect(big.state.started).toBe(true);
    big.state.end();
    await second;
  });

  test('gives up its place when it is aborted, and what it had when it fails', async () => {
    const memory = roomOf(100);
    const abort = new AbortController();
    const [first, third] = [job(), job()];
    const running = memory.run(60, never, first.work);
    const waiting = memory.run(90, abort.signal, () => Promise.reject(new Error('never runs')));
    const behind = memory.run(40, never, third.work);
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await new Promise(setImmediate);
    expect(third.state.started).toBe(true);
    first.state.end();
    third.state.end();
    await Promise.all([running, behind]);
    await expect(memory.run(100, never, () => Promise.reject(reason))).rejects.toBe(reason);
    expect(await memory.run(100, never, () => Promise.resolve('done'))).toBe('done');
  });
});
