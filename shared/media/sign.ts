import { config } from '../config.ts';
import { formatPlace } from '../gcp/storage/client.ts';
import { signReadUrl } from '../gcp/storage/sign.ts';
import { OperationError } from '../operation/errors.ts';
import type { Route } from '../routes.ts';
import { contentDisposition } from './disposition.ts';
import { type MediaOwner, mediaOf } from './folders.ts';

export interface MediaUrlRequest extends MediaOwner {
  readonly bucket: string;
  /** The name of an original or of a preview, as the row has it. */
  readonly object: string;
  readonly signal: AbortSignal;
  /** Only this generation; by default that which is live when the URL is used. Previews have one only. */
  readonly generation?: string;
  /** Of an original: the type that was found by its content, as the row has it. Without it it can only be saved. */
  readonly contentType?: string;
  /** An original is saved by browsers, unless it is asked to be shown. */
  readonly inline?: boolean;
  /** How long the URL can be used, in seconds: 15 minutes by default, at most 7 days. */
  readonly seconds?: number;
}

const standardSeconds = 15 * 60;

/** Nothing else is ever shown, whatever a caller takes it for: SVG and HTML run scripts. */
const shown: ReadonlySet<string | undefined> = new Set(
  ['jpeg', 'png', 'webp', 'avif', 'gif', 'heic'].map((type) => `image/${type}`),
);

/**
 * A URL by which whoever has it reads an image of the owner's, or a preview of one, as long as it lasts. Whether the object is there
 * is not asked.
 *
 * @param routes which objects are whose
 * @throws OperationError `NOT_YOURS` for an object that is under none of the owner's folders; and as `signReadUrl`
 */
export async function signMediaUrl(
  request: MediaUrlRequest,
  routes: readonly Route[] = config().DROVER_ROUTES,
): Promise<string> {
  const { bucket, object, signal, generation, seconds = standardSeconds } = request;
  const place = { bucket, name: object };
  const kind = mediaOf(place, request, routes);
  if (kind === undefined)
    throw new OperationError('NOT_YOURS', `${formatPlace(place)} is no image of ${describeOwner(request)}.`);
  return signReadUrl(place, {
    signal,
    seconds,
    ...(generation !== undefined && { generation }),
    ...(kind === 'original' && headersOf(request)),
  });
}

/** Of an original, which others wrote: a browser must not believe what they said of it. */
function headersOf({ object, contentType, inline = false }: MediaUrlRequest) {
  const fileName = object.slice(object.lastIndexOf('/') + 1);
  if (contentType === undefined || !shown.has(contentType))
    return {
      contentType: 'application/octet-stream',
      contentDisposition: contentDisposition('attachment', fileName),
    };
  return {
    contentType,
    contentDisposition: contentDisposition(inline ? 'inline' : 'attachment', fileName),
  };
}

function describeOwner({ user, tenant }: MediaOwner): string {
  const whose = user === undefined ? 'those that are no user’s' : `user ${user}`;
  return tenant === undefined ? whose : `${whose} of tenant ${tenant}`;
}
