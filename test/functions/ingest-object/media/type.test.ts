import { deflateRawSync, gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { fixture, inAllFormats, openAll, plain } from './images.fixture.ts';

const refused = (type: unknown) => ({
  code: 'NOT_AN_IMAGE',
  retryable: false,
  ...(type === undefined ? {} : { details: { type } }),
});

test.each(['jpeg', 'png', 'webp', 'avif', 'gif'] as const)('%s is one by its content', async (format) => {
  const { facts } = await openAll(await plain(30, 20).toFormat(format).toBuffer());
  expect(facts).toMatchObject({ type: `image/${format}`, width: 30, height: 20, frames: 1, doubts: [] });
});

describe('the box that AVIF and HEIC share', () => {
  test('AVIF is one by its coding, whatever brand it has', async () => {
    const image = await plain(30, 20).avif().toBuffer();
    image.write('mif1', 8, 'latin1');
    expect((await openAll(image)).facts.type).toBe('image/avif');
  });

  test.each(['mif1', 'heim', 'heis', 'hevc', 'heic'])('HEIC is one by its coding: %s', async (brand) => {
    const image = await fixture('plain.heic');
    image.write(brand, 8, 'latin1');
    const { facts, previews } = await openAll(image);
    expect(facts).toMatchObject({ type: 'image/heic', width: 64, height: 48 });
    expect(previews.map(({ file }) => file)).toEqual(['full.jpg', 'all.png']);
  });

  test('another coding is none', async () => {
    const image = await fixture('plain.heic');
    image.write('jpeg', image.indexOf('hvc1'), 'latin1');
    await expect(openAll(image)).rejects.toMatchObject(refused('image/heic'));
  });

  test('a film is none', async () => {
    const film = Buffer.from('\0\0\0\x18ftypisom\0\0\x02\0isommp41\0\0\0\x08mdat', 'latin1');
    await expect(openAll(film)).rejects.toMatchObject(refused('video/mp4'));
  });
});

describe('none', () => {
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>';

  test.each([
    ['a drawing', svg, /image\/svg\+xml/],
    ['a drawing with a prologue', `<?xml version="1.0"?>${svg}`, /application\/xml|svg/],
    ['a page', '<!DOCTYPE html><script>alert(1)</script>', /text\/html/],
    ['a PDF', '%PDF-1.7\n%âãÏÓ\n1 0 obj\n', /application\/pdf/],
    ['PostScript', '%!PS-Adobe-3.0\n', /postscript/],
    ['text', 'push graphic-context\nviewbox 0 0 640 480\n', /text/],
    ['nothing', '', /empty/],
    ['noise', '\x01\x02\x03\x04', /no known type/],
  ])('%s', async (_, content, said) => {
    const opened = openAll(Buffer.from(content, 'latin1'));
    await expect(opened).rejects.toMatchObject(refused(undefined));
    await expect(opened).rejects.toThrow(said);
  });

  test('others that libvips could read', async () => {
    const tiff = await plain(30, 20).tiff().toBuffer();
    await expect(openAll(tiff)).rejects.toMatchObject(refused('image/tiff'));
    await expect(openAll(gzipSync(svg))).rejects.toMatchObject(refused('application/gzip'));
    // not even somebody who doesn't ask first can read them
    await expect(sharp(tiff).metadata()).rejects.toThrow('unsupported');
    await expect(sharp(Buffer.from(svg)).metadata()).rejects.toThrow('unsupported');
  });
});

describe('files that are two at once', () => {
  const archive = Buffer.concat([
    Buffer.from('PK\x03\x04'),
    deflateRawSync('echo SECRET-TRAILER'),
    Buffer.from('SECRET-TRAILER'),
  ]);
  const page = Buffer.from('<html><script>alert("SECRET-TRAILER")</script></html>');

  test.each(['jpeg', 'png', 'webp', 'avif', 'gif'] as const)(
    '%s is what it begins as, and previews have nothing of the rest',
    async (format) => {
      const image = await plain(30, 20).toFormat(format).toBuffer();
      for (const rest of [archive, page]) {
        const { facts, previews } = await openAll(Buffer.concat([image, rest]), { previews: inAllFormats });
        expect(facts.type).toBe(`image/${format}`);
        for (const { content } of previews) expect(content.includes('SECRET')).toBe(false);
      }
    },
  );

  test('a GIF that is a script as well', async () => {
    const image = await plain(30, 20).gif().toBuffer();
    // a comment from the name of the format to behind the picture
    const script = Buffer.concat([image, Buffer.from('*/=1;alert("SECRET")')]);
    const { previews } = await openAll(script, { previews: inAllFormats });
    expect(previews).toHaveLength(3);
    for (const { content } of previews) expect(content.includes('SECRET')).toBe(false);
  });

  test('previews have no metadata', async () => {
    const xmp = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><SECRET/></x:xmpmeta>';
    const image = await plain(30, 20)
      .withExif({ IFD0: { Make: 'SECRET' }, IFD3: { GPSLatitude: '1/1 2/1 3/1', GPSLatitudeRef: 'N' } })
      .withXmp(xmp)
      .withIccProfile('p3')
      .jpeg()
      .toBuffer();
    expect(image.includes('SECRET')).toBe(true);
    const { previews } = await openAll(image, { previews: inAllFormats });
    for (const { content } of previews) {
      const { exif, xmp: packet, icc, iptc, comments } = await sharp(content).metadata();
      expect({ exif, packet, icc, iptc, comments }).toEqual({});
      expect(content.includes('SECRET')).toBe(false);
    }
  });
});
