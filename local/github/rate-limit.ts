import { GitHubError } from './answer.ts';

const windowMs = 3_600_000;

/**
 * The primary limit: requests an hour, per caller.
 *
 * @see https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
 */
export class RateLimit {
  readonly #now: () => Date;
  readonly #used = new Map<string, { count: number; resetAt: number }>();
  /** Requests an hour; by default as many as GitHub gives to a token. */
  limit = 5000;

  constructor(now: () => Date) {
    this.#now = now;
  }

  /**
   * Counts a request.
   *
   * @returns the headers that every answer has
   * @throws GitHubError 403 where there are no more left
   */
  take(caller: string): Record<string, string> {
    const used = this.#current(caller);
    if (used.count >= this.limit) {
      const message = `API rate limit exceeded for ${caller === 'anonymous' ? '127.0.0.1' : 'user ID 1'}.`;
      throw new GitHubError(403, message, this.#headers(used));
    }
    used.count += 1;
    return this.#headers(used);
  }

  /** Takes a request back that cost nothing: one that found nothing new. */
  giveBack(caller: string): Record<string, string> {
    const used = this.#current(caller);
    used.count -= 1;
    return this.#headers(used);
  }

  #current(caller: string) {
    const now = this.#now().getTime();
    const known = this.#used.get(caller);
    if (known && known.resetAt > now) return known;
    const fresh = { count: 0, resetAt: now + windowMs };
    this.#used.set(caller, fresh);
    return fresh;
  }

  #headers({ count, resetAt }: { count: number; resetAt: number }): Record<string, string> {
    return {
      'x-ratelimit-limit': String(this.limit),
      'x-ratelimit-remaining': String(Math.max(0, this.limit - count)),
      'x-ratelimit-reset': String(Math.ceil(resetAt / 1000)),
      'x-ratelimit-used': String(count),
      'x-ratelimit-resource': 'core',
    };
  }
}
