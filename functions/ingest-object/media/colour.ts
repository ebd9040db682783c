/** Three rows of three: what becomes of linear red, green and blue. */
export type Matrix = [[number, number, number], [number, number, number], [number, number, number]];

/** From CIE XYZ as ICC profiles have it (adapted to D50) to linear sRGB. */
const fromXyz = [
  [3.1338561, -1.6168667, -0.4906146],
  [-0.9787684, 1.9161415, 0.033454],
  [0.0719453, -0.2289914, 1.4052427],
] as const;

/** Display P3 has the primaries of SMPTE EG 432-1. */
const displayP3Primaries = 12;

/** From linear Display P3 to linear sRGB. */
const fromDisplayP3: Matrix = [
  [1.2249, -0.2247, 0],
  [-0.042, 1.0419, 0],
  [-0.0197, -0.0786, 1.0979],
];

/** A profile that differs less is taken for sRGB: nobody sees it. */
const tolerance = 0.02;

/**
 * What makes colours of a HEIC sRGB, for its decoder leaves them as they are: cameras of phones write Display P3.
 * Undefined where nothing is to be done, or nothing can be.
 *
 * @param icc the file's profile, used if it is made of three primaries
 * @param primaries ITU-T H.273's number, where there is no profile
 */
export function toSrgb(icc: Buffer | undefined, primaries: number | undefined): Matrix | undefined {
  if (icc === undefined) return primaries === displayP3Primaries ? fromDisplayP3 : undefined;
  const columns = ['rXYZ', 'gXYZ', 'bXYZ'].map((tag) => xyzOf(icc, tag));
  const [red, green, blue] = columns;
  if (!red || !green || !blue) return undefined;
  const rowOf = (row: readonly [number, number, number]): [number, number, number] => [
    dot(row, red),
    dot(row, green),
    dot(row, blue),
  ];
  const matrix: Matrix = [rowOf(fromXyz[0]), rowOf(fromXyz[1]), rowOf(fromXyz[2])];
  const differs = matrix.some((row, y) =>
    row.some((value, x) => Math.abs(value - (x === y ? 1 : 0)) > tolerance),
  );
  const isSane = matrix.every((row) => row.every((value) => Math.abs(value) < 4));
  return differs && isSane ? matrix : undefined;
}

type Triple = readonly [number, number, number];

function dot(a: Triple, b: Triple): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/** A colour in a profile's table of tags. */
function xyzOf(icc: Buffer, tag: string): Triple | undefined {
  const count = icc.length < 132 ? 0 : Math.min(icc.readUInt32BE(128), 100);
  for (let at = 132; at < 132 + count * 12 && at + 12 <= icc.length; at += 12) {
    if (icc.toString('latin1', at, at + 4) !== tag) continue;
    const start = icc.readUInt32BE(at + 4);
    if (start + 20 > icc.length || icc.toString('latin1', start, start + 4) !== 'XYZ ') return undefined;
    const number = (index: number) => icc.readInt32BE(start + 8 + index * 4) / 65_536;
    return [number(0), number(1), number(2)];
  }
  return undefined;
}

/** Steps of linear light, enough that each of 256 values of sRGB has its own. */
const steps = 8192;

/**
 * Makes other colours of an image, in place. They are taken for values on the curve of sRGB, which Display P3 shares, and
 * become such.
 *
 * @param channels bytes of a pixel: what comes after red, green and blue stays as it is
 */
export function convertColours(data: Uint8Array, channels: number, matrix: Matrix): void {
  const linear = Float32Array.from({ length: 256 }, (_, value) => linearOf(value / 255));
  const curved = Uint8Array.from({ length: steps + 1 }, (_, step) =>
    Math.round(curvedOf(step / steps) * 255),
  );
  const stepOf = (light: number) => Math.max(0, Math.min(steps, Math.round(light * steps)));
  const [[rr, rg, rb], [gr, gg, gb], [br, bg, bb]] = matrix;
  for (let at = 0; at + 2 < data.length; at += channels) {
    const red = linear[data[at] ?? 0] ?? 0;
    const green = linear[data[at + 1] ?? 0] ?? 0;
    const blue = linear[data[at + 2] ?? 0] ?? 0;
    data[at] = curved[stepOf(rr * red + rg * green + rb * blue)] ?? 0;
    data[at + 1] = curved[stepOf(gr * red + gg * green + gb * blue)] ?? 0;
    data[at + 2] = curved[stepOf(br * red + bg * green + bb * blue)] ?? 0;
  }
}

function linearOf(value: number): number {
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

function curvedOf(light: number): number {
  return light <= 0.0031308 ? light * 12.92 : 1.055 * light ** (1 / 2.4) - 0.055;
}
