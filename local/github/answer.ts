import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** An answer that isn't 2xx, as GitHub writes it. @see https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api */
export class GitHubError extends Error {
  override readonly name = 'GitHubError';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }

  toJSON(): unknown {
    return {
      message: this.message,
      documentation_url: 'https://docs.github.com/rest',
      status: String(this.status),
    };
  }
}

export const notFound = () => new GitHubError(404, 'Not Found');

/** Too much at a time, which no header announces. */
export function secondaryRateLimit(retryAfterSeconds?: number): GitHubError {
  return new GitHubError(
    403,
    'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
    retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) },
  );
}

/** A redirect: 301 to where a repository is now, 302 to where its archives are. */
export class Redirect {
  readonly status: 301 | 302;
  readonly location: string;

  constructor(status: 301 | 302, location: string) {
    this.status = status;
    this.location = location;
  }
}

/** What an answer in JSON has beside its body. */
export interface Body {
  readonly text: string;
  readonly etag: string;
}

export function bodyOf(value: unknown): Body {
  const text = JSON.stringify(value);
  return { text, etag: `W/"${createHash('sha256').update(text).digest('hex')}"` };
}

/** Whether the client has this body already. */
export function isKnown(request: IncomingMessage, { etag }: Body): boolean {
  const strong = (tag: string) => tag.trim().replace(/^W\//, '');
  return (request.headers['if-none-match'] ?? '').split(',').map(strong).includes(strong(etag));
}

export function send(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  text?: string,
): void {
  const json = text === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' };
  response.writeHead(status, { ...json, ...headers }).end(text);
}
