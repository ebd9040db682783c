import fc from 'fast-check';
import sharp, { type Exif } from 'sharp';
import { describe, expect, test } from 'vitest';
import { readExif } from '../../../../functions/ingest-object/media/exif.ts';
import { openAll, plain } from './images.fixture.ts';

const now = new Date('2026-11-22T12:00:00Z');

async function blockOf(exif: Exif): Promise<Buffer> {
  const { exif: block } = await sharp(await plain(8, 8).withExif(exif).jpeg().toBuffer()).metadata();
  return block ?? Buffer.alloc(0);
}

async function read(exif: Exif, gps = true) {
  return readExif(await blockOf(exif), { gps, now });
}

const place = {
  GPSLatitudeRef: 'S',
  GPSLatitude: '33/1 51/1 2450/100',
  GPSLongitudeRef: 'W',
  GPSLongitude: '70/1 30/1 0/1',
};

describe('when and with what', () => {
  test('times are those of taking it, and not of editing it', async () => {
    const { captured } = await read({
      IFD0: { DateTime: '2026:05:01 00:00:00' },
      IFD2: {
        DateTimeOriginal: '2026:03:29 02:30:00',
        DateTimeDigitized: '2026:03:30 00:00:00',
        OffsetTime: '+09:00',
        OffsetTimeOriginal: '+02:00',
        OffsetTimeDigitized: '+03:00',
        SubSecTimeOriginal: '25',
      },
    });
    expect(captured).toEqual({ local: '2026-03-29T02:30:00.250', offsetMinutes: 120 });
  });

  test('an edited one that doesn’t say when it was taken has no time', async () => {
    expect((await read({ IFD0: { DateTime: '2026:05:01 00:00:00' } })).captured).toBeUndefined();
  });

  test('a camera’s names are trimmed, short and without control characters', async () => {
    const { camera } = await read({
      IFD0: { Make: '  Drover \u0007 Works  ', Model: 'M'.repeat(1000) },
      IFD2: { LensModel: '   ' },
    });
    expect(camera).toEqual({ make: 'Drover   Works', model: 'M'.repeat(200), lens: undefined });
  });
});

describe('where', () => {
  test('is read with its signs, and its height', async () => {
    const block = await blockOf({ IFD3: { ...place, GPSAltitudeRef: '1', GPSAltitude: '125/10' } });
    const above = readExif(block, { gps: true, now });
    expect(above.location).toEqual({ latitude: -33.8568056, longitude: -70.5, altitude: 12.5 });
    expect(above.doubts).toEqual([]);
    // libvips writes no single bytes: tag 5, of type 1, one of them, and then it
    const at = block.indexOf(Buffer.from([5, 0, 1, 0, 1, 0, 0, 0]));
    block[at + 8] = 1;
    expect(readExif(block, { gps: true, now }).location?.altitude).toBe(-12.5);
  });

  test('is not even looked at unless it is wanted', async () => {
    const { location, doubts } = await read({ IFD3: { ...place, GPSLatitude: '91/1 0/1 0/1' } }, false);
    expect(location).toBeUndefined();
    expect(doubts).toEqual([]);
  });

  test.each([
    ['beyond the pole', { GPSLatitude: '91/1 0/1 0/1' }],
    ['beyond the date line', { GPSLongitude: '180/1 0/1 1/1' }],
    ['a fraction of nothing', { GPSLatitude: '33/0 51/1 0/1' }],
    ['too many minutes', { GPSLatitude: '33/1 99/1 0/1' }],
    ['no such direction', { GPSLatitudeRef: 'X' }],
  ])('is a doubt: %s', async (_, wrong) => {
    const { location, doubts } = await read({ IFD3: { ...place, ...wrong } });
    expect(location).toBeUndefined();
    expect(doubts).toEqual(['EXIF place']);
  });

  test('without a direction it is a doubt', async () => {
    const { GPSLatitudeRef: _, ...rest } = place;
    expect((await read({ IFD3: rest })).doubts).toEqual(['EXIF place']);
  });

  test('a height that can’t be is a doubt of its own', async () => {
    const { location, doubts } = await read({ IFD3: { ...place, GPSAltitudeRef: '0', GPSAltitude: '1/0' } });
    expect(location).toEqual({ latitude: -33.8568056, longitude: -70.5, altitude: undefined });
    expect(doubts).toEqual(['EXIF altitude']);
  });
});

describe('a broken block', () => {
  test.each([
    ['none', undefined, []],
    ['empty', Buffer.alloc(0), []],
    ['text', Buffer.from('this is no EXIF at all'), ['EXIF block']],
    [
      'a directory that is elsewhere',
      Buffer.from('II*\0\xff\xff\xff\x7f\0\0\0\0\0\0', 'latin1'),
      ['EXIF block'],
    ],
    [
      'larger than any camera’s',
      Buffer.concat([Buffer.from('II*\0\b\0\0\0'), Buffer.alloc(2e6)]),
      ['EXIF block'],
    ],
  ])('%s', (_, block, doubts) => {
    const facts = readExif(block, { gps: true, now });
    expect(facts.doubts).toEqual(doubts);
    expect(facts.captured).toBeUndefined();
  });

  test('never throws, whatever is cut off or changed', async () => {
    const block = await blockOf({
      IFD0: { Make: 'Drover' },
      IFD2: { DateTimeOriginal: '2026:03:29 02:30:00' },
      IFD3: { ...place },
    });
    const changes = fc.array(fc.tuple(fc.nat(block.length - 1), fc.integer({ min: 0, max: 255 })), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(fc.nat(block.length), changes, (length, bytes) => {
        const changed = Buffer.from(block);
        for (const [at, byte] of bytes) changed[at] = byte;
        const { camera, captured, location } = readExif(changed.subarray(0, length), { gps: true, now });
        for (const text of Object.values(camera)) expect(text ?? '').not.toMatch(/\p{Cc}/u);
        if (captured) expect(captured.local).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?$/);
        if (location) expect(Math.abs(location.latitude)).toBeLessThanOrEqual(90);
      }),
      { numRuns: 500 },
    );
  });

  test('an image is opened all the same', async () => {
    const image = await plain(20, 10)
      .withExif({ IFD0: { Make: 'Drover' } })
      .jpeg()
      .toBuffer();
    image.fill(0xee, image.indexOf('II*\0') + 4, image.indexOf('II*\0') + 8);
    const { facts } = await openAll(image);
    expect(facts).toMatchObject({ width: 20, height: 10, doubts: ['EXIF block'] });
  });
});

test.each(['jpeg', 'png', 'webp', 'avif'] as const)('the same of %s', async (format) => {
  const exif = { IFD2: { DateTimeOriginal: '2026:03:29 02:30:00' }, IFD3: place };
  const { facts } = await openAll(await plain(20, 10).withExif(exif).toFormat(format).toBuffer(), {
    gps: true,
  });
  expect(facts.captured).toEqual({ local: '2026-03-29T02:30:00', offsetMinutes: undefined });
  expect(facts.location).toEqual({ latitude: -33.8568056, longitude: -70.5, altitude: undefined });
});
