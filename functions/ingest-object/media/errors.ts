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
