import ExifReader from 'exifreader';
import { type CaptureTags, captureTimeOf } from './capture-time.ts';
import type { Camera, CaptureTime, Location } from './model.ts';
import { cleanText } from './text.ts';

export interface CameraFacts {
  readonly captured: CaptureTime | undefined;
  readonly camera: Camera;
  readonly location: Location | undefined;
  readonly doubts: readonly string[];
}

/** All that is read: the rest, a maker's notes and thumbnails, is left where it is. */
const wanted = [
  'DateTimeOriginal',
  'OffsetTimeOriginal',
  'SubSecTimeOriginal',
  'DateTimeDigitized',
  'OffsetTimeDigitized',
  'SubSecTimeDigitized',
  'Make',
  'Model',
  'LensModel',
];
const wantedOfPlaces = [
  'GPSLatitude',
  'GPSLatitudeRef',
  'GPSLongitude',
  'GPSLongitudeRef',
  'GPSAltitude',
  'GPSAltitudeRef',
];

/** What a camera writes fits into 64 KiB, that of JPEG has to. More than this isn't read. */
export const maxExifBytes = 128 * 1024;

/** By name: what `exifreader` makes of a tag. */
type Tags = Readonly<Record<string, unknown>>;

const nothing: CameraFacts = {
  captured: undefined,
  camera: { make: undefined, model: undefined, lens: undefined },
  location: undefined,
  doubts: [],
};

/**
 * What a camera says of a photograph. Nothing in it makes an image unusable: what can't be read or can't be true is a
 * doubt.
 *
 * @param block the EXIF block, with or without the words before its TIFF header
 * @param settings.gps whether the place is wanted: otherwise it isn't even read
 */
export function readExif(
  block: Buffer | undefined,
  settings: { readonly gps: boolean; readonly now: Date },
): CameraFacts {
  if (block === undefined || block.length === 0) return nothing;
  const tiff = block.length > maxExifBytes ? undefined : tiffOf(block);
  if (tiff === undefined) return { ...nothing, doubts: ['EXIF block'] };
  const tags = readTags(tiff, settings.gps ? [...wanted, ...wantedOfPlaces] : wanted);
  if (tags === undefined) return { ...nothing, doubts: ['EXIF block'] };
  const time = captureTimeOf(captureTagsOf(tags), settings.now);
  const place = settings.gps ? placeOf(tags) : { location: undefined, doubts: [] };
  const camera = {
    make: cleanText(textOf(tags, 'Make')),
    model: cleanText(textOf(tags, 'Model')),
    lens: cleanText(textOf(tags, 'LensModel')),
  };
  return {
    captured: time.captured,
    camera,
    location: place.location,
    doubts: [...time.doubts, ...place.doubts],
  };
}

/** The block from its TIFF header on, if there is one and its first directory is within the block. */
function tiffOf(block: Buffer): Buffer | undefined {
  const beginning = block.subarray(0, 32);
  const start = ['II*\0', 'MM\0*']
    .map((mark) => beginning.indexOf(mark, 0, 'latin1'))
    .find((at) => at !== -1);
  if (start === undefined) return undefined;
  const tiff = block.subarray(start);
  if (tiff.length < 14) return undefined;
  const directory = tiff[0] === 0x49 ? tiff.readUInt32LE(4) : tiff.readUInt32BE(4);
  return directory >= 8 && directory + 2 <= tiff.length ? tiff : undefined;
}

function readTags(tiff: Buffer, names: string[]): Tags | undefined {
  try {
    const { exif = {} } = ExifReader.load(tiff, { expanded: true, includeTags: { exif: names } });
    return Object.fromEntries(Object.entries(exif).map(([name, tag]) => [name, contentOf(tag)]));
  } catch (error) {
    // none of those that are wanted, as in what an editor writes
    return error instanceof ExifReader.errors.MetadataMissingError ? {} : undefined;
  }
}

function contentOf(tag: unknown): unknown {
  return typeof tag === 'object' && tag !== null && 'value' in tag ? tag.value : undefined;
}

function textOf(tags: Tags, name: string): string | undefined {
  const value = tags[name];
  const text = Array.isArray(value) ? value[0] : value;
  return typeof text === 'string' ? text : undefined;
}

function captureTagsOf(tags: Tags): CaptureTags {
  const timeOf = (which: 'Original' | 'Digitized') => ({
    date: textOf(tags, `DateTime${which}`),
    offset: textOf(tags, `OffsetTime${which}`),
    subSecond: textOf(tags, `SubSecTime${which}`),
  });
  return { original: timeOf('Original'), digitized: timeOf('Digitized') };
}

interface FoundPlace {
  readonly location: Location | undefined;
  readonly doubts: readonly string[];
}

/** Deeper than any water, higher than any aircraft with a camera in it. */
const [lowest, highest] = [-12_000, 100_000];

function placeOf(tags: Tags): FoundPlace {
  if (tags['GPSLatitude'] === undefined && tags['GPSLongitude'] === undefined)
    return { location: undefined, doubts: [] };
  const latitude = degreesOf(tags['GPSLatitude'], textOf(tags, 'GPSLatitudeRef'), ['N', 'S'], 90);
  const longitude = degreesOf(tags['GPSLongitude'], textOf(tags, 'GPSLongitudeRef'), ['E', 'W'], 180);
  if (latitude === undefined || longitude === undefined)
    return { location: undefined, doubts: ['EXIF place'] };
  if (tags['GPSAltitude'] === undefined)
    return { location: { latitude, longitude, altitude: undefined }, doubts: [] };
  const altitude = altitudeOf(tags);
  return {
    location: { latitude, longitude, altitude },
    doubts: altitude === undefined ? ['EXIF altitude'] : [],
  };
}

/** @param signs the letters for positive and for negative */
function degreesOf(
  value: unknown,
  letter: string | undefined,
  [positive, negative]: readonly [string, string],
  limit: number,
): number | undefined {
  const parts = Array.isArray(value) && value.length === 3 ? value.map(fractionOf) : [];
  const [degrees, minutes, seconds] = parts;
  if (degrees === undefined || minutes === undefined || seconds === undefined) return undefined;
  if (minutes < 0 || minutes > 60 || seconds < 0 || seconds > 60 || degrees < 0) return undefined;
  const sign = letter?.trim().slice(0, 1).toUpperCase();
  const size = degrees + minutes / 60 + seconds / 3600;
  if (size > limit || (sign !== positive && sign !== negative)) return undefined;
  return rounded(sign === negative ? 0 - size : size);
}

/** To a centimetre. */
function rounded(degrees: number): number {
  return Math.round(degrees * 1e7) / 1e7;
}

function altitudeOf(tags: Tags): number | undefined {
  const size = fractionOf(tags['GPSAltitude']);
  if (size === undefined) return undefined;
  const reference = tags['GPSAltitudeRef'];
  // below the sea: 1, or 3 since EXIF 3.0 (below the ellipsoid)
  const altitude = [1, 3].includes(Number(reference ?? 0)) ? 0 - size : size;
  return altitude < lowest || altitude > highest ? undefined : altitude;
}

function fractionOf(value: unknown): number | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const fraction = Number(value[0]) / Number(value[1]);
  return Number.isFinite(fraction) ? fraction : undefined;
}
