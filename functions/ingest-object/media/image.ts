import type { PreviewSettings } from '../../../shared/routes.ts';
import { decode, decodingBytes, type Header, readHeader } from './decode.ts';
import { readExif } from './exif.ts';
import { isIsoMedia, readHeif } from './heif.ts';
import { memory } from './memory.ts';
import type { ImageFacts, RenderedPreview } from './model.ts';
import { type Pixels, type Size, turnedSize } from './pixels.ts';
import { placeholderOf, placeholderSide } from './placeholder.ts';
import { planPreviews, renderingBytes, renderPreviews, sizeForAll } from './previews.ts';
import type { GiveBack } from './room.ts';
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
  /**
   * One after the other, the largest first. They are made while somebody asks for them: who opens an image asks, once, for
   * what it takes in memory is given back when they come to an end, or whoever asks stops.
   */
  previews(): AsyncIterable<RenderedPreview>;
}

const fullFile = 'full.jpg';

/**
 * Opens an image: finds out what it is, reads what it says of itself and decodes it once, as large as the largest
 * preview, as soon as there is room in memory.
 *
 * @throws OperationError `NOT_AN_IMAGE`, `IMAGE_TOO_LARGE`, `IMAGE_DAMAGED`, `IMAGE_TOO_SLOW`: permanent
 * @throws the signal's reason, when it fires: at once, though a decoder may still be at work
 */
export async function openImage(content: Buffer, options: ImageOptions): Promise<OpenedImage> {
  const { signal } = options;
  signal.throwIfAborted();
  const work = open(content, options);
  // libvips can't be interrupted: whoever asked need not wait for it
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const giveUp = () => {
    reject(signal.reason);
    // it goes on reading what whoever asked no longer counts
    const giveBack = memory.occupy(content.length);
    work.then(
      () => giveBack(),
      () => giveBack(),
    );
  };
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

async function open(content: Buffer, options: ImageOptions): Promise<OpenedImage> {
  const { previews, pixels: limit, gps, signal } = options;
  const heif = isIsoMedia(content) ? readHeif(content) : undefined;
  const type = await typeOf(content, heif);
  const header = await readHeader(content, type, heif, limit);
  const giveBack = await memory.take(bytesOf(header, previews), signal);
  try {
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
    // or nobody would ask for previews
    signal.throwIfAborted();
    const rendering = renderingBytes(planPreviews(previews, size), pixels, pixels.channels);
    giveBack(rendering + (full?.length ?? 0));
    return { facts, previews: () => allPreviews(facts, pixels, full, options, giveBack) };
  } catch (error) {
    giveBack();
    throw error;
  }
}

/** What an image takes in memory, from being decoded to its last preview: at most, for a HEIC may be turned. */
function bytesOf(header: Header, previews: readonly PreviewSettings[]): number {
  const { type, size, orientation, channels } = header;
  const turned = turnedSize(size, orientation);
  const sizes = type === 'image/heic' ? [size, turnedSize(size, 6)] : [turned];
  const needs = sizes.map((original) => {
    const planned = planPreviews(previews, original);
    const base = sizeForAll(planned, original, placeholderSide);
    return Math.max(decodingBytes(header, base), renderingBytes(planned, base, channels));
  });
  return Math.max(...needs);
}

async function* allPreviews(
  { width, height }: ImageFacts,
  pixels: Pixels,
  full: Buffer | undefined,
  { previews, signal }: ImageOptions,
  giveBack: GiveBack,
): AsyncGenerator<RenderedPreview> {
  try {
    const planned = planPreviews(previews, { width, height });
    const isTaken = planned.some(({ file }) => file === fullFile);
    if (full !== undefined && !isTaken) {
      signal.throwIfAborted();
      yield { file: fullFile, contentType: 'image/jpeg', width, height, content: full };
    }
    yield* renderPreviews(planned, pixels, signal);
  } finally {
    giveBack();
  }
}
