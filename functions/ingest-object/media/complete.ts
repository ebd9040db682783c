import { readHeif } from './heif.ts';
import type { ImageType } from './model.ts';

/**
 * Whether a file is there to its end. Decoders don't say where pixels are complete but the end is missing: a JPEG
 * without its last two bytes, a PNG without its last chunk, a HEIC without its last tile. WebP tells its own length.
 * What comes after the end doesn't matter.
 */
export function isComplete(content: Buffer, type: ImageType): boolean {
  if (type === 'image/jpeg') return hasJpegEnd(content);
  if (type === 'image/png') return hasPngEnd(content);
  if (type === 'image/gif') return hasGifEnd(content);
  return type === 'image/webp' || readHeif(content)?.isWhole !== false;
}

const startOfScan = 0xda;
const endOfImage = 0xd9;

/** In compressed data: a byte 0xff itself, and marks to restart at. */
function isWithinScan(marker: number): boolean {
  return marker === 0 || (marker >= 0xd0 && marker <= 0xd7);
}

function hasJpegEnd(content: Buffer): boolean {
  let inScan = false;
  for (let at = 2; at + 1 < content.length; ) {
    at = content.indexOf(0xff, at);
    const marker = at === -1 ? undefined : content[at + 1];
    if (marker === undefined) return false;
    if (marker === endOfImage) return true;
    if (marker === 0xff) at += 1;
    else if (inScan ? isWithinScan(marker) : marker === 0x01) at += 2;
    else {
      // a segment: its length counts itself
      inScan = marker === startOfScan;
      at += at + 3 < content.length ? 2 + Math.max(2, content.readUInt16BE(at + 2)) : 4;
    }
  }
  return false;
}

function hasPngEnd(content: Buffer): boolean {
  for (let at = 8; at + 12 <= content.length; ) {
    if (content.toString('latin1', at + 4, at + 8) === 'IEND') return true;
    at += content.readUInt32BE(at) + 12;
  }
  return false;
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

/** How many pictures an animated PNG has: its decoder shows the first without a word of others. */
export function framesOfPng(content: Buffer): number {
  for (let at = 8; at + 12 <= content.length; ) {
    const type = content.toString('latin1', at + 4, at + 8);
    if (type === 'IDAT') return 1;
    if (type === 'acTL') return Math.max(1, content.readUInt32BE(at + 8));
    at += content.readUInt32BE(at) + 12;
  }
  return 1;
}
