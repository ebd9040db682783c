import { reachable } from './history.ts';
import { type Blob, blobOf, type FileContent, objectId, type Tree, treeOf } from './tree.ts';

export interface Commit {
  readonly sha: string;
  readonly tree: Tree;
  readonly files: ReadonlyMap<string, Blob>;
  readonly parents: readonly string[];
  readonly message: string;
  readonly date: Date;
}

export interface NewCommit {
  /** What changes, by path; null deletes. */
  readonly files?: Readonly<Record<string, FileContent | null>>;
  /** Default: the repository's default branch. */
  readonly branch?: string;
  /** The commit before it; default: the branch's, of a new branch the default branch's. Null: none, a history of its own. */
  readonly parent?: string | null;
  readonly message?: string;
  /** Default: the server's time. */
  readonly date?: Date;
}

export interface RepositoryOptions {
  readonly defaultBranch?: string;
  /** Seen only with a token that names it. */
  readonly private?: boolean;
}

const author = 'Ada Lovelace <ada@example.com>';

/** A repository, with objects whose ids are the ones that git gives them. */
export class LocalRepository {
  readonly id: number;
  readonly defaultBranch: string;
  /** `owner/name`; see `LocalGitHub.rename`. */
  fullName: string;
  private: boolean;
  /** Taken down: nobody gets it any more, and is told why. */
  blocked = false;
  readonly commits = new Map<string, Commit>();
  /** Commits by whole refs: `refs/heads/main`, `refs/tags/v1`. */
  readonly refs = new Map<string, string>();
  readonly #now: () => Date;

  constructor(id: number, fullName: string, options: RepositoryOptions, now: () => Date) {
    this.id = id;
    this.fullName = fullName;
    this.defaultBranch = options.defaultBranch ?? 'main';
    this.private = options.private ?? false;
    this.#now = now;
  }

  /** Commits on top of another commit and moves the branch there, wherever it was before. */
  commit(given: NewCommit = {}): Commit {
    const { branch = this.defaultBranch, message = 'A change', date = this.#now() } = given;
    const parent =
      given.parent === undefined ? (this.head(branch) ?? this.head()) : (given.parent ?? undefined);
    const before = parent === undefined ? undefined : this.#known(parent);
    const files = new Map(before?.files);
    for (const [path, content] of Object.entries(given.files ?? {})) {
      if (content === null) files.delete(path);
      else files.set(path, blobOf(content));
    }
    const tree = treeOf(files);
    const parents = before ? [before.sha] : [];
    const seconds = Math.floor(date.getTime() / 1000);
    const lines = [
      `tree ${tree.id}`,
      ...parents.map((sha) => `parent ${sha}`),
      `author ${author} ${seconds} +0000`,
      `committer ${author} ${seconds} +0000`,
      '',
      `${message}\n`,
    ];
    const sha = objectId('commit', Buffer.from(lines.join('\n')));
    const commit = { sha, tree, files, parents, message, date: new Date(seconds * 1000) };
    this.commits.set(sha, commit);
    this.refs.set(`refs/heads/${branch}`, sha);
    return commit;
  }

  /** Makes a branch or moves it, forward or by force. */
  branch(name: string, sha: string): void {
    this.refs.set(`refs/heads/${name}`, this.#known(sha).sha);
  }

  tag(name: string, sha: string): void {
    this.refs.set(`refs/tags/${name}`, this.#known(sha).sha);
  }

  deleteBranch(name: string): void {
    this.refs.delete(`refs/heads/${name}`);
  }

  /** The commit of a branch. */
  head(branch = this.defaultBranch): string | undefined {
    return this.refs.get(`refs/heads/${branch}`);
  }

  /** Forgets what no branch and no tag leads to, as the service does some time after a push by force. */
  collectGarbage(): void {
    const kept = new Set([...this.refs.values()].flatMap((sha) => [...reachable(this, sha)]));
    for (const sha of this.commits.keys()) if (!kept.has(sha)) this.commits.delete(sha);
  }

  /** What a name means: `HEAD`, a branch, a tag, either with its namespace, or a commit, by 7 digits at least. */
  find(name: string): Commit | undefined {
    const refs = [`refs/heads/${name}`, `refs/tags/${name}`, `refs/${name}`, name];
    const wanted = name === 'HEAD' ? [`refs/heads/${this.defaultBranch}`] : refs;
    const sha = wanted.map((ref) => this.refs.get(ref)).find((found) => found !== undefined);
    if (sha !== undefined) return this.commits.get(sha);
    if (!/^[0-9a-f]{7,40}$/.test(name)) return undefined;
    const found = [...this.commits.values()].filter((commit) => commit.sha.startsWith(name));
    return found.length === 1 ? found[0] : undefined;
  }

  #known(sha: string): Commit {
    const commit = this.commits.get(sha);
    if (commit) return commit;
    throw new Error(`${this.fullName} has no commit ${sha}`);
  }
}
