import { fileTypeFromBuffer } from 'file-type';
import { OperationError } from '../../../shared/operation/errors.ts';
import type { HeifHeader } from './heif.ts';
import { type ImageType, imageTypes } from './model.ts';

/** What `file-type` calls more exactly than is needed. */
const synonyms: Readonly<Record<string, ImageType>> = {
  'image/apng': 'image/png',
  'image/heif': 'image/heic',
  'image/heif-sequence': 'image/heic',
  'image/heic-sequence': 'image/heic',
};

/**
 * What an image is, by its content: names and declared types are not looked at.
 *
 * @param heif its header, if it has one of HEIF
 * @throws OperationError `NOT_AN_IMAGE` if it is none that is understood; the message says what it is instead
 */
export async function typeOf(content: Buffer, heif: HeifHeader | undefined): Promise<ImageType> {
  const coding = heif?.coding;
  // brands don't tell: `mif1` may be HEIC as well as AVIF
  if (coding === 'hevc') return 'image/heic';
  if (coding === 'av1') return 'image/avif';
  const mime = content.length === 0 ? undefined : (await fileTypeFromBuffer(content))?.mime;
  const type = imageTypes.find((one) => one === (synonyms[mime ?? ''] ?? mime));
  // where no coding can be read, a file is cut off: whoever decodes it says so
  if (type !== undefined && coding === undefined) return type;
  throw new OperationError(
    'NOT_AN_IMAGE',
    `it is ${mime ?? wordsFor(content)}, by its content: upload JPEG, PNG, WebP, AVIF, GIF or HEIC, or route it elsewhere`,
    { details: { type: mime ?? null } },
  );
}

/** What `file-type` doesn't know, for it has no signature. */
function wordsFor(content: Buffer): string {
  if (content.length === 0) return 'empty';
  const beginning = content.toString('latin1', 0, 1000);
  if (/<svg[\s>]/i.test(beginning)) return 'image/svg+xml';
  if (/^\s*<(?:!doctype html|html)/i.test(beginning)) return 'text/html';
  return isText(content.subarray(0, 1000)) ? 'text' : 'of no known type';
}

function isText(bytes: Buffer): boolean {
  return bytes.every((byte) => byte > 31 || byte === 9 || byte === 10 || byte === 13);
}
