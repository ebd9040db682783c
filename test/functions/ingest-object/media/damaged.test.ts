import sharp, { type Sharp } from 'sharp';
import { describe, expect, test } from 'vitest';
import { photograph } from '../../../support/photos.ts';
import { fixture, openAll, quartered } from './images.fixture.ts';

const damaged = { code: 'IMAGE_DAMAGED', retryable: false };

const photo = () => photograph({ width: 200, height: 150, seed: 3, format: 'png' });

async function animated(format: 'gif' | 'webp'): Promise<Buffer> {
  const frames = await Promise.all(
    [1, 2, 3].map((seed) => photograph({ width: 60, height: 40, seed, format: 'png' })),
  );
  return await sharp(frames, { join: { animated: true } })
    .toFormat(format)
    .toBuffer();
}

const of = (make: (image: Sharp) => Sharp) => async () => await make(sharp(await photo())).toBuffer();

const files: Readonly<Record<string, () => Promise<Buffer>>> = {
  JPEG: of((image) => image.jpeg()),
  'progressive JPEG': of((image) => image.jpeg({ progressive: true })),
  PNG: of((image) => image.png()),
  'interlaced PNG': of((image) => image.png({ progressive: true })),
  WebP: of((image) => image.webp()),
  'lossless WebP': of((image) => image.webp({ lossless: true })),
  'animated WebP': () => animated('webp'),
  AVIF: of((image) => image.avif({ effort: 0 })),
  GIF: of((image) => image.gif()),
  'animated GIF': () => animated('gif'),
  HEIC: () => fixture('plain.heic'),
  'HEIC of tiles': () => fixture('grid.heic'),
};

/** Where to cut: at the end byte by byte, and all over it. */
function cutsOf(length: number): number[] {
  const near = [1, 2, 3, 4, 5, 8, 12, 16, 20];
  const across = Array.from({ length: 12 }, (_, part) => Math.floor((length * (part + 1)) / 13));
  return [...new Set([...near, ...across])].filter((cut) => cut < length - 40);
}

describe('a file that is cut off anywhere', () => {
  test.each(Object.keys(files))('%s', async (name) => {
    const image = (await files[name]?.()) ?? Buffer.alloc(0);
    expect((await openAll(image)).facts.doubts).toEqual([]);
    const cuts = name.startsWith('HEIC')
      ? cutsOf(image.length).filter((_, index) => index % 3 === 0)
      : cutsOf(image.length);
    for (const cut of cuts) {
      const opened = openAll(image.subarray(0, image.length - cut));
      await expect(opened, `without its last ${cut} of ${image.length} bytes`).rejects.toMatchObject(damaged);
    }
  });

  test.each(Object.keys(files))(
    '%s of which only the beginning is there is refused for good',
    async (name) => {
      const image = (await files[name]?.()) ?? Buffer.alloc(0);
      for (const length of [1, 4, 8, 12, 16, 24, 32]) {
        const opened = openAll(image.subarray(0, length));
        const code = expect.stringMatching(/^(?:NOT_AN_IMAGE|IMAGE_DAMAGED)$/);
        await expect(opened, `${length} bytes`).rejects.toMatchObject({ code, retryable: false });
      }
    },
  );
});

describe('a file that is spoilt', () => {
  test('a JPEG that ends too early, properly', async () => {
    const image = await sharp(await photo())
      .jpeg()
      .toBuffer();
    const early = Buffer.concat([image.subarray(0, image.length / 2), Buffer.from([0xff, 0xd9])]);
    await expect(openAll(early)).rejects.toMatchObject(damaged);
    await expect(openAll(early)).rejects.toThrow('premature end of data segment');
  });

  test.each(['PNG', 'lossless WebP', 'AVIF'])('%s with zeros in it', async (name) => {
    const image = (await files[name]?.()) ?? Buffer.alloc(0);
    image.fill(0, Math.floor(image.length * 0.6), Math.floor(image.length * 0.8));
    await expect(openAll(image)).rejects.toMatchObject(damaged);
  });

  test('an AVIF that is called JPEG within is not decoded as such', async () => {
    const image = await sharp(await photo())
      .avif()
      .toBuffer();
    image.fill(0xff, image.indexOf('av1C') - 4, image.indexOf('av1C') + 12);
    await expect(openAll(image)).rejects.toMatchObject(damaged);
  });

  test('what cameras do wrong and everybody shows is a doubt', async () => {
    const image = await quartered().jpeg().toBuffer();
    const scan = image.indexOf(Buffer.from([0xff, 0xda]));
    // of a scan that is not progressive, the last three bytes have to be 0, 63 and 0
    image[scan + 2 + image.readUInt16BE(scan + 2) - 2] = 0;
    const { facts, previews } = await openAll(image);
    expect(facts.doubts).toEqual(['JPEG: Invalid SOS parameters for sequential JPEG']);
    expect(previews).toHaveLength(1);
  });
});
