import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import {
  asItIs,
  distance,
  fixture,
  inAllFormats,
  middleOf,
  openAll,
  plain,
  quartered,
  quarters,
  standard,
} from './images.fixture.ts';

async function onlyOf(content: Buffer): Promise<Buffer> {
  const { previews } = await openAll(content);
  return previews.at(-1)?.content ?? Buffer.alloc(0);
}

describe('colours become sRGB of 8 bits', () => {
  const colour = [200, 100, 50];

  test('CMYK', async () => {
    // one that can be printed
    const image = await plain(30, 20, '#a08070').toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer();
    expect((await sharp(image).metadata()).space).toBe('cmyk');
    expect(distance(await middleOf(await onlyOf(image)), [160, 128, 112])).toBeLessThan(8);
  });

  test('16 bits', async () => {
    const image = await plain(30, 20).toColourspace('rgb16').png().toBuffer();
    expect((await sharp(image).metadata()).depth).toBe('ushort');
    const preview = await onlyOf(image);
    expect(await middleOf(preview)).toEqual(colour);
    expect((await sharp(preview).metadata()).depth).toBe('uchar');
  });

  test.each(['jpeg', 'png'] as const)('grey: %s', async (format) => {
    const image = await plain(30, 20, '#808080').toColourspace('b-w').toFormat(format).toBuffer();
    expect((await sharp(image).metadata()).channels).toBe(1);
    expect((await middleOf(await onlyOf(image))).slice(0, 3)).toEqual([128, 128, 128]);
  });

  test('grey with transparency', async () => {
    const image = await plain(30, 20, '#808080').toColourspace('b-w').ensureAlpha(0.5).png().toBuffer();
    expect(distance(await middleOf(await onlyOf(image)), [128, 128, 128, 128])).toBeLessThan(2);
  });

  test('a palette', async () => {
    const image = await quartered().png({ palette: true }).toBuffer();
    expect(await quarters(await onlyOf(image))).toEqual(['red', 'green', 'blue', 'yellow']);
  });

  test.each(['jpeg', 'png', 'webp'] as const)('Display P3: %s', async (format) => {
    const image = await plain(30, 20).withIccProfile('p3').toFormat(format, { quality: 100 }).toBuffer();
    expect(
      distance(await middleOf(await sharp(image, { ignoreIcc: true }).png().toBuffer()), colour),
    ).toBeGreaterThan(8);
    expect(distance(await middleOf(await onlyOf(image)), colour)).toBeLessThan(4);
  });

  test('Display P3: HEIC, all of its files', async () => {
    // what libvips makes of a PNG of the same colour with the same profile
    const expected = [215, 93, 32];
    const { previews } = await openAll(await fixture('p3.heic'), { previews: inAllFormats });
    expect(previews).toHaveLength(4);
    for (const { content } of previews)
      expect(distance((await middleOf(content)).slice(0, 3), expected)).toBeLessThan(5);
  });
});

describe('transparency', () => {
  test.each(['png', 'webp', 'gif', 'avif'] as const)('%s: JPEG shows white instead', async (format) => {
    const { data, info } = await quartered().ensureAlpha().raw().toBuffer({ resolveWithObject: true });
    const { width, height } = info;
    for (let y = 0; y < height / 2; y++)
      for (let x = 0; x < width / 2; x++) data[(y * width + x) * 4 + 3] = 0;
    const image = await sharp(data, { raw: { width, height, channels: 4 } })
      .toFormat(format, { quality: 100 })
      .toBuffer();
    const { previews } = await openAll(image, { previews: inAllFormats });
    for (const { file, content } of previews) {
      const first = file.endsWith('jpg') ? 'white' : 'transparent';
      expect(await quarters(content)).toEqual([first, 'green', 'blue', 'yellow']);
    }
  });

  test('HEIC', async () => {
    const { previews } = await openAll(await fixture('alpha.heic'), { previews: inAllFormats });
    expect(previews.map(({ file }) => file).toSorted()).toEqual([
      'all.jpg',
      'all.png',
      'all.webp',
      'full.jpg',
    ]);
    for (const { file, content } of previews) {
      const first = file.endsWith('jpg') ? 'white' : 'transparent';
      expect(await quarters(content)).toEqual([first, 'green', 'blue', 'yellow']);
    }
  });
});

describe('animations show their first picture', () => {
  test.each(['gif', 'webp'] as const)('%s', async (format) => {
    const others = await Promise.all(
      ['#000000', '#ffffff'].map((colour) => plain(64, 48, colour).png().toBuffer()),
    );
    const frames = [await quartered().png().toBuffer(), ...others];
    const image = await sharp(frames, { join: { animated: true } })
      .toFormat(format, { quality: 100 })
      .toBuffer();
    const { facts, previews } = await openAll(image, { previews: inAllFormats });
    expect(facts).toMatchObject({ frames: 3, width: 64, height: 48 });
    for (const { content } of previews) {
      expect(await quarters(content)).toEqual(['red', 'green', 'blue', 'yellow']);
      expect((await sharp(content).metadata()).pages ?? 1).toBe(1);
    }
  });

  test('PNG', async () => {
    const image = await quartered().png().toBuffer();
    const control = Buffer.alloc(20);
    control.writeUInt32BE(8, 0);
    control.write('acTL', 4, 'latin1');
    control.writeUInt32BE(7, 8);
    const { crc32 } = await import('node:zlib');
    control.writeUInt32BE(crc32(control.subarray(4, 16)), 16);
    const animated = Buffer.concat([image.subarray(0, 33), control, image.subarray(33)]);
    const { facts, previews } = await openAll(animated);
    expect(facts).toMatchObject({ type: 'image/png', frames: 7 });
    expect(await quarters(previews[0]?.content ?? image)).toEqual(['red', 'green', 'blue', 'yellow']);
  });
});

describe('HEIC', () => {
  test.each(['plain', 'ten-bit', 'grid', 'second-is-primary'])('%s', async (name) => {
    const { facts, previews } = await openAll(await fixture(`${name}.heic`), { previews: standard });
    const size = name === 'grid' ? { width: 128, height: 96 } : { width: 64, height: 48 };
    expect(facts).toMatchObject({ type: 'image/heic', ...size, frames: 1, doubts: [] });
    expect(previews.map(({ file }) => file).toSorted()).toEqual(
      [
        ...[400, 800, 1200].flatMap((width) => [`${width}.webp`, `${width}.png`]),
        'thumbnail.jpg',
        'full.jpg',
      ].toSorted(),
    );
    for (const { content } of previews) {
      expect(await sharp(content).metadata()).toMatchObject(size);
      expect(await quarters(content)).toEqual(['red', 'green', 'blue', 'yellow']);
    }
  });

  test('has its EXIF read', async () => {
    const { facts } = await openAll(await fixture('exif.heic'), { gps: true });
    expect(facts).toMatchObject({
      captured: { local: '2026-03-29T02:30:00.125', offsetMinutes: 120 },
      camera: { make: 'Drover', model: 'Model 7', lens: 'Lens 50mm' },
      location: { latitude: 52.52, longitude: 13.405, altitude: 34.5 },
    });
    expect((await openAll(await fixture('exif.heic'))).facts.location).toBeUndefined();
  });

  test('a preview that is called full replaces the one that there is anyway', async () => {
    const previews = [{ name: 'full', width: 32, formats: ['jpeg' as const], quality: 80 }];
    const { previews: made } = await openAll(await fixture('plain.heic'), { previews });
    expect(made.map(({ file, width }) => [file, width])).toEqual([['full.jpg', 32]]);
  });
});

describe('sizes', () => {
  test('a single pixel', async () => {
    for (const format of ['jpeg', 'png', 'webp', 'avif', 'gif'] as const) {
      const { facts, previews } = await openAll(await plain(1, 1).toFormat(format).toBuffer(), {
        previews: standard,
      });
      expect(facts).toMatchObject({ width: 1, height: 1 });
      expect(facts.placeholder.length).toBeGreaterThan(4);
      expect(previews.map(({ width, height }) => [width, height])).toEqual(Array(7).fill([1, 1]));
    }
  });

  test.each([
    [10_000, 3],
    [3, 10_000],
    [3, 40_000],
  ])('%i × %i', async (width, height) => {
    const { facts, previews } = await openAll(await plain(width, height).png().toBuffer(), {
      previews: standard,
    });
    expect(facts).toMatchObject({ width, height });
    expect(previews).toHaveLength(7);
    for (const preview of previews) {
      const { width: w, height: h } = await sharp(preview.content).metadata();
      expect({ w, h }).toEqual({ w: preview.width, h: preview.height });
      expect(w).toBeLessThanOrEqual(1200);
      expect(Math.max(w, h)).toBeLessThanOrEqual(16_383);
    }
  });

  test('no previews at all', async () => {
    const { facts, previews } = await openAll(await plain(3000, 2000).jpeg().toBuffer(), { previews: [] });
    expect(previews).toEqual([]);
    expect(facts.placeholder.length).toBeGreaterThan(4);
  });
});

test('the same image gives the same bytes', async () => {
  const image = await quartered(900, 700).jpeg().toBuffer();
  const [first, second] = [
    await openAll(image, { previews: asItIs }),
    await openAll(image, { previews: asItIs }),
  ];
  expect(first).toEqual(second);
});
