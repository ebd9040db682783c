import { OperationError } from '../../../shared/operation/errors.ts';
import type { ImageType } from './model.ts';
import type { Size } from './pixels.ts';
import { cleanText } from './text.ts';

const names: Readonly<Record<ImageType, string>> = {
  'image/jpeg': 'JPEG',
  'image/png': 'PNG',
  'image/webp': 'WebP',
  'image/avif': 'AVIF',
  'image/gif': 'GIF',
  'image/heic': 'HEIC',
};

/** @param problem what its decoder says */
export function damaged(type: ImageType, problem: string): OperationError {
  return new OperationError(
    'IMAGE_DAMAGED',
    `the ${names[type]} is cut off or damaged: ${cleanText(problem) ?? 'it can’t be decoded'}; upload it again`,
    { details: { type } },
  );
}

/** @param seconds after which its decoder was ended */
export function tooSlow(type: ImageType, seconds: number): OperationError {
  return new OperationError(
    'IMAGE_TOO_SLOW',
    `the ${names[type]} takes longer than ${seconds} s to decode: save it anew, as JPEG if it is none, and upload that`,
    { details: { type, seconds } },
  );
}

/** @param bytes that it may have */
export function tooManyBytes(type: ImageType, length: number, bytes: number): OperationError {
  return new OperationError(
    'IMAGE_TOO_LARGE',
    `the ${names[type]} has ${length} bytes, and may have ${bytes}: upload a smaller one, or save it as JPEG`,
    { details: { type, bytes: length, most: bytes } },
  );
}

/**
 * @param allowed pixels that it may have
 * @param remedy what helps besides a smaller image
 */
export function tooLarge(
  { type, size: { width, height } }: { readonly type: ImageType; readonly size: Size },
  allowed: number,
  remedy: string,
): OperationError {
  return new OperationError(
    'IMAGE_TOO_LARGE',
    `the ${names[type]} has ${width} × ${height} pixels, and may have ${allowed}: upload a smaller one, or ${remedy}`,
    { details: { type, width, height, pixels: allowed } },
  );
}

/** A file that takes longer is one made to; in seconds. */
export const patience = 120;

/** What libvips says where a file ends before its boxes do, or they speak of other pictures than there are. */
const words: readonly (readonly [RegExp, string])[] = [
  [/^source: bad seek/, 'what it says of itself is not so'],
];

/** What libvips threw: what the file is to blame for can't be retried; what the machine is to blame for can. */
export function failureOf(error: unknown, type: ImageType): unknown {
  const [line = ''] = messageOf(error).split('\n', 1);
  if (/out of memory|unable to (?:m)?alloc/i.test(messageOf(error))) return error;
  if (/timeout: \d+% complete/.test(messageOf(error))) return tooSlow(type, patience);
  return damaged(type, words.find(([said]) => said.test(line))?.[1] ?? line);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
