import type { Commit } from './repository.ts';

interface Commits {
  readonly commits: ReadonlyMap<string, Commit>;
}

/** A commit and all before it. */
export function reachable({ commits }: Commits, from: string): Set<string> {
  const found = new Set<string>();
  const waiting = [from];
  for (let sha = waiting.pop(); sha !== undefined; sha = waiting.pop()) {
    if (found.has(sha)) continue;
    found.add(sha);
    waiting.push(...(commits.get(sha)?.parents ?? []));
  }
  return found;
}

/** What each of two commits has that the other one hasn't, oldest first; undefined where they share no history. */
export function apart(
  history: Commits,
  base: Commit,
  head: Commit,
): { readonly ahead: Commit[]; readonly behind: Commit[] } | undefined {
  const ofBase = reachable(history, base.sha);
  const ofHead = reachable(history, head.sha);
  if (ofBase.isDisjointFrom(ofHead)) return undefined;
  const only = (some: Set<string>, others: Set<string>) =>
    [...some.difference(others)].flatMap((sha) => history.commits.get(sha) ?? []).reverse();
  return { ahead: only(ofHead, ofBase), behind: only(ofBase, ofHead) };
}
