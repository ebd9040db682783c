import { damaged } from './errors.ts';
import type { ImageType } from './model.ts';

/**
 * Whether a file is there to its end. Decoders don't say where pixels are complete but the end is missing: a JPEG
 * without its last two bytes, a PNG without its last chunk. WebP tells its own length, and of HEIF its header does
 * (`HeifHeader.isWhole`). What comes after the end doesn't matter.
 *
 * @throws OperationError `IMAGE_DAMAGED` where it is in more parts than anybody makes
 */
export function isComplete(content: Buffer, type: ImageType): boolean {
  if (type === 'image/jpeg') return hasJpegEnd(content);
  if (type === 'image/png') return hasPngEnd(content);
  return type !== 'image/gif' || hasGifEnd(content);
}

/** Before the picture, and of a PNG altogether: each one is a step that nobody else can run in. */
export const maxParts = 100_000;

const startOfScan = 0xda;
const endOfImage = 0xd9;
const endMark = Buffer.from([0xff, endOfImage]);

/** Within compressed data the mark of the end can't be, so that it is looked for from the end, by which all is fast. */
function hasJpegEnd(content: Buffer): boolean {
  let parts = 0;
  for (let at = 2; at + 1 < content.length; parts++) {
    if (parts === maxParts) throw tooManyParts('image/jpeg');
    at = content.indexOf(0xff, at);
    const marker = at === -1 ? undefined : content[at + 1];
    if (marker === undefined) return false;
    if (marker === endOfImage) return true;
    if (marker === 0xff) at += 1;
    else if (marker <= 0x01) at += 2;
    else {
      // a segment: its length counts itself
      at += at + 3 < content.length ? 2 + Math.max(2, content.readUInt16BE(at + 2)) : 4;
      if (marker === startOfScan) return content.lastIndexOf(endMark) >= at;
    }
  }
  return false;
}

interface Chunk {
  readonly type: number;
  /** Of its length, which its type and content follow. */
  readonly at: number;
}

function* chunksOf(content: Buffer): Generator<Chunk> {
  let parts = 0;
  for (let at = 8; at + 12 <= content.length; at += content.readUInt32BE(at) + 12) {
    if (parts++ === maxParts) throw tooManyParts('image/png');
    yield { type: content.readUInt32BE(at + 4), at };
  }
}

const chunk = (name: string) => Buffer.from(name, 'latin1').readUInt32BE();
const [endChunk, dataChunk, animationChunk] = [chunk('IEND'), chunk('IDAT'), chunk('acTL')];

function hasPngEnd(content: Buffer): boolean {
  return chunksOf(content).some(({ type }) => type === endChunk);
}

/**
 * How many pictures an animated PNG has: its decoder shows the first without a word of others.
 *
 * @throws OperationError `IMAGE_DAMAGED` as `isComplete`
 */
export function framesOfPng(content: Buffer): number {
  const first = chunksOf(content).find(({ type }) => type === dataChunk || type === animationChunk);
  return first?.type === animationChunk ? Math.max(1, content.readUInt32BE(first.at + 8)) : 1;
}

function tooManyParts(type: ImageType) {
  return damaged(type, `it is in more than ${maxParts} parts`);
}

const gifTrailer = 0x3b;
const gifExtension = 0x21;
const gifImage = 0x2c;

function hasGifEnd(content: Buffer): boolean {
  /** Bytes of a table of colours, by the byte that says whether there is one. */
  const tableOf = (packed = 0) => ((packed & 0x80) === 0 ? 0 : 3 * 2 ** ((packed & 7) + 1));
  let at = 13 + tableOf(content[10]);
  while (at < content.length) {
    const block = content[at];
    if (block === gifTrailer) return true;
    if (block === gifExtension) at += 2;
    else if (block === gifImage) at += 11 + tableOf(content[at + 9]);
    else return false;
    while (at < content.length && content[at] !== 0) at += 1 + (content[at] ?? 0);
    at += 1;
  }
  return false;
}
