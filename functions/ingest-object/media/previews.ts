import type { PreviewSettings } from '../../../shared/routes.ts';
import { fromPixels, rawOf } from './decode.ts';
import type { RenderedPreview } from './model.ts';
import { giveBack, type Pixels, pixelBytes, type Size, sizeWithin } from './pixels.ts';

type Format = PreviewSettings['formats'][number];

/** A file to be made. */
export interface PlannedPreview {
  readonly file: string;
  readonly format: Format;
  readonly size: Size;
  readonly quality: number;
}

/** What WebP has room for in each direction. */
const maxSide = 16_383;
/** How much higher than wide a preview is at most whose height isn't said. */
const maxElongation = 4;

/** What an encoder takes of a pixel at worst, its file included, in bytes: measured with noise, opaque and not. */
const encoderBytes: Readonly<Record<Format, Readonly<Record<3 | 4, number>>>> = {
  jpeg: { 3: 8, 4: 8 },
  png: { 3: 4, 4: 5 },
  webp: { 3: 32, 4: 40 },
};
/** What is taken besides, however small an image is. */
const leastBytes = 8 * 1024 ** 2;
/** Pixels that a preview may have, for what its encoder takes: 4096 × 3072, and as WebP 4 million. */
const mostPixels: Readonly<Record<Format, number>> = {
  jpeg: 4096 * 3072,
  png: 4096 * 3072,
  webp: 4_000_000,
};

const extensions = { jpeg: 'jpg', webp: 'webp', png: 'png' } as const;

/**
 * The files of an image of a size: the largest first, each as large as its settings say, and never larger than the image or
 * than there is memory for. All formats of a preview have the same size.
 */
export function planPreviews(settings: readonly PreviewSettings[], original: Size): PlannedPreview[] {
  const planned = settings.flatMap(({ name, width, height, formats, quality }) => {
    const box = { width, height: height ?? Math.min(maxSide, width * maxElongation) };
    const most = Math.min(...formats.map((format) => mostPixels[format]));
    const size = ofAtMost(sizeWithin(original, box), most);
    return [...new Set(formats)].map((format) => ({
      file: `${name}.${extensions[format]}`,
      format,
      size,
      quality,
    }));
  });
  return planned.toSorted((a, b) => areaOf(b.size) - areaOf(a.size));
}

/** A size of the same shape that has no more pixels than these. */
function ofAtMost(size: Size, pixels: number): Size {
  if (areaOf(size) <= pixels) return size;
  const scale = Math.sqrt(pixels / areaOf(size));
  return {
    width: Math.max(1, Math.floor(size.width * scale)),
    height: Math.max(1, Math.floor(size.height * scale)),
  };
}

/** What rendering takes at most, in bytes, with the pixels that all is made of: those, the next ones, and an encoder. */
export function renderingBytes(planned: readonly PlannedPreview[], base: Size, channels: 3 | 4): number {
  const most = planned.map(({ size, format }) => areaOf(size) * (channels + encoderBytes[format][channels]));
  return leastBytes + pixelBytes(base, channels) + Math.max(0, ...most);
}

/**
 * The size from which all of them can be made without enlarging anything.
 *
 * @param least in each direction, if there are no previews or only smaller ones
 */
export function sizeForAll(planned: readonly PlannedPreview[], original: Size, least: number): Size {
  const sizes = planned.map(({ size }) => size);
  return [sizeWithin(original, { width: least, height: least }), ...sizes].reduce((a, b) =>
    areaOf(b) > areaOf(a) ? b : a,
  );
}

/**
 * Makes the files one after the other: each size once, from the one that is next larger, and each content once.
 * They are made of pixels only: nothing else of the original gets into them. Pixels are given back as soon as
 * nothing more is made of them, the given ones too: also where whoever asks stops asking.
 */
export async function* renderPreviews(
  planned: readonly PlannedPreview[],
  base: Pixels,
  signal: AbortSignal,
): AsyncGenerator<RenderedPreview> {
  /** What is wanted once more. */
  const made = new Map<string, Buffer>();
  let pixels = base;
  try {
    for (const [index, one] of planned.entries()) {
      const { file, format, size, quality } = one;
      const key = keyOf(one);
      signal.throwIfAborted();
      let content = made.get(key);
      if (content === undefined) {
        const former = pixels;
        pixels = await resized(base, former, size);
        if (former !== pixels && former !== base) giveBack(former);
        content = await encoded(pixels, format, quality);
      }
      const isWantedAgain = planned.slice(index + 1).some((other) => keyOf(other) === key);
      if (isWantedAgain) made.set(key, content);
      else made.delete(key);
      signal.throwIfAborted();
      const { width, height } = size;
      yield { file, contentType: `image/${format}`, width, height, content };
    }
  } finally {
    giveBack(base);
    if (pixels !== base) giveBack(pixels);
  }
}

/** The same of two files that have the same content. */
function keyOf({ size: { width, height }, format, quality }: PlannedPreview): string {
  return `${width}x${height} ${format} ${format === 'png' ? '' : quality}`;
}

/** An image that is made smaller twice loses sharpness that can be seen, unless it was much larger in between. */
const enough = 1.9;

async function resized(base: Pixels, latest: Pixels, { width, height }: Size): Promise<Pixels> {
  if (latest.width === width && latest.height === height) return latest;
  const source = latest.width >= width * enough && latest.height >= height * enough ? latest : base;
  return await rawOf(fromPixels(source).resize(width, height, { fit: 'fill' }));
}

/** As JPEG it has no transparency: what is transparent becomes white, as paper is. */
async function encoded(pixels: Pixels, format: Format, quality: number): Promise<Buffer> {
  const image = fromPixels(pixels);
  if (format === 'jpeg') return await image.flatten({ background: 'white' }).jpeg({ quality }).toBuffer();
  if (format === 'webp') return await image.webp({ quality }).toBuffer();
  return await image.png().toBuffer();
}

function areaOf({ width, height }: Size): number {
  return width * height;
}
