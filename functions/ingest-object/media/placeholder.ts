import { rgbaToThumbHash } from 'thumbhash';
import { fromPixels, rawOf } from './decode.ts';
import { type Pixels, sizeWithin } from './pixels.ts';

/** In each direction, at most 100: a hash has no room for more than a few waves, and more pixels take longer. */
export const placeholderSide = 64;

/** A ThumbHash of an image: about 25 bytes that make a blurred one. */
export async function placeholderOf(pixels: Pixels): Promise<Buffer> {
  const { width, height } = sizeWithin(pixels, { width: placeholderSide, height: placeholderSide });
  const small = await rawOf(fromPixels(pixels).resize(width, height, { fit: 'fill' }).ensureAlpha());
  return Buffer.from(rgbaToThumbHash(width, height, small.data));
}
