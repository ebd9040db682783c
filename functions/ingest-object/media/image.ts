import type { PreviewSettings } from '../../../shared/routes.ts';
import { decode, readHeader } from './decode.ts';
import { readExif } from './exif.ts';
import type { ImageFacts, RenderedPreview } from './model.ts';
import type { Pixels, Size } from './pixels.ts';
import { placeholderOf, placeholderSide } from './placeholder.ts';
import { planPreviews, renderPreviews, sizeForAll } from './previews.ts';
import { typeOf } from './type.ts';

export interface ImageOptions {
  readonly previews: readonly PreviewSettings[];
  /** More are not decoded. */
  readonly pixels: number;
  /** Whether it is wanted where a photograph was taken. */
  readonly gps: boolean;
  readonly signal: AbortSignal;
}

export interface OpenedImage {
  readonly facts: ImageFacts;
  /** One after the other, the largest first. They are made while somebody asks for them. */
  previews(): AsyncIterable<RenderedPreview>;
}

const fullFile = 'full.jpg';

/**
 * Opens an image: finds out what it is, reads what it says of itself and decodes it once, as large as the largest
 * preview.
 *
 * @throws OperationError `NOT_AN_IMAGE`, `IMAGE_TOO_LARGE`, `IMAGE_DAMAGED`: permanent
 * @throws the signal's reason, when it fires
 */
export async function openImage(content: Buffer, options: ImageOptions): Promise<OpenedImage> {
  const { previews, pixels: limit, gps, signal } = options;
  signal.throwIfAborted();
  return await unlessAborted(signal, async () => {
    const type = await typeOf(content);
    const header = await readHeader(content, type, limit);
    const sizeFor = (original: Size) =>
      sizeForAll(planPreviews(previews, original), original, placeholderSide);
    const { pixels, size, doubts, full } = await decode(content, header, sizeFor, signal);
    const { doubts: exifDoubts, ...camera } = readExif(header.exif, { gps, now: new Date() });
    const facts = {
      type,
      ...size,
      frames: header.frames,
      ...camera,
      placeholder: await placeholderOf(pixels),
      doubts: [...doubts, ...exifDoubts],
    };
    return { facts, previews: () => allPreviews(facts, pixels, full, options) };
  });
}

async function* allPreviews(
  { width, height }: ImageFacts,
  pixels: Pixels,
  full: Buffer | undefined,
  { previews, signal }: ImageOptions,
): AsyncGenerator<RenderedPreview> {
  const planned = planPreviews(previews, { width, height });
  const isTaken = planned.some(({ file }) => file === fullFile);
  if (full !== undefined && !isTaken) {
    signal.throwIfAborted();
    yield { file: fullFile, contentType: 'image/jpeg', width, height, content: full };
  }
  yield* renderPreviews(planned, pixels, signal);
}

/** libvips can't be interrupted: whoever asked need not wait for it. */
async function unlessAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const giveUp = () => reject(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
