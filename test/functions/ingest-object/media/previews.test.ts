import { execFile } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import sharp from 'sharp';
import { rgbaToThumbHash, thumbHashToAverageRGBA } from 'thumbhash';
import { describe, expect, test } from 'vitest';
import { sizeWithin } from '../../../../functions/ingest-object/media/pixels.ts';
import {
  planPreviews,
  renderingBytes,
  sizeForAll,
} from '../../../../functions/ingest-object/media/previews.ts';
import type { PreviewSettings } from '../../../../shared/routes.ts';
import { photograph } from '../../../support/photos.ts';
import { distance, openAll, plain, standard } from './images.fixture.ts';

const sizes = fc.record({
  width: fc.integer({ min: 1, max: 60_000 }),
  height: fc.integer({ min: 1, max: 60_000 }),
});
const boxes = fc.record({
  width: fc.integer({ min: 16, max: 4096 }),
  height: fc.integer({ min: 16, max: 4096 }),
});

describe('a size within a box', () => {
  test('fits, is never larger than the image, and is as large as it can be', () => {
    fc.assert(
      fc.property(sizes, boxes, (size, box) => {
        const { width, height } = sizeWithin(size, box);
        expect(width).toBeLessThanOrEqual(Math.min(size.width, box.width));
        expect(height).toBeLessThanOrEqual(Math.min(size.height, box.height));
        expect(Math.min(width, height)).toBeGreaterThanOrEqual(1);
        expect(
          width === size.width || width === box.width || height === size.height || height === box.height,
        ).toBe(true);
        // the shape stays, but for what a pixel is
        expect(Math.abs(width * size.height - height * size.width)).toBeLessThanOrEqual(
          size.width + size.height,
        );
      }),
    );
  });

  test('what all previews are made from is never smaller than one of them', () => {
    fc.assert(
      fc.property(sizes, fc.array(boxes, { maxLength: 5 }), (size, list) => {
        const settings = list.map((box, index) => ({
          name: `p${index}`,
          width: box.width,
          // every other one says how high
          ...(index % 2 === 0 ? { height: box.height } : {}),
          formats: [index % 3 === 0 ? ('png' as const) : ('webp' as const)],
          quality: 80,
        }));
        const planned = planPreviews(settings, size);
        const base = sizeForAll(planned, size, 64);
        for (const { size: one } of planned) {
          expect(one.width).toBeLessThanOrEqual(base.width);
          expect(one.height).toBeLessThanOrEqual(base.height);
        }
        expect(base.width).toBeLessThanOrEqual(size.width);
      }),
    );
  });
});

describe('no preview is larger than there is memory for', () => {
  const one = (width: number, ...formats: PreviewSettings['formats']) => ({
    name: 'one',
    width,
    formats,
    quality: 80,
  });
  const sizeOf = (settings: PreviewSettings, width: number, height: number) =>
    planPreviews([settings], { width, height })[0]?.size;

  test('one whose height isn’t said is at most four times as high as wide', () => {
    expect(sizeOf(one(400, 'webp'), 1200, 16_383)).toEqual({ width: 117, height: 1600 });
    expect(sizeOf(one(400, 'png'), 400, 1600)).toEqual({ width: 400, height: 1600 });
    expect(sizeOf({ ...one(400, 'webp'), height: 4000 }, 1200, 16_383)).toEqual({ width: 293, height: 4000 });
  });

  test('one has no more pixels than its formats have memory for, and its shape', () => {
    expect(sizeOf(one(4096, 'png'), 4096, 3072)).toEqual({ width: 4096, height: 3072 });
    expect(sizeOf(one(4096, 'webp', 'png'), 4096, 3072)).toEqual({ width: 2309, height: 1732 });
    expect(sizeOf({ ...one(4096, 'jpeg'), height: 4096 }, 5000, 5000)).toEqual({ width: 3547, height: 3547 });
  });

  test('whatever a route and an image are', () => {
    fc.assert(
      fc.property(sizes, boxes, fc.boolean(), fc.constantFrom(3, 4), (size, box, isHigh, channels) => {
        const { width, height } = box;
        const settings = { ...one(width, 'webp', 'png', 'jpeg'), ...(isHigh ? { height } : {}) };
        const planned = planPreviews([settings], size);
        const base = sizeForAll(planned, size, 64);
        expect(base.height * base.width).toBeLessThanOrEqual(4_000_000);
        expect(renderingBytes(planned, base, channels)).toBeLessThan(200 * 1024 ** 2);
        expect(renderingBytes(planned, base, channels)).toBeGreaterThan(base.width * base.height * channels);
      }),
    );
  });
});

/** Peak memory of a process of its own that opens this file so many times at once. */
async function peakMebibytes(file: string, atATime: number): Promise<number> {
  const image = path.resolve(import.meta.dirname, '../../../../functions/ingest-object/media/image.ts');
  const script = `
    import { readFileSync } from 'node:fs';
    const { openImage } = await import(${JSON.stringify(image)});
    const options = { previews: ${JSON.stringify(standard)}, pixels: 50e6, gps: false, signal: new AbortController().signal };
    await Promise.all(Array.from({ length: ${atATime} }, async () => {
      const { previews } = await openImage(readFileSync(${JSON.stringify(file)}), options);
      for await (const _ of previews());
    }));
    console.log(/VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  `;
  const env = { ...process.env, MALLOC_ARENA_MAX: '2' };
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    env,
  });
  return Number(stdout) / 1024;
}

test.runIf(process.platform === 'linux')(
  'images that are as high as can be don’t take the process',
  async () => {
    const [width, height] = [1200, 16_383];
    const noise = randomFillSync(Buffer.allocUnsafe(width * height * 3));
    const folder = await mkdtemp(path.join(tmpdir(), 'drover-previews-'));
    try {
      const file = path.join(folder, 'high.jpg');
      await sharp(noise, { raw: { width, height, channels: 3 } })
        .jpeg()
        .toFile(file);
      // it was 1400
      expect(await peakMebibytes(file, 3)).toBeLessThan(330);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);

describe('the files of an image', () => {
  test('are those of its settings, the largest first', async () => {
    const image = await photograph({ width: 2000, height: 1500, seed: 1, format: 'jpeg' });
    const { previews } = await openAll(image, { previews: standard });
    expect(
      previews.map(({ file, contentType, width, height }) => [file, contentType, width, height]),
    ).toEqual([
      ['1200.webp', 'image/webp', 1200, 900],
      ['1200.png', 'image/png', 1200, 900],
      ['800.webp', 'image/webp', 800, 600],
      ['800.png', 'image/png', 800, 600],
      ['400.webp', 'image/webp', 400, 300],
      ['400.png', 'image/png', 400, 300],
      ['thumbnail.jpg', 'image/jpeg', 300, 225],
    ]);
    for (const { content, contentType, width, height } of previews) {
      const { format, ...size } = await sharp(content).metadata();
      expect(`image/${format}`).toBe(contentType);
      expect(size).toMatchObject({ width, height });
    }
  });

  test('are never larger than it, and made once where they are the same', async () => {
    const { previews } = await openAll(await plain(500, 400).png().toBuffer(), { previews: standard });
    const byFile = new Map(previews.map((preview) => [preview.file, preview]));
    for (const format of ['webp', 'png']) {
      expect(byFile.get(`400.${format}`)).toMatchObject({ width: 400, height: 320 });
      expect(byFile.get(`1200.${format}`)).toMatchObject({ width: 500, height: 400 });
      // the very same, not an equal one
      expect(byFile.get(`800.${format}`)?.content).toBe(byFile.get(`1200.${format}`)?.content);
    }
  });

  test('of other qualities are others', async () => {
    const of = (name: string, quality: number) => ({ name, width: 100, formats: ['webp' as const], quality });
    const image = await photograph({ width: 300, height: 200, seed: 2, format: 'jpeg' });
    const { previews } = await openAll(image, { previews: [of('good', 95), of('bad', 10)] });
    const [good, bad] = previews.map(({ content }) => content.length);
    expect(good).toBeGreaterThan((bad ?? 0) * 1.5);
  });

  test('look like the ones that are made from the original each', async () => {
    const image = await photograph({ width: 2000, height: 1500, seed: 4, format: 'jpeg' });
    const { previews } = await openAll(image, { previews: standard });
    for (const { file, width, height, content } of previews.filter((one) => one.file.endsWith('.png'))) {
      const [own, bare] = await Promise.all(
        [sharp(content), sharp(image).resize(width, height)].map((one) => one.raw().toBuffer()),
      );
      const squares = own?.reduce((sum, value, index) => sum + (value - (bare?.[index] ?? 0)) ** 2, 0) ?? 0;
      expect(Math.sqrt(squares / (own?.length ?? 1)), file).toBeLessThan(4);
    }
  });
});

describe('the placeholder', () => {
  test('has the colour of the image', async () => {
    const { facts } = await openAll(await plain(3000, 2000).jpeg().toBuffer());
    const { r, g, b, a } = thumbHashToAverageRGBA(facts.placeholder);
    expect(
      distance(
        [r, g, b].map((part) => part * 255),
        [200, 100, 50],
      ),
    ).toBeLessThan(12);
    expect(a).toBe(1);
  });

  test('is that of the image, made small', async () => {
    const image = await photograph({ width: 640, height: 480, seed: 9, format: 'png' });
    const small = await sharp(image).resize(64, 48).ensureAlpha().raw().toBuffer();
    const expected = Buffer.from(rgbaToThumbHash(64, 48, small));
    const { facts } = await openAll(image, { previews: [] });
    expect(facts.placeholder).toEqual(expected);
  });
});
