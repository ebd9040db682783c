import { readFile } from 'node:fs/promises';
import path from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { type ImageOptions, openImage } from '../../../../functions/ingest-object/media/image.ts';
import type { ImageFacts, RenderedPreview } from '../../../../functions/ingest-object/media/model.ts';
import { type PreviewSettings, previewFormats } from '../../../../shared/routes.ts';

/** As a route has them that says nothing of previews. */
export const standard: readonly PreviewSettings[] = [
  { name: 'thumbnail', width: 300, height: 300, formats: ['jpeg'], quality: 85 },
  ...[400, 800, 1200].map(
    (width): PreviewSettings => ({ name: String(width), width, formats: ['webp', 'png'], quality: 80 }),
  ),
];

/** One file as large as the image, without loss. */
export const asItIs: readonly PreviewSettings[] = [
  { name: 'all', width: 4096, formats: ['png'], quality: 80 },
];

/** One of each format, as large as the image. */
export const inAllFormats: readonly PreviewSettings[] = [
  { name: 'all', width: 4096, formats: [...previewFormats], quality: 90 },
];

export interface Opened {
  readonly facts: ImageFacts;
  readonly previews: readonly RenderedPreview[];
}

/** Opens an image and makes its previews. */
export async function openAll(content: Buffer, options: Partial<ImageOptions> = {}): Promise<Opened> {
  const signal = AbortSignal.timeout(50_000);
  const image = await openImage(content, { previews: asItIs, pixels: 50e6, gps: false, signal, ...options });
  const previews: RenderedPreview[] = [];
  for await (const preview of image.previews()) previews.push(preview);
  return { facts: image.facts, previews };
}

export function fixture(name: string): Promise<Buffer> {
  return readFile(path.join(import.meta.dirname, 'fixtures', name));
}

/** The quarters of an image in words: top left, top right, bottom left, bottom right. */
export async function quarters(content: Buffer): Promise<string[]> {
  const { data, info } = await sharp(content).raw().toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const nameAt = (x: number, y: number): string => {
    const at = (Math.floor(height * y) * width + Math.floor(width * x)) * channels;
    const [r = 0, g = 0, b = 0, opacity = 255] = data.subarray(at, at + channels);
    if (channels === 4 && opacity < 20) return 'transparent';
    if (r > 200 && g > 200 && b > 200) return 'white';
    if (r > 200) return g > 200 ? 'yellow' : 'red';
    return g > 200 ? 'green' : b > 200 ? 'blue' : `${r},${g},${b}`;
  };
  return [nameAt(0.25, 0.25), nameAt(0.75, 0.25), nameAt(0.25, 0.75), nameAt(0.75, 0.75)];
}

/** An image of four quarters: red, green, blue and yellow, the last one at the bottom right. */
export function quartered(width = 64, height = 48): Sharp {
  const colours = [
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
    [255, 255, 0],
  ];
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      pixels.set(colours[(y >= height / 2 ? 2 : 0) + (x >= width / 2 ? 1 : 0)] ?? [], (y * width + x) * 3);
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

export function plain(width: number, height: number, background = '#c86432'): Sharp {
  return sharp({ create: { width, height, channels: 3, background } });
}

/** The colour in the middle of an image. */
export async function middleOf(content: Buffer): Promise<number[]> {
  const { data, info } = await sharp(content).raw().toBuffer({ resolveWithObject: true });
  const at = (Math.floor(info.height / 2) * info.width + Math.floor(info.width / 2)) * info.channels;
  return [...data.subarray(at, at + info.channels)];
}

/** How far two colours are apart in the channel where they are farthest. */
export function distance(a: readonly number[], b: readonly number[]): number {
  return Math.max(...a.map((value, index) => Math.abs(value - (b[index] ?? 0))));
}
