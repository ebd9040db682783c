import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { readExif } from '../../../../functions/ingest-object/media/exif.ts';
import { heicMemory, mostHeicPixels } from '../../../../functions/ingest-object/media/heic.ts';
import { readHeif } from '../../../../functions/ingest-object/media/heif.ts';
import { openImage } from '../../../../functions/ingest-object/media/image.ts';
import { memory } from '../../../../functions/ingest-object/media/memory.ts';
import { fixture, openAll, plain, quartered, standard } from './images.fixture.ts';

const tooLarge = { code: 'IMAGE_TOO_LARGE', retryable: false };

/** Writes a size into a header, and leaves the rest. */
const claims: Readonly<Record<string, (image: Buffer, side: number) => void>> = {
  jpeg(image, side) {
    const frame = image.indexOf(Buffer.from([0xff, 0xc0]));
    image.writeUInt16BE(side, frame + 5);
    image.writeUInt16BE(side, frame + 7);
  },
  png(image, side) {
    image.writeUInt32BE(side, 16);
    image.writeUInt32BE(side, 20);
    image.writeUInt32BE(crcOf(image.subarray(12, 29)), 29);
  },
  gif(image, side) {
    image.writeUInt16LE(side, 6);
    image.writeUInt16LE(side, 8);
    const picture = image.indexOf(Buffer.from([0x2c, 0, 0, 0, 0, 30, 0, 20, 0]));
    image.writeUInt16LE(side, picture + 5);
    image.writeUInt16LE(side, picture + 7);
  },
  avif(image, side) {
    const size = image.indexOf('ispe');
    image.writeUInt32BE(side, size + 8);
    image.writeUInt32BE(side, size + 12);
  },
};

function crcOf(bytes: Buffer): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

describe('an image that claims 60,000 × 60,000', () => {
  test.each(['jpeg', 'png', 'gif', 'avif'] as const)(
    '%s is refused by its header, and takes no memory',
    async (format) => {
      const image = await plain(30, 20).toFormat(format).toBuffer();
      claims[format]?.(image, 60_000);
      const before = process.memoryUsage().rss;
      await expect(openAll(image)).rejects.toMatchObject({
        ...tooLarge,
        details: { width: 60_000, height: 60_000, pixels: 50e6 },
      });
      expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 ** 2);
    },
  );

  test('HEIC', async () => {
    const image = await fixture('plain.heic');
    claims['avif']?.(image, 60_000);
    await expect(openAll(image)).rejects.toMatchObject(tooLarge);
  });

  test('WebP, which goes to 16,383', async () => {
    const image = await plain(30, 20).webp({ lossless: true }).toBuffer();
    // 14 bits of width and 14 of height, both less one
    image.writeUInt32LE((16_382 | (16_382 << 14)) >>> 0, image.indexOf('VP8L') + 9);
    await expect(openAll(image)).rejects.toMatchObject({
      ...tooLarge,
      details: { width: 16_383, height: 16_383 },
    });
  });
});

describe('what a route says', () => {
  test('counts to the pixel', async () => {
    const image = await plain(30, 20).png().toBuffer();
    expect((await openAll(image, { pixels: 600 })).facts.width).toBe(30);
    await expect(openAll(image, { pixels: 599 })).rejects.toMatchObject(tooLarge);
  });

  test('counts for HEIC up to 25 million', async () => {
    const image = await fixture('plain.heic');
    await expect(openAll(image, { pixels: 64 * 48 - 1 })).rejects.toMatchObject(tooLarge);
    claims['avif']?.(image, 5001);
    await expect(openAll(image, { pixels: 100e6 })).rejects.toMatchObject({
      ...tooLarge,
      details: { pixels: 25_000_000 },
    });
  });
});

describe('what takes much more memory than others of its size', () => {
  test.each([
    ['an interlaced PNG of 16 bits', { progressive: true }],
    ['not one whose rows come one after the other', { progressive: false }],
  ])('%s', async (_, { progressive }) => {
    const image = await plain(30, 20).ensureAlpha().toColourspace('rgb16').png({ progressive }).toBuffer();
    claims['png']?.(image, 6000);
    // either way its pixels aren't there: that is found out only where they are looked for
    const code = progressive ? 'IMAGE_TOO_LARGE' : 'IMAGE_DAMAGED';
    await expect(openAll(image)).rejects.toMatchObject({ code });
  });

  test('AVIF', async () => {
    const image = await plain(30, 20).avif().toBuffer();
    claims['avif']?.(image, 5000);
    await expect(openAll(image)).rejects.toMatchObject(tooLarge);
  });
});

test('an image within its limits is read as large as it is needed only', async () => {
  const image = await plain(6000, 4000).jpeg().toBuffer();
  const previews = [{ name: 'small', width: 300, formats: ['jpeg' as const], quality: 80 }];
  const { facts, previews: made } = await openAll(image, { previews });
  expect(facts).toMatchObject({ width: 6000, height: 4000 });
  expect((await sharp(made[0]?.content).metadata()).width).toBe(300);
});

const mebibyte = 1024 ** 2;

describe('what a HEIC takes', () => {
  test('its bytes count, too', async () => {
    const image = await fixture('plain.heic');
    const padding = (bytes: number) => {
      const box = Buffer.alloc(bytes);
      box.writeUInt32BE(bytes);
      box.write('free', 4, 'latin1');
      return Buffer.concat([image, box]);
    };
    const most = 20 * mebibyte;
    await expect(openAll(padding(most - image.length + 1))).rejects.toMatchObject({
      ...tooLarge,
      details: { bytes: most + 1, most },
    });
    expect((await openAll(padding(most - image.length))).facts.width).toBe(64);
  });

  test('is never more than a process has, however many bytes or bits there are', () => {
    for (const bytes of [0, 5 * mebibyte, 20 * mebibyte]) {
      for (const isDeep of [false, true]) {
        const pixels = mostHeicPixels(bytes, isDeep);
        const { decoder, all } = heicMemory(pixels, bytes, isDeep);
        expect(all).toBeLessThanOrEqual(312 * mebibyte);
        // besides the decoder there are the worker's copy of the file and three bytes of each pixel
        expect(all - decoder).toBe(bytes + pixels * 3);
      }
    }
    expect(mostHeicPixels(5 * mebibyte, false)).toBe(25e6);
    expect(mostHeicPixels(20 * mebibyte, false)).toBeLessThan(20e6);
  });

  test('more where its colours have more than 8 bits', async () => {
    expect(readHeif(await fixture('ten-bit.heic'))?.isDeep).toBe(true);
    expect(readHeif(await fixture('plain.heic'))?.isDeep).toBe(false);
    const image = await fixture('ten-bit.heic');
    claims['avif']?.(image, 4900);
    await expect(openAll(image)).rejects.toMatchObject(tooLarge);
  });
});

describe('room in memory', () => {
  const never = new AbortController().signal;
  const optionsOf = (signal: AbortSignal) => ({ previews: standard, pixels: 50e6, gps: false, signal });
  const jpeg = () => quartered(2000, 1500).jpeg().toBuffer();
  const base = 1200 * 900 * 3;

  async function untilTaken(isEnough: (bytes: number) => boolean): Promise<void> {
    while (!isEnough(memory.taken())) await new Promise(setImmediate);
  }

  test('is taken from decoding until the last preview', async () => {
    const { previews } = await openImage(await jpeg(), optionsOf(never));
    const taken: number[] = [memory.taken()];
    for await (const _ of previews()) taken.push(memory.taken());
    expect(taken).toHaveLength(8);
    // the pixels that all are made of, and as many again and an encoder
    for (const bytes of taken) expect(bytes).toBeGreaterThan(base * 2);
    expect(memory.taken()).toBe(0);
  });

  test('is given back by whoever stops asking', async () => {
    const { previews } = await openImage(await fixture('plain.heic'), optionsOf(never));
    for await (const { file } of previews()) {
      expect(file).toBe('full.jpg');
      expect(memory.taken()).toBeGreaterThan(0);
      break;
    }
    expect(memory.taken()).toBe(0);
  });

  test('is given back where an image can’t be decoded', async () => {
    await expect(openAll(await fixture('says-it-is-small.heic'))).rejects.toMatchObject({
      code: 'IMAGE_DAMAGED',
    });
    expect(memory.taken()).toBe(0);
  });

  test('is as much as a HEIC’s worker may take', async () => {
    const image = await fixture('says-it-is-small.heic');
    claims['avif']?.(image, 5000);
    const opened = openAll(image).catch(() => undefined);
    await untilTaken((bytes) => bytes > 0);
    expect(memory.taken()).toBe(heicMemory(25e6, image.length, false).all);
    await opened;
    expect(memory.taken()).toBe(0);
  });

  test('stays taken after an abort, until the work has really ended', async () => {
    const abort = new AbortController();
    const image = await quartered(6000, 4000).jpeg().toBuffer();
    const opened = openImage(image, optionsOf(abort.signal));
    await untilTaken((bytes) => bytes > 0);
    const before = memory.taken();
    abort.abort(new Error('time is up'));
    await expect(opened).rejects.toThrow('time is up');
    // and the file, which whoever asked counts no longer
    expect(memory.taken()).toBe(before + image.length);
    await untilTaken((bytes) => bytes === 0);
  });
});

test('EXIF is read up to 128 KiB', async () => {
  const written = await plain(8, 8)
    .withExif({ IFD0: { Make: 'Drover' } })
    .jpeg()
    .toBuffer();
  const { exif = Buffer.alloc(0) } = await sharp(written).metadata();
  const block = (bytes: number) => Buffer.concat([exif], bytes);
  const settings = { gps: false, now: new Date() };
  expect(readExif(block(128 * 1024), settings)).toMatchObject({ camera: { make: 'Drover' }, doubts: [] });
  expect(readExif(block(128 * 1024 + 1), settings)).toMatchObject({
    camera: { make: undefined },
    doubts: ['EXIF block'],
  });
});
