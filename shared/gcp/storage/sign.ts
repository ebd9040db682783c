import type { GetSignedUrlConfig } from '@google-cloud/storage';
import { OperationError } from '../../operation/errors.ts';
import { rejection } from '../../postgres/rejection.ts';
import { formatPlace, type ObjectPlace, storage } from './client.ts';

/** In seconds: Cloud Storage takes no signature for longer. */
export const longestUrlLife = 7 * 24 * 60 * 60;

export interface ReadUrlOptions {
  readonly signal: AbortSignal;
  /** How long it can be used, in seconds: from 1 to {@link longestUrlLife}. */
  readonly seconds: number;
  /** Only this generation; by default that which is live when the URL is used. */
  readonly generation?: string;
  /** Headers of the answer, in the place of those that the object was written with. */
  readonly contentType?: string;
  readonly contentDisposition?: string;
}

/**
 * A URL by which whoever has it reads an object, as long as it lasts. It says nothing of whether there is one.
 *
 * What signs is the process's service account: with the private key of its key file or else, as on Cloud Run, by IAM's `signBlob`,
 * a call for each URL, for which it needs `roles/iam.serviceAccountTokenCreator` on itself. What the URL can read is
 * what that account can.
 *
 * @throws OperationError `UNSIGNABLE` for a name or lifetime that no signed URL can have; `SIGNING_FAILED` (retryable) where
 *   the account has neither a key nor that role, or IAM doesn't answer
 */
export async function signReadUrl(
  place: ObjectPlace,
  { signal, seconds, generation, contentType, contentDisposition }: ReadUrlOptions,
): Promise<string> {
  const problem = problemOf(place, seconds);
  if (problem !== undefined) throw new OperationError('UNSIGNABLE', `${formatPlace(place)}: ${problem}`);
  signal.throwIfAborted();
  const file = (await storage()).bucket(place.bucket).file(place.name, generation ? { generation } : {});
  // To the second, as signatures are: the client rounds both down, each on its own.
  const now = Math.floor(Date.now() / 1000) * 1000;
  const settings: GetSignedUrlConfig = {
    version: 'v4',
    action: 'read',
    accessibleAt: new Date(now),
    expires: new Date(now + Math.floor(seconds) * 1000),
    ...(contentType !== undefined && { responseType: contentType }),
    ...(contentDisposition !== undefined && { responseDisposition: contentDisposition }),
  };
  try {
    const [url] = await Promise.race([file.getSignedUrl(settings), rejection(signal)]);
    return url;
  } catch (error) {
    signal.throwIfAborted();
    throw new OperationError(
      'SIGNING_FAILED',
      `${formatPlace(place)} could not be signed for: ${error instanceof Error ? error.message : String(error)}. ` +
        'A service account without a key needs roles/iam.serviceAccountTokenCreator on itself.',
      { retryable: true, cause: error },
    );
  }
}

function problemOf({ name }: ObjectPlace, seconds: number): string | undefined {
  if (!(seconds >= 1 && seconds <= longestUrlLife))
    return `a URL lasts from 1 s to ${longestUrlLife} s, and not ${seconds}`;
  if (name === '' || !name.isWellFormed()) return 'no object can be called that';
  // Whoever uses it would resolve it, and so ask for another object than was signed for.
  if (name.split('/').some((part) => part === '.' || part === '..'))
    return 'a name with . or .. between its slashes can’t be in a URL';
  return undefined;
}
