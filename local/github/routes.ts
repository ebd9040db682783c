/** A request as it is written, before anybody knows what it means. */
export interface Routed {
  /** As GitHub's reference names it; undefined for what isn't served. */
  readonly method: string | undefined;
  /** `owner/name`, or the number that a redirect names; undefined where the path is about no repository. */
  readonly repository: string | number | undefined;
  /** What follows it, decoded, without the call's own part. */
  readonly rest: string;
  /** What follows the repository's own part, as it was written. */
  readonly tail: string;
}

const calls: readonly (readonly [method: string, tail: RegExp])[] = [
  ['repos.get', /^$/],
  // A ref may have slashes, so these paths are its own only as long as no ref could end there.
  [
    'repos.getCommit',
    /^\/commits\/(?!.*\/(?:status|statuses|comments|pulls|check-runs|check-suites|branches-where-head)$)(.+)$/,
  ],
  ['repos.compareCommitsWithBasehead', /^\/compare\/(.+\.\.\..+)$/],
  ['repos.downloadTarballArchive', /^\/tarball\/(.+)$/],
];

export function route(verb: string | undefined, { pathname }: URL): Routed {
  const found = /^\/(?:repos\/([^/]+\/[^/]+)|repositories\/(\d+))(\/.*)?$/.exec(pathname);
  const nothing = { method: undefined, repository: undefined, rest: '', tail: '' };
  if (found === null || verb !== 'GET') return nothing;
  const [, name, id, tail = ''] = found;
  const repository = name === undefined ? Number(id) : decodeURIComponent(name);
  for (const [method, pattern] of calls) {
    const matched = pattern.exec(tail);
    if (matched) return { method, repository, rest: decodeURIComponent(matched[1] ?? ''), tail };
  }
  return { ...nothing, repository, tail };
}
