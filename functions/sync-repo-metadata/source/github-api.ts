import type { Readable } from 'node:stream';
import * as z from 'zod';
import { OperationError } from '../../../shared/operation/errors.ts';
import {
  type Refusal,
  refNotFound,
  refused,
  repositoryNotFound,
  unavailable,
  wordsIn,
} from './github-errors.ts';
import { type Answer, defaultPatience, get, type Patience, readText } from './github-transfer.ts';

export interface ResolvedCommit {
  readonly sha: string;
  readonly committedAt: Date;
  /** For the next time that the same is asked; undefined where there was none. */
  readonly etag: string | undefined;
}

/** Where the head is, seen from the base. `unknown`: there is no such base any more. */
export type Comparison = 'ahead' | 'behind' | 'identical' | 'diverged' | 'unknown';

/**
 * What is asked of GitHub. Besides what each says, all throw OperationError `GITHUB_TOKEN_REFUSED`, `GITHUB_FORBIDDEN`,
 * `REPOSITORY_NOT_FOUND`, `REPOSITORY_BLOCKED`, `GITHUB_REFUSED` or `GITHUB_UNAVAILABLE` (the only one that is retryable),
 * and `GitHubRateLimited`. No token is in any of them.
 */
export interface GitHub {
  /**
   * @param repository `owner/name`; a former name is as good, for GitHub redirects
   * @param ref a branch, a tag, a commit, `HEAD` or a whole ref such as `refs/heads/main`
   * @param etag of the last answer; a request that finds nothing new doesn't count against the rate limit
   * @throws OperationError `REF_NOT_FOUND`
   * @see https://docs.github.com/en/rest/commits/commits#get-a-commit
   */
  resolve(repository: string, ref: string, etag?: string): Promise<ResolvedCommit | 'not-modified'>;
  /** @see https://docs.github.com/en/rest/commits/commits#compare-two-commits */
  compare(repository: string, base: string, head: string): Promise<Comparison>;
  /**
   * @returns the gzipped tar; it fails where the connection does
   * @throws OperationError `REF_NOT_FOUND`
   * @see https://docs.github.com/en/rest/repos/contents#download-a-repository-archive-tar
   */
  tarball(repository: string, sha: string, signal?: AbortSignal): Promise<Readable>;
}

export interface GitHubOptions {
  /** `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise Server. */
  readonly base: string;
  /** Without one only public repositories are seen, at 60 requests an hour. */
  readonly token?: string | undefined;
  readonly signal: AbortSignal;
  readonly patience?: Patience;
  readonly now?: () => Date;
}

/** @see https://docs.github.com/en/rest/about-the-rest-api/api-versions */
const apiVersion = '2026-03-10';

/**
 * Of an answer in JSON. The largest is a comparison, which has the patches of up to 300 files, together 1 MB of them, though
 * nobody asked; https://docs.github.com/en/repositories/creating-and-managing-repositories/repository-limits
 */
const mostAnswerBytes = 8 * 1024 * 1024;
const mostRefusalBytes = 64 * 1024;

const commitAnswer = z.object({
  sha: z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/),
  commit: z.object({ committer: z.object({ date: z.iso.datetime({ offset: true }) }) }),
});
const compareAnswer = z.object({ status: z.enum(['ahead', 'behind', 'identical', 'diverged']) });

/** A client over Node's own `fetch`: the official one would add a dependency of many parts for these four calls. */
export function createGitHub(options: GitHubOptions): GitHub {
  const { signal, patience = defaultPatience, now = () => new Date() } = options;
  const base = options.base.replace(/\/+$/, '');
  // A secret's value often ends with a newline, which is no part of the token.
  const token = options.token?.trim() || undefined;

  async function ask(
    repository: string,
    path: string,
    more: Record<string, string> = {},
    until = signal,
  ): Promise<Answer> {
    if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) throw unusableToken();
    const headers = {
      accept: 'application/vnd.github+json',
      'x-github-api-version': apiVersion,
      'user-agent': 'drover',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...more,
    };
    return get(`${base}${repositoryPath(repository)}${path}`, headers, patience, until);
  }

  /** Whoever fails may have been told by somebody who repeats what they were sent. */
  async function refusalIn(answer: Answer, until = signal): Promise<Refusal> {
    const { status, headers } = answer;
    const text = await readText(answer, mostRefusalBytes).catch(() => '');
    until.throwIfAborted();
    const words = wordsIn(text);
    return { status, headers, words: token === undefined ? words : words.replaceAll(token, '[redacted]') };
  }

  const errorOf = (refusal: Refusal, repository: string) =>
    refused(refusal, repository, token !== undefined, now());

  /** GitHub says 404 of a repository that isn't there and of a thing that isn't in it. */
  async function assertThere(repository: string, until = signal): Promise<void> {
    const answer = await ask(repository, '', {}, until);
    if (answer.status === 200) return void answer.body.destroy();
    const refusal = await refusalIn(answer, until);
    throw refusal.status === 404
      ? repositoryNotFound(repository, token !== undefined)
      : errorOf(refusal, repository);
  }

  return {
    async resolve(repository, ref, etag) {
      const path = refPath(ref);
      if (path === undefined) throw refNotFound(repository, ref);
      // A commit's files come along, one to a page at least.
      const answer = await ask(
        repository,
        `/commits/${path}?per_page=1`,
        etag === undefined ? {} : { 'if-none-match': etag },
      );
      if (answer.status === 304 && etag !== undefined) {
        answer.body.destroy();
        return 'not-modified';
      }
      if (answer.status !== 200) {
        const refusal = await refusalIn(answer);
        if (refusal.status === 404) await assertThere(repository);
        throw isMissingRef(refusal)
          ? refNotFound(repository, ref, refusal.words)
          : errorOf(refusal, repository);
      }
      const { sha, commit } = await parse(answer, commitAnswer);
      return {
        sha,
        committedAt: new Date(commit.committer.date),
        etag: answer.headers.get('etag') ?? undefined,
      };
    },

    async compare(repository, from, to) {
      const path = `${encodeURIComponent(from)}...${encodeURIComponent(to)}`;
      const answer = await ask(repository, `/compare/${path}?per_page=1`);
      if (answer.status === 200) return (await parse(answer, compareAnswer)).status;
      const refusal = await refusalIn(answer);
      if (refusal.status !== 404) throw errorOf(refusal, repository);
      // Both are there, and share no history.
      if (/no common ancestor/i.test(refusal.words)) return 'diverged';
      await assertThere(repository);
      return 'unknown';
    },

    async tarball(repository, sha, until) {
      const both = until === undefined ? signal : AbortSignal.any([signal, until]);
      // It is compressed as it is; somebody in between must not do it again.
      const more = { 'accept-encoding': 'identity' };
      const answer = await ask(repository, `/tarball/${encodeURIComponent(sha)}`, more, both);
      if (answer.status === 200) return answer.body;
      const refusal = await refusalIn(answer, both);
      if (refusal.status === 404) await assertThere(repository, both);
      throw isMissingRef(refusal)
        ? refNotFound(repository, sha, refusal.words)
        : errorOf(refusal, repository);
    },
  };
}

/** 422 where no commit is meant, 409 where the repository is empty. */
function isMissingRef({ status }: Refusal): boolean {
  return status === 404 || status === 409 || status === 422;
}

async function parse<T>(answer: Answer, schema: z.ZodType<T>): Promise<T> {
  const text = await readText(answer, mostAnswerBytes);
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    const where = error instanceof z.ZodError ? (error.issues[0]?.path.join('.') ?? '') : 'no JSON';
    throw unavailable(`GitHub's answer isn't understood (${where}): is something else in between?`);
  }
}

function unusableToken(): OperationError {
  return new OperationError(
    'GITHUB_TOKEN_REFUSED',
    'The token for GitHub has characters that no token has: store the token alone as the newest version of its secret',
  );
}

function repositoryPath(repository: string): string {
  const parts = repository.split('/');
  if (parts.length !== 2 || parts.some(isNoName)) throw repositoryNotFound(repository, false);
  return `/repos/${parts.map(encodeURIComponent).join('/')}`;
}

/**
 * A ref in a path: slashes as they are, as GitHub documents it, everything else encoded; and without `refs/`.
 *
 * @returns undefined for what git takes for no ref and a URL for a way to somewhere else
 */
function refPath(ref: string): string | undefined {
  const parts = ref.replace(/^refs\//, '').split('/');
  if (parts.some(isNoName)) return undefined;
  const path = parts.map((part) => encodeURIComponent(part.toWellFormed())).join('/');
  // Of a commit there is more to be asked; a branch whose name ends like that is not meant.
  return path.replace(
    /\/(?=(?:status|statuses|comments|pulls|check-runs|check-suites|branches-where-head)$)/,
    '%2F',
  );
}

function isNoName(part: string): boolean {
  return part === '' || part === '.' || part === '..';
}
