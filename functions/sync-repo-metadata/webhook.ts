import * as z from 'zod';
import type { RepositorySettings } from '../../shared/config.ts';
import type { Delivery } from '../../shared/operation/delivery.ts';
import { settingsOf } from './settings.ts';

/** As much as Pub/Sub carries. What a push says at length, its commits, goes no further than this module. */
const mostPayloadBytes = 10 * 1024 * 1024;

const push = z.object({
  ref: z.string(),
  after: z.string(),
  /** Of an annotated tag `after` is the tag itself. */
  head_commit: z.object({ id: z.string() }).nullish(),
  repository: z.object({ full_name: z.string(), default_branch: z.string().nullish() }),
});

type Push = z.infer<typeof push>;

type Adapted = { readonly data: Buffer } | { readonly ignore: string };

/**
 * GitHub's own webhook as a message: a push to a branch that is kept. Whoever relays it may pass its headers as attributes,
 * or its body alone; so it is known by its shape.
 *
 * A push to the default branch of a repository that no settings name becomes a message without a target: it ends as
 * `rejected`, on record with what is missing, where an event that is ignored would leave nothing but a line in a log. Other
 * branches of such a repository ask for nothing, or a webhook of a whole organization would be a stream of refusals.
 *
 * @param repositories the first entry that names the repository, in whatever case, and the ref counts
 * @returns undefined for what isn't GitHub's
 * @see https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
 */
export function adaptWebhook(
  { data, attributes }: Pick<Delivery, 'data' | 'attributes'>,
  repositories: readonly RepositorySettings[],
): Adapted | undefined {
  const payload = readPayload(data);
  const event = Object.entries(attributes).find(([name]) => name.toLowerCase() === 'x-github-event')?.[1];
  if (payload === undefined || !(event !== undefined || isGitHubs(payload))) return undefined;
  if (event !== undefined && event !== 'push') return { ignore: `${event} asks for nothing` };
  const parsed = push.safeParse(payload);
  // Called a push, it is refused as a message, with what is wrong with it; else it is another event.
  if (!parsed.success) return event === 'push' ? undefined : { ignore: 'an event of GitHub that is no push' };
  return messageOf(parsed.data, repositories);
}

function messageOf(pushed: Push, repositories: readonly RepositorySettings[]): Adapted {
  const { ref, after, repository, head_commit: commit } = pushed;
  const { full_name: name, default_branch: said } = repository;
  const defaultBranch = said ?? undefined;
  if (/^0+$/.test(after)) return { ignore: `${ref} of ${name} was deleted` };
  const named = settingsOf(name, repositories);
  const wanted = named.map((entry) => entry.ref ?? defaultBranch);
  const settings = named.find((_, index) => ref === wholeRef(wanted[index] ?? ref));
  if (settings === undefined && (named.length > 0 || ref !== wholeRef(defaultBranch ?? ref))) {
    return { ignore: `nothing is kept of ${ref} of ${name}` };
  }
  if (settings && settings.target === undefined) {
    return { ignore: `the settings of ${name} have no target for its pushes` };
  }
  const message = {
    repository: name,
    // A relay may leave the default branch out; then GitHub is asked for it, and for what it is at.
    ...((settings?.ref ?? defaultBranch) === undefined ? {} : { ref, commit: commit?.id ?? after }),
    source: 'github',
    ...(settings && { target: settings.target }),
    ...(settings?.schema === undefined ? {} : { schema: settings.schema }),
  };
  return { data: Buffer.from(JSON.stringify(message)) };
}

function wholeRef(ref: string): string {
  return ref.startsWith('refs/') ? ref : `refs/heads/${ref}`;
}

/** A JSON object, plain or, as GitHub sends it by default, the field `payload` of a form. */
function readPayload(data: Buffer): Record<string, unknown> | undefined {
  if (data.length > mostPayloadBytes) return undefined;
  const text = data.toString();
  try {
    const json = text.startsWith('payload=') ? new URLSearchParams(text).get('payload') : text;
    const value: unknown = JSON.parse(json ?? '');
    return value instanceof Object && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Every event says who and where, but for the first one, which has a saying instead. Messages have none of this. */
function isGitHubs({ repository, sender, zen, hook_id }: Record<string, unknown>): boolean {
  const has = (value: unknown, name: string) => value instanceof Object && name in value;
  return has(repository, 'full_name') || has(sender, 'login') || (zen !== undefined && hook_id !== undefined);
}
