import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { fixture, openAll, plain } from './images.fixture.ts';

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
