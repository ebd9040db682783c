import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { fixture, inAllFormats, openAll, quartered, quarters } from './images.fixture.ts';

/** How the four quarters have to be seen, by EXIF's orientations. */
const seen: readonly (readonly [number, string])[] = [
  [1, 'red green blue yellow'],
  [2, 'green red yellow blue'],
  [3, 'yellow blue green red'],
  [4, 'blue yellow red green'],
  [5, 'red blue green yellow'],
  [6, 'blue red yellow green'],
  [7, 'yellow green blue red'],
  [8, 'green yellow red blue'],
];

describe.each(['jpeg', 'png', 'webp'] as const)('%s', (format) => {
  test.each(seen)('with orientation %i is seen as %s', async (orientation, order) => {
    const image = await quartered()
      .withMetadata({ orientation })
      .toFormat(format, { quality: 100 })
      .toBuffer();
    expect((await sharp(image).metadata()).orientation).toBe(orientation);
    const { facts, previews } = await openAll(image, { previews: inAllFormats });
    const size = orientation >= 5 ? { width: 48, height: 64 } : { width: 64, height: 48 };
    expect(facts).toMatchObject(size);
    expect(previews).toHaveLength(3);
    for (const { content, width, height } of previews) {
      expect({ width, height }).toEqual(size);
      expect(await quarters(content)).toEqual(order.split(' '));
      expect(await sharp(content).metadata()).toMatchObject(size);
    }
  });

  test('fits into a box as it is seen', async () => {
    const image = await quartered(1000, 500).withMetadata({ orientation: 6 }).toFormat(format).toBuffer();
    const box = { name: 'box', formats: ['png' as const], quality: 80 };
    const { previews } = await openAll(image, {
      previews: [
        { ...box, width: 100 },
        { ...box, name: 'low', width: 100, height: 100 },
      ],
    });
    expect(previews.map(({ width, height }) => [width, height])).toEqual([
      [100, 200],
      [50, 100],
    ]);
  });
});

test.each([0, 9, 1000])('an orientation that there isn’t is none: %i', async (orientation) => {
  const image = await quartered().withMetadata({ orientation: 6 }).jpeg({ quality: 100 }).toBuffer();
  // tag 0x0112 of type 3, one of them, and then it
  const at = image.indexOf(Buffer.from([0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0]));
  image.writeUInt16LE(orientation, at + 8);
  const { facts, previews } = await openAll(image);
  expect(facts).toMatchObject({ width: 64, height: 48, doubts: [] });
  expect(await quarters(previews[0]?.content ?? image)).toEqual(['red', 'green', 'blue', 'yellow']);
});

describe('what a decoder turns is turned once, whatever EXIF says besides', () => {
  test.each([
    [3, 64, 'yellow blue green red'],
    [5, 48, 'red blue green yellow'],
    [6, 48, 'blue red yellow green'],
  ])('HEIC, orientation %i', async (orientation, width, order) => {
    const { facts, previews } = await openAll(await fixture(`turned-${orientation}.heic`));
    expect(facts).toMatchObject({ width, height: 112 - width });
    expect(previews.map(({ file }) => file)).toEqual(['full.jpg', 'all.png']);
    for (const { content } of previews) expect(await quarters(content)).toEqual(order.split(' '));
  });

  test('AVIF', async () => {
    const image = await quartered().withMetadata({ orientation: 6 }).avif({ quality: 100 }).toBuffer();
    expect(image.includes('irot')).toBe(true);
    const { facts, previews } = await openAll(image);
    expect(facts).toMatchObject({ width: 48, height: 64 });
    expect(await quarters(previews[0]?.content ?? image)).toEqual(['blue', 'red', 'yellow', 'green']);
  });
});
