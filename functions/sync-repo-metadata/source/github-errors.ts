import * as z from 'zod';
import { OperationError } from '../../../shared/operation/errors.ts';

/** GitHub answers no more for a while; what is asked is asked again then, and nothing is wrong with it. */
export class GitHubRateLimited extends Error {
  override readonly name = 'GitHubRateLimited';
  readonly until: Date;

  constructor(until: Date) {
    super(`GitHub's rate limit is reached until ${until.toISOString()}`);
    this.until = until;
  }
}

/** An answer that isn't the one that was asked for. */
export interface Refusal {
  readonly status: number;
  readonly headers: Headers;
  /** GitHub's own words; empty where it has none. */
  readonly words: string;
}

/** What GitHub asks for where it limits without saying until when. */
const unsaidWaitMs = 60_000;
const leastWaitMs = 1_000;
const longestWaitMs = 3_600_000;

/**
 * Whether an answer says that too much was asked, and when to ask again.
 *
 * @returns a second to an hour from now; undefined where the answer says something else
 * @see https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
 */
export function rateLimitedUntil({ status, headers, words }: Refusal, now: Date): Date | undefined {
  const retryAfter = headers.get('retry-after');
  const exhausted = headers.get('x-ratelimit-remaining') === '0';
  const limited =
    status === 429 || (status === 403 && (retryAfter !== null || exhausted || /rate limit/i.test(words)));
  if (!limited) return undefined;
  const reset = exhausted ? Number(headers.get('x-ratelimit-reset') ?? Number.NaN) * 1000 : Number.NaN;
  const said = [afterRetry(retryAfter, now), reset].find(Number.isFinite);
  const wait = (said ?? now.getTime() + unsaidWaitMs) - now.getTime();
  return new Date(now.getTime() + Math.min(Math.max(wait, leastWaitMs), longestWaitMs));
}

/** Seconds or a date. @see https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3 */
function afterRetry(value: string | null, now: Date): number {
  if (value === null) return Number.NaN;
  return /^\s*\d+\s*$/.test(value) ? now.getTime() + Number(value) * 1000 : Date.parse(value);
}

/** What an answer means for an operation where it means the same for every call. */
export function refused(refusal: Refusal, repository: string, hasToken: boolean, now: Date): Error {
  const until = rateLimitedUntil(refusal, now);
  if (until) return new GitHubRateLimited(until);
  const { status, words } = refusal;
  const details = { status };
  const said = words === '' ? `status ${status}` : `status ${status}: ${words}`;
  if (status === 401) {
    const advice = hasToken
      ? 'it has expired or was revoked: store a new one as the newest version of its secret'
      : 'this server answers nobody without a token: name the secret of one';
    return new OperationError(
      'GITHUB_TOKEN_REFUSED',
      `GitHub refuses the token for ${repository} (${said}); ${advice}`,
      { details },
    );
  }
  if (status === 403) {
    return new OperationError(
      'GITHUB_FORBIDDEN',
      `GitHub doesn't give ${repository} to this token (${said}). A fine-grained token needs the permission Contents: read; a classic one may have to be authorized for the organization's single sign-on`,
      { details },
    );
  }
  if (status === 451) {
    return new OperationError(
      'REPOSITORY_BLOCKED',
      `GitHub has blocked ${repository} (${said}). Its owner can ask GitHub's support why`,
      { details },
    );
  }
  // 408 is a server's impatience; 3xx are redirects that lead nowhere.
  if (status >= 400 && status < 500 && status !== 408) {
    return new OperationError(
      'GITHUB_REFUSED',
      `GitHub refuses what it is asked about ${repository} (${said})`,
      { details },
    );
  }
  return unavailable(`GitHub gives no useful answer about ${repository} (${said})`, details);
}

export function repositoryNotFound(repository: string, hasToken: boolean): OperationError {
  const why = hasToken
    ? 'it is gone, or the token can’t see it: a fine-grained token needs access to this repository, with the permission Contents: read'
    : 'it is gone, or private: name the secret of a token that has the permission Contents: read for it';
  return new OperationError('REPOSITORY_NOT_FOUND', `GitHub knows no repository ${repository}: ${why}`);
}

export function refNotFound(repository: string, ref: string, words = ''): OperationError {
  const said = words === '' ? '' : ` (${words})`;
  return new OperationError(
    'REF_NOT_FOUND',
    `The repository ${repository} has no ${ref}${said}: it was deleted or renamed, or nothing was ever pushed to it. Name a branch, a tag or a commit that is there`,
    { details: { ref } },
  );
}

/** What may be over when it is asked again. */
export function unavailable(message: string, details: Record<string, unknown> = {}): OperationError {
  return new OperationError('GITHUB_UNAVAILABLE', message, { retryable: true, details });
}

const body = z.object({ message: z.string() });

/** Its own words in an answer that is an error; whatever isn't GitHub's JSON has none. */
export function wordsIn(text: string): string {
  try {
    return body.parse(JSON.parse(text)).message.slice(0, 300).toWellFormed();
  } catch {
    return '';
  }
}
