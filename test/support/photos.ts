import sharp, { type Exif } from 'sharp';

export interface Photograph {
  /** In pixels, as they are stored: an orientation turns them only for those who look. */
  readonly width: number;
  readonly height: number;
  /** Another one is another picture; the same one is the same picture to the byte. */
  readonly seed: number;
  readonly format: 'jpeg' | 'png' | 'webp' | 'avif' | 'gif';
  /** By libvips' names of directories: `IFD2` has the times, `IFD3` the place. */
  readonly exif?: Exif;
  /** EXIF's: 1 to 8. */
  readonly orientation?: number;
}

/** Of JPEG, WebP and AVIF. */
const quality = 90;

/** Makes a picture that compresses like a photograph: a sky, hills and things before them, and a sensor's noise. */
export async function photograph(wanted: Photograph): Promise<Buffer> {
  const { width, height, format, exif = {}, orientation } = wanted;
  const image = sharp(landscape(wanted), { raw: { width, height, channels: 3 } });
  if (Object.keys(exif).length > 0) image.withExif(exif);
  // Among the tags it would be overwritten.
  if (orientation !== undefined) image.withMetadata({ orientation });
  return await image.toFormat(format, { quality }).toBuffer();
}

/** The EXIF of a photograph as a camera writes it: when it was taken, by what and, if wanted, where. */
export function cameraExif(taken: {
  /** `2026:03:29 02:30:00` */
  readonly at: string;
  readonly offset?: string;
  readonly place?: { readonly latitude: number; readonly longitude: number };
}): Exif {
  const { at, offset, place } = taken;
  return {
    IFD0: { Make: 'Drover', Model: 'Field Camera' },
    IFD2: {
      DateTimeOriginal: at,
      ...(offset === undefined ? {} : { OffsetTimeOriginal: offset }),
      LensModel: '35mm F1.8',
    },
    ...(place === undefined ? {} : { IFD3: placeTags(place) }),
  };
}

function placeTags({ latitude, longitude }: { readonly latitude: number; readonly longitude: number }) {
  return {
    GPSLatitudeRef: latitude < 0 ? 'S' : 'N',
    GPSLatitude: sexagesimal(Math.abs(latitude)),
    GPSLongitudeRef: longitude < 0 ? 'W' : 'E',
    GPSLongitude: sexagesimal(Math.abs(longitude)),
  };
}

/** `52/1 31/1 1200/100`: degrees, minutes and seconds as fractions. */
function sexagesimal(degrees: number): string {
  const hundredths = Math.round(degrees * 3600 * 100);
  const [whole, minutes] = [Math.floor(hundredths / 360_000), Math.floor((hundredths % 360_000) / 6000)];
  return `${whole}/1 ${minutes}/1 ${hundredths % 6000}/100`;
}

interface Disc {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly colour: readonly number[];
}

function landscape({ width, height, seed }: Photograph): Buffer {
  const random = randomOf(seed);
  const colour = () => [random() * 255, random() * 255, random() * 255] as const;
  const [above, below, hills] = [colour(), colour(), colour()];
  const waves = Array.from({ length: 6 }, () => [2 + random() * 40, random() * 7, 0.01 + random() * 0.03]);
  const horizon = Array.from({ length: width }, (_, x) =>
    waves.reduce(
      (sum, [often = 0, shift = 0, high = 0]) => sum + high * Math.sin((x / width) * often + shift),
      0.55,
    ),
  );
  const discs = Array.from({ length: 40 }, () => ({
    x: random() * width,
    y: random() * height,
    radius: (0.01 + random() * 0.06) * width,
    colour: colour(),
  }));
  const pixels = Buffer.allocUnsafe(width * height * 3);
  let state = (seed * 2 + 1) >>> 0;
  for (let y = 0, at = 0; y < height; y++) {
    const part = y / height;
    const sky = above.map((from, channel) => from + ((below[channel] ?? 0) - from) * part);
    const hill = hills.map((full) => full * (1.3 - part * 0.6));
    const covers = coversOf(discs, y, width);
    for (let x = 0; x < width; x++, at += 3) {
      const isHill = part > (horizon[x] ?? 0);
      const flat = covers[x] ?? (isHill ? hill : sky);
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      // the two halves of a number make a bell of noise, stronger where there is grass
      const noise = ((state >>> 24) + ((state >>> 16) & 255) - 255) * (isHill ? 0.12 : 0.042);
      pixels[at] = Math.max(0, Math.min(255, (flat[0] ?? 0) + noise));
      pixels[at + 1] = Math.max(0, Math.min(255, (flat[1] ?? 0) + noise));
      pixels[at + 2] = Math.max(0, Math.min(255, (flat[2] ?? 0) + noise));
    }
  }
  return pixels;
}

/** What colour covers each pixel of a row, if one does. */
function coversOf(discs: readonly Disc[], row: number, width: number): (readonly number[] | undefined)[] {
  const covers = new Array<readonly number[] | undefined>(width).fill(undefined);
  for (const { x, y, radius, colour } of discs) {
    const half = Math.sqrt(Math.max(0, radius ** 2 - (y - row) ** 2));
    if (half > 0) covers.fill(colour, Math.max(0, Math.ceil(x - half)), Math.max(0, Math.floor(x + half)));
  }
  return covers;
}

/** Numbers from 0 to below 1, the same ones for the same seed. */
function randomOf(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
