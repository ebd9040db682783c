import type { LocalRepository } from './repository.ts';

const nowhere = '0'.repeat(40);

/**
 * What GitHub's webhook says of a push, in the parts that don't depend on who pushed.
 *
 * @param pushed.before undefined for a ref that is new
 * @param pushed.after undefined for one that was deleted
 * @see https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
 */
export function pushEvent(
  repository: LocalRepository,
  pushed: { ref?: string; before?: string | undefined; after?: string | undefined; forced?: boolean } = {},
) {
  const { ref = `refs/heads/${repository.defaultBranch}`, before, after, forced = false } = pushed;
  const [owner = '', name = ''] = repository.fullName.split('/');
  const commit = after === undefined ? undefined : repository.commits.get(after);
  const head = commit && { id: commit.sha, message: commit.message, timestamp: commit.date.toISOString() };
  return {
    ref,
    before: before ?? nowhere,
    after: after ?? nowhere,
    created: before === undefined,
    deleted: after === undefined,
    forced,
    base_ref: null,
    commits: head ? [head] : [],
    head_commit: head ?? null,
    repository: {
      id: repository.id,
      name,
      full_name: repository.fullName,
      private: repository.private,
      owner: { login: owner, type: 'Organization' },
      default_branch: repository.defaultBranch,
      master_branch: repository.defaultBranch,
    },
    pusher: { name: 'ada', email: 'ada@example.com' },
    sender: { login: 'ada', id: 1, type: 'User' },
  };
}
