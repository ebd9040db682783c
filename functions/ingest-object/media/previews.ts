import type { PreviewSettings } from '../../../shared/routes.ts';
import { fromPixels, rawOf } from './decode.ts';
import type { RenderedPreview } from './model.ts';
import { type Pixels, type Size, sizeWithin } from './pixels.ts';

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

const extensions = { jpeg: 'jpg', webp: 'webp', png: 'png' } as const;

/** The files of an image of a size: the largest first, each as large as its settings say and never larger than the image. */
export function planPreviews(settings: readonly PreviewSettings[], original: Size): PlannedPreview[] {
  const planned = settings.flatMap(({ name, width, height = maxSide, formats, quality }) => {
    const size = sizeWithin(original, { width, height });
    return [...new Set(formats)].map((format) => ({
      file: `${name}.${extensions[format]}`,
      format,
      size,
      quality,
    }));
  });
  return planned.toSorted((a, b) => areaOf(b.size) - areaOf(a.size));
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
 * They are made of pixels only: nothing else of the original gets into them.
 */
export async function* renderPreviews(
  planned: readonly PlannedPreview[],
  base: Pixels,
  signal: AbortSignal,
): AsyncGenerator<RenderedPreview> {
  const made = new Map<string, Buffer>();
  let pixels = base;
  for (const { file, format, size, quality } of planned) {
    const { width, height } = size;
    const key = `${width}x${height} ${format} ${format === 'png' ? '' : quality}`;
    let content = made.get(key);
    if (content === undefined) {
      signal.throwIfAborted();
      pixels = await resized(base, pixels, size);
      content = await encoded(pixels, format, quality);
      made.set(key, content);
    }
    signal.throwIfAborted();
    yield { file, contentType: `image/${format}`, width, height, content };
  }
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
