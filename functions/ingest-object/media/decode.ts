import sharp, { type Metadata, type Sharp } from 'sharp';
import { toSrgb } from './colour.ts';
import { framesOfPng, isComplete } from './complete.ts';
import { damaged, failureOf, messageOf, patience, tooLarge, tooManyBytes } from './errors.ts';
import { decodeHeic, heicMemory, maxHeicBytes, mostHeicPixels } from './heic.ts';
import type { HeifHeader } from './heif.ts';
import { decoderBytes, maxDecoding } from './memory.ts';
import type { ImageType } from './model.ts';
import { giveBack, type Pixels, pixelBytes, type Size, turnedSize } from './pixels.ts';

/** What an image says of itself, before anything of it is decoded. */
export interface Header {
  readonly type: ImageType;
  /** As it is stored; of a HEIC what it says, of which turned and cropped may be left something else. */
  readonly size: Size;
  /** EXIF's: 1 where the decoder turns it. */
  readonly orientation: number;
  readonly channels: 3 | 4;
  readonly frames: number;
  readonly exif: Buffer | undefined;
  /** What its decoder takes, in bytes: some have to hold all of an image, however small it is wanted. */
  readonly memory: number;
  /** So many can be decoded of an image like this. */
  readonly mostPixels: number;
  /** Of a HEIC or AVIF. */
  readonly heif: HeifHeader | undefined;
}

/** An image, decoded, as it is to be looked at. */
export interface Decoded {
  readonly pixels: Pixels;
  /** Of the original, turned. */
  readonly size: Size;
  readonly doubts: readonly string[];
  /** All of a HEIC, as JPEG. */
  readonly full: Buffer | undefined;
}

// Nothing but these five may ever look at a file: libvips has loaders for many more, and some for whatever others fear.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Heif', 'Nsgif'].map((name) => `VipsForeignLoad${name}Buffer`),
});
// Each image is another one: nothing is asked for twice.
sharp.cache(false);
// One thread an image, for there are as many images at a time as there are processors; each thread takes memory.
sharp.concurrency(1);

/** By libvips' names. */
const formats: Readonly<Record<Exclude<ImageType, 'image/heic'>, string>> = {
  'image/jpeg': 'jpeg',
  'image/png': 'png',
  'image/webp': 'webp',
  'image/avif': 'heif',
  'image/gif': 'gif',
};

const fullQuality = 90;
/** What JPEG has room for in each direction. */
const maxJpegSide = 65_500;

/**
 * Reads the header of an image, and decides by it.
 *
 * @param heif what `readHeif` read, where it is one
 * @throws OperationError `IMAGE_TOO_LARGE`, `IMAGE_DAMAGED`
 */
export async function readHeader(
  content: Buffer,
  type: ImageType,
  heif: HeifHeader | undefined,
  pixels: number,
): Promise<Header> {
  const header = type === 'image/heic' ? headerOfHeic(content, heif) : await headerOf(content, type, heif);
  const { width, height } = header.size;
  const area = width * height;
  if (area > pixels) throw tooLarge(header, pixels, 'raise the route’s pixels');
  if (area > header.mostPixels)
    throw tooLarge(header, header.mostPixels, 'save it in a way that takes less memory: as JPEG');
  if (area === 0) throw damaged(type, 'it has no size');
  if (!isComplete(content, type) || heif?.isWhole === false) throw damaged(type, 'its end is missing');
  return header;
}

async function headerOf(
  content: Buffer,
  type: Exclude<ImageType, 'image/heic'>,
  heif: HeifHeader | undefined,
): Promise<Header> {
  if (type === 'image/avif' && heif === undefined) throw damaged(type, noHeader);
  const image = sharp(content, { limitInputPixels: false });
  const metadata = await image.metadata().catch((error: unknown) => {
    throw failureOf(error, type);
  });
  if (metadata.format !== formats[type]) throw damaged(type, `its decoder takes it for ${metadata.format}`);
  const { width, height, orientation = 1, pages = 1, hasAlpha } = metadata;
  const isAnimation = type === 'image/gif' || type === 'image/webp';
  const bytes = bytesOf(type, metadata);
  return {
    type,
    size: { width, height },
    // libheif turns an AVIF, as it does a HEIC; libvips knows of no other orientations than there are
    orientation: type === 'image/avif' ? 1 : orientation,
    channels: hasAlpha ? 4 : 3,
    frames: isAnimation ? pages : type === 'image/png' ? framesOfPng(content) : 1,
    exif: metadata.exif,
    memory: width * height * bytes + decoderBytes,
    mostPixels: bytes === 0 ? Number.POSITIVE_INFINITY : Math.floor(maxDecoding / bytes),
    heif,
  };
}

const noHeader = 'it has no header, or one that is too large';

function headerOfHeic({ length }: Buffer, heif: HeifHeader | undefined): Header {
  if (heif === undefined) throw damaged('image/heic', noHeader);
  if (length > maxHeicBytes) throw tooManyBytes('image/heic', length, maxHeicBytes);
  const { width, height, exif, isDeep } = heif;
  // its orientation counts only for those who decode it on their own
  return {
    type: 'image/heic',
    size: { width, height },
    orientation: 1,
    channels: 4,
    frames: 1,
    exif,
    memory: heicMemory(width * height, length, isDeep).all,
    mostPixels: mostHeicPixels(length, isDeep),
    heif,
  };
}

/**
 * How much a decoder has in memory for each pixel of an image, in bytes: measured with 50 million of them, at worst of
 * what a header leaves open. Nothing to speak of where rows come one after the other.
 */
function bytesOf(type: ImageType, metadata: Metadata): number {
  const { isProgressive, depth, channels, chromaSubsampling, pages = 1 } = metadata;
  const deep = depth === 'uchar' ? 1 : 2;
  if (type === 'image/jpeg') return isProgressive ? (chromaSubsampling === '4:2:0' ? 3 : channels * 2) : 0;
  if (type === 'image/png') return isProgressive ? channels * deep * 1.25 : 0;
  if (type === 'image/avif') return deep === 1 ? 18 : 24;
  if (type === 'image/gif') return 6;
  return pages > 1 ? 12 : 4;
}

/** What decoding an image takes at most, in bytes, where this much of it is needed. */
export function decodingBytes({ type, memory, orientation, channels }: Header, wanted: Size): number {
  // what a HEIC is made smaller for has room where its decoder was
  if (type === 'image/heic') return memory;
  return memory + pixelBytes(wanted, channels) * (orientation === 1 ? 1 : 2);
}

/**
 * Decodes an image, only as large as it is needed. Whoever asks has room for it in memory: `decodingBytes`.
 *
 * @param sizeFor what is needed of an image of this size, as it is looked at
 * @returns when no decoder works any more, also where the signal fires
 * @throws OperationError `IMAGE_DAMAGED`, `IMAGE_TOO_SLOW`
 */
export async function decode(
  content: Buffer,
  header: Header,
  sizeFor: (original: Size) => Size,
  signal: AbortSignal,
): Promise<Decoded> {
  const decodeIt = header.type === 'image/heic' ? decodeAllOfHeic : decodeByLibvips;
  return await decodeIt(content, header, sizeFor, signal);
}

async function decodeByLibvips(
  content: Buffer,
  header: Header,
  sizeFor: (original: Size) => Size,
  signal: AbortSignal,
): Promise<Decoded> {
  const { type, orientation } = header;
  const size = turnedSize(header.size, orientation);
  // turned when it is small, for an image can only be turned as a whole
  const stored = turnedSize(sizeFor(size), orientation);
  const { pixels, doubts } = await decodeStored(content, header, stored).catch((error: unknown) => {
    throw failureOf(error, type);
  });
  signal.throwIfAborted();
  return { pixels: await turn(pixels, orientation), size, doubts, full: undefined };
}

/** What cameras do and every decoder shows all the same. The rest of what libjpeg warns of is missing or spoilt data. */
const harmless = /Invalid SOS parameters|Inconsistent progression|Unknown Adobe color transform/;

async function decodeStored(
  content: Buffer,
  { type, size }: Header,
  wanted: Size,
): Promise<{ pixels: Pixels; doubts: string[] }> {
  const read = (failOn: 'warning' | 'truncated') =>
    rawOf(
      sharp(content, { failOn, limitInputPixels: size.width * size.height })
        .timeout({ seconds: patience })
        .resize(wanted.width, wanted.height, { fit: 'fill' })
        .toColourspace('srgb'),
    );
  try {
    return { pixels: await read('warning'), doubts: [] };
  } catch (error) {
    const [line = ''] = messageOf(error).split('\n', 1);
    if (type !== 'image/jpeg' || !harmless.test(line)) throw error;
    return { pixels: await read('truncated'), doubts: [line.replace('VipsJpeg: ', 'JPEG: ')] };
  }
}

async function decodeAllOfHeic(
  content: Buffer,
  { size: claimed, heif }: Header,
  sizeFor: (original: Size) => Size,
  signal: AbortSignal,
): Promise<Decoded> {
  const { icc, primaries, isDeep = false } = heif ?? {};
  const maxPixels = claimed.width * claimed.height;
  const { decoder } = heicMemory(maxPixels, content.length, isDeep);
  const task = { content, maxPixels, colours: toSrgb(icc, primaries), memory: decoder };
  const all = await decodeHeic(task, signal);
  try {
    const { width, height } = all;
    const wanted = sizeFor({ width, height });
    const pixels = await rawOf(fromPixels(all).resize(wanted.width, wanted.height, { fit: 'fill' }));
    signal.throwIfAborted();
    const full = await fromPixels(all)
      .flatten({ background: 'white' })
      .resize(maxJpegSide, maxJpegSide, { fit: 'inside', withoutEnlargement: true })
      .jpeg({ quality: fullQuality })
      .toBuffer();
    return { pixels, size: { width, height }, doubts: [], full };
  } finally {
    giveBack(all);
  }
}

/** For `sharp` to go on with. */
export function fromPixels({ data, width, height, channels }: Pixels): Sharp {
  return sharp(data, { raw: { width, height, channels }, limitInputPixels: false });
}

/** Runs a pipeline and keeps the pixels. */
export async function rawOf(image: Sharp): Promise<Pixels> {
  const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  if (channels !== 3 && channels !== 4) throw new Error(`sRGB has ${channels} channels`);
  return { data, width, height, channels };
}

/** Turns an image by EXIF's orientation: mirrored first, then rotated clockwise. */
async function turn(pixels: Pixels, orientation: number): Promise<Pixels> {
  if (orientation === 1) return pixels;
  const degrees = [0, 0, 0, 180, 180, 270, 90, 90, 270][orientation] ?? 0;
  const mirrored = [2, 4, 5, 7].includes(orientation);
  const flopped = mirrored ? await insteadOf(pixels, (image) => image.flop()) : pixels;
  return degrees === 0 ? flopped : await insteadOf(flopped, (image) => image.rotate(degrees));
}

async function insteadOf(pixels: Pixels, make: (image: Sharp) => Sharp): Promise<Pixels> {
  const made = await rawOf(make(fromPixels(pixels)));
  giveBack(pixels);
  return made;
}
