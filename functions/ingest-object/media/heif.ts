import { maxExifBytes } from './exif.ts';

/** How the picture in a HEIF file is coded: AVIF and HEIC are the same box with other contents. */
export type HeifCoding = 'hevc' | 'av1' | 'other';

/** What a HEIF file says of the picture it shows first: read without decoding anything. */
export interface HeifHeader {
  readonly coding: HeifCoding;
  /** Of what has to be decoded for it, in pixels: as large as the larger of the picture and one of its tiles. */
  readonly width: number;
  readonly height: number;
  /** Of the colours: the ICC profile, or the number that stands for the primaries (ITU-T H.273). */
  readonly icc: Buffer | undefined;
  readonly primaries: number | undefined;
  /** Whether its colours have more than 8 bits. */
  readonly isDeep: boolean;
  /** Whether everything is there that it says is there: decoders leave missing tiles grey. */
  readonly isWhole: boolean;
  /** Of the camera: as it is in the file, with what comes before the TIFF header. */
  readonly exif: Buffer | undefined;
}

interface Box {
  readonly type: string;
  readonly body: Buffer;
}

interface Extent {
  readonly inItemData: boolean;
  readonly start: number;
  readonly length: number;
}

interface Meta {
  readonly primary: number;
  readonly types: ReadonlyMap<number, string>;
  readonly extents: ReadonlyMap<number, readonly Extent[]>;
  /** From what the picture is put together. */
  readonly tiles: readonly number[];
  readonly properties: readonly Box[];
  readonly propertiesOf: ReadonlyMap<number, readonly number[]>;
  readonly itemData: Buffer;
}

/** A file has a handful of items; one of a camera with tiles has some hundred. More of anything than these isn't read. */
const maxItems = 5000;
const maxExtents = 10_000;
const maxReferences = 1000;
const maxTiles = 1000;
/** Of all that is read here, but for EXIF. */
const maxMetaBytes = 4 * 1024 ** 2;

const hevc = new Set(['hvc1', 'hev1']);

/** Whether a file begins as one of the ISO base media family does: MP4, HEIF, AVIF. */
export function isIsoMedia(content: Buffer): boolean {
  return content.toString('latin1', 4, 8) === 'ftyp';
}

/**
 * Reads the header of a HEIF file. It takes time and memory: once for each file.
 *
 * @returns undefined if there is none that shows a picture, or one of a size that nobody makes
 */
export function readHeif(content: Buffer): HeifHeader | undefined {
  try {
    const box = boxesOf(content).find(({ type }) => type === 'meta');
    if (box === undefined || box.body.length > maxMetaBytes) return undefined;
    return headerOf(readMeta(box.body.subarray(4)), content);
  } catch (error) {
    if (error instanceof RangeError) return undefined; // it ends before what it says is there, or has too much of it
    throw error;
  }
}

function headerOf(meta: Meta, content: Buffer): HeifHeader {
  const { primary, types, tiles } = meta;
  const [tile] = tiles;
  const sizes = [primary, ...tiles].map((item) => sizeOf(meta, item));
  const [largest = { width: 0, height: 0 }] = sizes.sort((a, b) => b.width * b.height - a.width * a.height);
  const profiles = colourOf(meta, primary);
  return {
    coding: codingOf(
      types.get(primary) === 'grid' && tile !== undefined ? types.get(tile) : types.get(primary),
    ),
    ...largest,
    ...(profiles.icc || profiles.primaries || tile === undefined ? profiles : colourOf(meta, tile)),
    isDeep: [primary, ...tiles.slice(0, 1)].some((item) => isDeep(meta, item)),
    isWhole: [...meta.extents.values()]
      .flat()
      .every(({ inItemData, start, length }) => inItemData || start + length <= content.length),
    exif: exifOf(meta, content),
  };
}

function exifOf({ types, extents, itemData }: Meta, content: Buffer): Buffer | undefined {
  const item = [...types].find(([, type]) => type === 'Exif')?.[0];
  const parts = item === undefined ? undefined : extents.get(item);
  if (parts === undefined) return undefined;
  const found = parts.map(({ inItemData, start, length }) =>
    (inItemData ? itemData : content).subarray(start, start + length),
  );
  const bytes = found.reduce((sum, { length }) => sum + length, 0);
  // of too much enough that whoever reads it sees that
  return Buffer.concat(found, Math.min(bytes, maxExifBytes + 1));
}

function codingOf(type = ''): HeifCoding {
  if (hevc.has(type)) return 'hevc';
  return type === 'av01' ? 'av1' : 'other';
}

function propertiesOf({ properties, propertiesOf: indexes }: Meta, item: number, type: string): Buffer[] {
  const own = (indexes.get(item) ?? []).map((index) => properties[index - 1]);
  return own.filter((box) => box?.type === type).map((box) => box?.body ?? Buffer.alloc(0));
}

function sizeOf(meta: Meta, item: number): { width: number; height: number } {
  const [body] = propertiesOf(meta, item, 'ispe');
  return body === undefined
    ? { width: 0, height: 0 }
    : { width: body.readUInt32BE(4), height: body.readUInt32BE(8) };
}

/** Bits of each channel, after version and how many there are. */
function isDeep(meta: Meta, item: number): boolean {
  const [body] = propertiesOf(meta, item, 'pixi');
  return body?.subarray(5).some((bits) => bits > 8) ?? false;
}

function colourOf(meta: Meta, item: number): Pick<HeifHeader, 'icc' | 'primaries'> {
  const bodies = propertiesOf(meta, item, 'colr');
  const kindOf = (body: Buffer) => body.toString('latin1', 0, 4);
  const icc = bodies.find((body) => kindOf(body) === 'prof' || kindOf(body) === 'rICC')?.subarray(4);
  const primaries = bodies.find((body) => kindOf(body) === 'nclx')?.readUInt16BE(4);
  return { icc, primaries };
}

/** @throws RangeError where a box is cut off */
function readMeta(body: Buffer): Meta {
  const boxes = boxesOf(body);
  const bodyOf = (type: string) => boxes.find((box) => box.type === type)?.body ?? Buffer.alloc(0);
  const properties = boxesOf(bodyOf('iprp'));
  const primary = readPrimary(bodyOf('pitm'));
  const tiles = readTiles(bodyOf('iref'), primary);
  return {
    primary,
    types: readTypes(bodyOf('iinf')),
    extents: readExtents(bodyOf('iloc')),
    tiles,
    properties: boxesOf(properties.find(({ type }) => type === 'ipco')?.body ?? Buffer.alloc(0)),
    propertiesOf: readAssociations(
      properties.find(({ type }) => type === 'ipma')?.body,
      new Set([primary, ...tiles]),
    ),
    itemData: bodyOf('idat'),
  };
}

/** The boxes in a box, or in a file: as far as they are whole. */
function boxesOf(content: Buffer): Box[] {
  const boxes: Box[] = [];
  for (let at = 0; at + 8 <= content.length && boxes.length < maxItems; ) {
    const short = content.readUInt32BE(at);
    const head = short === 1 ? 16 : 8;
    const size =
      short === 0 ? content.length - at : short === 1 ? Number(content.readBigUInt64BE(at + 8)) : short;
    if (size < head || at + size > content.length) break;
    boxes.push({
      type: content.toString('latin1', at + 4, at + 8),
      body: content.subarray(at + head, at + size),
    });
    at += size;
  }
  return boxes;
}

/** Numbers of given widths, one after the other. */
function readerOf(body: Buffer, start: number) {
  let at = start;
  return (bytes: number): number => {
    if (bytes === 0) return 0;
    at += bytes;
    return bytes === 8 ? Number(body.readBigUInt64BE(at - 8)) : body.readUIntBE(at - bytes, bytes);
  };
}

/** @throws RangeError */
function atMost(most: number, count: number): number {
  if (count > most) throw new RangeError(`there are more than ${most}`);
  return count;
}

function readPrimary(body: Buffer): number {
  return body.readUInt8(0) === 0 ? body.readUInt16BE(4) : body.readUInt32BE(4);
}

function readTypes(body: Buffer): Map<number, string> {
  const entries = boxesOf(body.subarray(body.readUInt8(0) === 0 ? 6 : 8));
  return new Map(
    entries.flatMap(({ body: entry }): [number, string][] => {
      const version = entry.readUInt8(0);
      if (version < 2) return [];
      const [id, type] = version === 2 ? [entry.readUInt16BE(4), 8] : [entry.readUInt32BE(4), 10];
      return [[id, entry.toString('latin1', type, type + 4)]];
    }),
  );
}

function readExtents(body: Buffer): Map<number, Extent[]> {
  const version = body.readUInt8(0);
  const [sizes, more] = [body.readUInt8(4), body.readUInt8(5)];
  const [offsetBytes, lengthBytes, baseBytes] = [sizes >> 4, sizes & 15, more >> 4];
  const indexBytes = version === 0 ? 0 : more & 15;
  const wide = version < 2 ? 2 : 4;
  const read = readerOf(body, 6);
  const count = atMost(maxItems, read(wide));
  let all = 0;
  const extents = new Map<number, Extent[]>();
  for (let item = 0; item < count; item++) {
    const id = read(wide);
    const inItemData = version > 0 && (read(2) & 15) === 1;
    read(2);
    const base = read(baseBytes);
    const parts = read(2);
    all = atMost(maxExtents, all + parts);
    const own = Array.from({ length: parts }, () => {
      read(indexBytes);
      return { inItemData, start: base + read(offsetBytes), length: read(lengthBytes) };
    });
    extents.set(id, own);
  }
  return extents;
}

/** Only the primary's: others' tiles may be as many again each. */
function readTiles(body: Buffer, primary: number): number[] {
  if (body.length === 0) return [];
  const wide = body.readUInt8(0) === 0 ? 2 : 4;
  const references = boxesOf(body.subarray(4));
  atMost(maxReferences, references.length);
  const own = references.find(
    ({ type, body: reference }) => type === 'dimg' && reference.readUIntBE(0, wide) === primary,
  );
  if (own === undefined) return [];
  const read = readerOf(own.body, wide);
  return Array.from({ length: atMost(maxTiles, read(2)) }, () => read(wide));
}

/** @param wanted items */
function readAssociations(
  body: Buffer = Buffer.alloc(0),
  wanted: ReadonlySet<number>,
): Map<number, number[]> {
  if (body.length === 0) return new Map();
  const [version, wide] = [body.readUInt8(0), (body.readUInt8(3) & 1) === 1 ? 2 : 1];
  const read = readerOf(body, 4);
  const count = atMost(maxItems, read(4));
  const associations = new Map<number, number[]>();
  for (let item = 0; item < count; item++) {
    const id = read(version === 0 ? 2 : 4);
    // the highest bit says that the property is essential
    const indexes = Array.from({ length: read(1) }, () => read(wide) & (wide === 2 ? 0x7fff : 0x7f));
    if (wanted.has(id)) associations.set(id, indexes);
  }
  return associations;
}
