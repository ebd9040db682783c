import { assertMay, type Caller } from './access.ts';
import { GitHubError, Redirect } from './answer.ts';
import { apart } from './history.ts';
import type { Commit, LocalRepository } from './repository.ts';

/** A request that is served. */
export interface Call {
  readonly repository: LocalRepository | undefined;
  readonly caller: Caller;
  /** What follows the repository's own part of the path, decoded. */
  readonly rest: string;
  readonly query: URLSearchParams;
}

/** Where this server's parts are. */
export interface Places {
  readonly api: string;
  /** @returns where the caller may download an archive */
  readonly archive: (repository: LocalRepository, commit: Commit) => string;
}

type Handler = (call: Call, places: Places) => unknown;

/** The calls, by the names that GitHub's reference gives them. */
export const handlers: Readonly<Record<string, Handler>> = {
  'repos.get'({ repository, caller }, { api }) {
    assertMay(caller, repository, 'metadata');
    return repositoryAnswer(repository, api);
  },

  'repos.getCommit'({ repository, caller, rest, query }, { api }) {
    assertMay(caller, repository, 'contents');
    const commit = find(repository, rest, 422, `No commit found for SHA: ${rest}`);
    const before = commit.parents.map((sha) => repository.commits.get(sha))[0];
    return {
      ...commitAnswer(repository, commit, api),
      files: page(changedFiles(before, commit), query, 300),
    };
  },

  'repos.compareCommitsWithBasehead'({ repository, caller, rest, query }, { api }) {
    assertMay(caller, repository, 'contents');
    const [from = '', to = ''] = rest.split('...');
    const base = find(repository, from, 404, 'Not Found');
    const head = find(repository, to, 404, 'Not Found');
    const found = apart(repository, base, head);
    if (found === undefined) {
      throw new GitHubError(404, `No common ancestor between ${from} and ${to}.`);
    }
    const { ahead, behind } = found;
    const [oneWay, other] = [ahead.length > 0, behind.length > 0];
    return {
      status: oneWay && other ? 'diverged' : oneWay ? 'ahead' : other ? 'behind' : 'identical',
      ahead_by: ahead.length,
      behind_by: behind.length,
      total_commits: ahead.length,
      base_commit: commitAnswer(repository, base, api),
      commits: page(ahead, query, 250).map((commit) => commitAnswer(repository, commit, api)),
      // Paging is over the commits; the files come with the first page, all of them.
      ...((query.get('page') ?? '1') === '1' && { files: changedFiles(base, head).slice(0, 300) }),
    };
  },

  'repos.downloadTarballArchive'({ repository, caller, rest }, { archive }) {
    assertMay(caller, repository, 'contents');
    return new Redirect(302, archive(repository, find(repository, rest, 404, 'Not Found')));
  },
};

function find(repository: LocalRepository, ref: string, status: number, message: string): Commit {
  if (repository.commits.size === 0) throw new GitHubError(409, 'Git Repository is empty.');
  const commit = repository.find(ref);
  if (commit === undefined) throw new GitHubError(status, message);
  return commit;
}

function repositoryAnswer(repository: LocalRepository, api: string) {
  const [owner = '', name = ''] = repository.fullName.split('/');
  return {
    id: repository.id,
    name,
    full_name: repository.fullName,
    private: repository.private,
    owner: { login: owner, type: 'Organization' },
    url: `${api}/repos/${repository.fullName}`,
    default_branch: repository.defaultBranch,
  };
}

function commitAnswer(repository: LocalRepository, commit: Commit, api: string) {
  const url = (kind: string, sha: string) => `${api}/repos/${repository.fullName}/${kind}/${sha}`;
  const who = {
    name: 'Ada Lovelace',
    email: 'ada@example.com',
    date: commit.date.toISOString().replace('.000Z', 'Z'),
  };
  return {
    sha: commit.sha,
    commit: {
      author: who,
      committer: who,
      message: commit.message,
      tree: { sha: commit.tree.id, url: url('git/trees', commit.tree.id) },
    },
    url: url('commits', commit.sha),
    parents: commit.parents.map((sha) => ({ sha, url: url('commits', sha) })),
  };
}

function changedFiles(before: Commit | undefined, after: Commit) {
  const paths = [...new Set([...(before?.files.keys() ?? []), ...after.files.keys()])].sort();
  return paths.flatMap((filename) => {
    const [old, now] = [before?.files.get(filename), after.files.get(filename)];
    if (old?.id === now?.id && old?.mode === now?.mode) return [];
    const status = old === undefined ? 'added' : now === undefined ? 'removed' : 'modified';
    return [{ sha: (now ?? old)?.id, filename, status }];
  });
}

function page<T>(items: readonly T[], query: URLSearchParams, most: number): T[] {
  const size = Math.min(Number(query.get('per_page') ?? most), most);
  const first = (Number(query.get('page') ?? 1) - 1) * size;
  return items.slice(first, first + size);
}
