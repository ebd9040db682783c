/** An image, decoded: 8 bits a channel, sRGB unless somebody says otherwise, rows from the top. */
export interface Pixels {
  readonly data: Buffer;
  readonly width: number;
  readonly height: number;
  /** Red, green, blue, and how opaque it is. */
  readonly channels: 3 | 4;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** What pixels take, in bytes. */
export function pixelBytes({ width, height }: Size, channels: Pixels['channels']): number {
  return width * height * channels;
}

/** The size of an image that is made to fit into a box, in which it is never enlarged. */
export function sizeWithin({ width, height }: Size, box: Size): Size {
  const scale = Math.min(1, box.width / width, box.height / height);
  return { width: scaled(width, scale), height: scaled(height, scale) };
}

function scaled(length: number, scale: number): number {
  return Math.max(1, Math.round(length * scale));
}

/** EXIF's orientations from 5 on turn an image by a quarter. */
export function isTurned(orientation: number): boolean {
  return orientation >= 5;
}

/** Of an image that is stored so, how it is looked at: or the other way round. */
export function turnedSize({ width, height }: Size, orientation: number): Size {
  return isTurned(orientation) ? { width: height, height: width } : { width, height };
}

/** Pixels are a lot, and would be kept until there is garbage enough to collect. */
export function giveBack({ data }: Pixels): void {
  const { buffer } = data;
  // small ones may share it with others
  if (buffer instanceof ArrayBuffer && buffer.byteLength === data.byteLength) buffer.transfer(0);
}
