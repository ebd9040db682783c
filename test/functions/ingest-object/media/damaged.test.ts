import sharp, { type Sharp } from 'sharp';
import { describe, expect, test, vi } from 'vitest';
import { framesOfPng, isComplete, maxParts } from '../../../../functions/ingest-object/media/complete.ts';
import { failureOf } from '../../../../functions/ingest-object/media/errors.ts';
import { decodeHeic } from '../../../../functions/ingest-object/media/heic.ts';
import { photograph } from '../../../support/photos.ts';
import { fixture, openAll, plain, quartered } from './images.fixture.ts';

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

describe('a file that is made to take long', () => {
  const tooSlow = { code: 'IMAGE_TOO_SLOW', retryable: false };

  /** How often work does this to any buffer. */
  function callsOf(method: 'indexOf' | 'lastIndexOf' | 'readUInt32BE' | 'readUInt16BE', work: () => unknown) {
    const spy = vi.spyOn(Buffer.prototype, method);
    try {
      work();
      return spy.mock.calls.length;
    } finally {
      spy.mockRestore();
    }
  }

  const tooManyParts = `it is in more than ${maxParts} parts`;

  test('JPEG: what is compressed is looked through at once', () => {
    const scan = Buffer.from([0xff, 0xd8, 0xff, 0xda, 0, 2]);
    const image = Buffer.concat([scan, Buffer.alloc(1e6, Buffer.from([0xff, 0]))]);
    expect(callsOf('indexOf', () => expect(isComplete(image, 'image/jpeg')).toBe(false))).toBeLessThan(10);
    image.set([0xff, 0xd9], 900_000);
    expect(isComplete(image, 'image/jpeg')).toBe(true);
    // one that comes before the picture is none
    const early = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe1, 0, 4, 0xff, 0xd9]), scan.subarray(2)]);
    expect(isComplete(early, 'image/jpeg')).toBe(false);
  });

  test.each([
    ['segments', Buffer.from([0xff, 0xe1, 0, 2])],
    ['nothing', Buffer.from([0xff])],
  ])('JPEG of too many: %s', (_, part) => {
    const image = Buffer.concat([Buffer.from([0xff, 0xd8]), Buffer.alloc(maxParts * 5, part)]);
    const calls = callsOf('indexOf', () =>
      expect(() => isComplete(image, 'image/jpeg')).toThrow(tooManyParts),
    );
    expect(calls).toBeLessThanOrEqual(maxParts);
  });

  test('PNG of too many chunks', () => {
    for (const whole of [isComplete, framesOfPng]) {
      const calls = callsOf('readUInt32BE', () =>
        expect(() => whole(Buffer.alloc(maxParts * 15), 'image/png')).toThrow(tooManyParts),
      );
      expect(calls).toBeLessThanOrEqual(maxParts * 2);
    }
    const image = Buffer.alloc(8 + 12 * maxParts);
    image.write('IEND', image.length - 8, 'latin1');
    expect(isComplete(image, 'image/png')).toBe(true);
  });

  test('libvips’ patience is over: that is the file’s fault, and for good', async () => {
    const huge = { width: 20_000, height: 20_000, channels: 3 as const, background: 'white' };
    const slow = sharp({ create: huge, limitInputPixels: false })
      .blur(200)
      .timeout({ seconds: 1 })
      .png()
      .toBuffer();
    const error = await slow.then(
      () => undefined,
      (problem: unknown) => problem,
    );
    expect(failureOf(error, 'image/webp')).toMatchObject(tooSlow);
    // what the machine is to blame for is tried again
    const machine = new Error('out of memory');
    expect(failureOf(machine, 'image/webp')).toBe(machine);
  });

  test('and of whoever decodes a HEIC', async () => {
    const task = { content: await fixture('plain.heic'), maxPixels: 1e6, colours: undefined, memory: 100e6 };
    const { signal } = new AbortController();
    await expect(decodeHeic(task, signal, 0)).rejects.toMatchObject(tooSlow);
    expect(await decodeHeic(task, signal)).toMatchObject({ width: 64, height: 48 });
  });
});

test.each([64, 299])('an AVIF that says it has another size, %i, is told in words of ours', async (side) => {
  const image = await plain(300, 300).avif().toBuffer();
  const size = image.indexOf('ispe');
  image.writeUInt32BE(side, size + 8);
  image.writeUInt32BE(side, size + 12);
  await expect(openAll(image)).rejects.toMatchObject(damaged);
  await expect(openAll(image)).rejects.toThrow(
    'AVIF is cut off or damaged: what it says of itself is not so',
  );
});
