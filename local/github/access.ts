import type { IncomingMessage } from 'node:http';
import { GitHubError, notFound } from './answer.ts';
import type { LocalRepository } from './repository.ts';

/** What a fine-grained token may. */
export interface TokenScope {
  /** Private repositories that it was made for. */
  readonly repositories: readonly LocalRepository[];
  /** Whether it has the permission `Contents: read` for them; without it only what they are called is seen. */
  readonly contents?: boolean;
}

/** Who asks: by token, or by address, which is the same for all here. */
export interface Caller {
  readonly name: string;
  readonly scope: TokenScope | undefined;
}

/** @throws GitHubError 401 for a token that isn't known, whatever it asks for */
export function callerOf(request: IncomingMessage, tokens: ReadonlyMap<string, TokenScope>): Caller {
  const { authorization } = request.headers;
  if (authorization === undefined) return { name: 'anonymous', scope: undefined };
  const token = /^(?:Bearer|token) (.+)$/i.exec(authorization)?.[1] ?? '';
  const scope = tokens.get(token);
  if (scope === undefined) throw new GitHubError(401, 'Bad credentials');
  return { name: token, scope };
}

/** @throws GitHubError where the caller gets nothing of a repository; 404 where it mustn't know that there is one */
export function assertMay(
  { scope }: Caller,
  repository: LocalRepository | undefined,
  what: 'metadata' | 'contents',
): asserts repository is LocalRepository {
  if (repository === undefined) throw notFound();
  if (repository.private && !scope?.repositories.includes(repository)) throw notFound();
  if (repository.blocked) throw new GitHubError(451, 'Repository access blocked');
  if (repository.private && what === 'contents' && scope?.contents === false) {
    throw new GitHubError(403, 'Resource not accessible by personal access token');
  }
}
