import { config } from '../../../shared/config.ts';
import { readLatest } from '../../../shared/gcp/secrets.ts';
import { Deferred } from '../../../shared/operation/deferral.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import { type ArchiveOrigin, type Decision, decideByAncestry, decideByOrigin } from '../decide.ts';
import type { SyncRepoMetadataMessage } from '../message.ts';
import { settingsOf } from '../settings.ts';
import type { Origin, StoredRepository } from '../tables/state.ts';
import type { ArchiveLimits } from './entries.ts';
import type { GitHub } from './github-api.ts';
import type { Snapshot } from './snapshot.ts';

/** What is to be synced, seen from what is there. */
export interface Choice {
  readonly decision: Decision;
  readonly snapshot: Snapshot;
  /** What orders it among others, to be kept. */
  readonly origin: Origin;
}

/** Where a repository's files come from. It is asked anew whenever what is there has changed meanwhile. */
export type Source = (stored: StoredRepository | undefined) => Promise<Choice>;

/**
 * @throws OperationError where what the message names can't be read; each says what to do
 * @throws Deferred where GitHub wants to be left alone
 */
export async function chooseSource(
  message: SyncRepoMetadataMessage,
  operation: Pick<OperationContext, 'signal' | 'asked'>,
): Promise<Source> {
  const { DROVER_ARCHIVE_ENTRIES: entries, DROVER_ARCHIVE_BYTES: bytes } = config();
  const { publishedAt, revision } = operation.asked;
  const order = {
    publishedAt: publishedAt.toISOString(),
    ...(revision === undefined ? {} : { revision }),
  };
  const limits = { entries, bytes };
  return message.archive === undefined
    ? fromGitHub(message, order, limits, operation.signal)
    : fromObject(message, message.archive, order, limits, operation.signal);
}

async function fromObject(
  { commit }: SyncRepoMetadataMessage,
  archive: NonNullable<SyncRepoMetadataMessage['archive']>,
  order: Origin,
  limits: ArchiveLimits,
  signal: AbortSignal,
): Promise<Source> {
  const { openObjectSnapshot } = await import('./object.ts');
  const { bucket, object: name, generation, root } = archive;
  const snapshot = await openObjectSnapshot({ bucket, name, generation }, { limits, signal, commit, root });
  const place = { bucket, object: name, generation: snapshot.object.generation };
  const said = { ...(root === undefined ? {} : { root }), ...(commit === undefined ? {} : { commit }) };
  const origin: ArchiveOrigin = { ...order, ...place, ...said };
  return async (stored) => {
    const decision = decideByOrigin(stored, origin);
    // What is there stays as new as whoever asked for it last.
    const isOld = decision.kind === 'same' && stored && stored.origin.publishedAt > origin.publishedAt;
    return { decision, snapshot, origin: isOld ? stored.origin : origin };
  };
}

async function fromGitHub(
  { repository, ref = 'HEAD', commit }: SyncRepoMetadataMessage,
  order: Origin,
  limits: ArchiveLimits,
  signal: AbortSignal,
): Promise<Source> {
  const [{ createGitHub }, { GitHubRateLimited }, { githubSnapshot }] = await Promise.all([
    import('./github-api.ts'),
    import('./github-errors.ts'),
    import('./github.ts'),
  ]);
  const { DROVER_GITHUB_API: base, DROVER_REPOSITORIES: settings } = config();
  const token = settingsOf(repository, settings).find((one) => one.token)?.token;
  const api = createGitHub({ base, token: token && (await readLatest(token)), signal });
  return async (stored) => {
    const { wanted, head, committedAt } = await waiting(resolve(api, stored));
    const current = stored?.commit;
    const isOther = current !== undefined && current !== wanted && isCommit(current);
    const relation = isOther ? await waiting(api.compare(repository, current, wanted)) : 'unknown';
    const isOnRef = wanted === head.sha || (await waiting(isBefore(api, wanted, head.sha)));
    const isFresh = Date.now() - Date.parse(order.publishedAt) < freshMs;
    const snapshot = githubSnapshot(api, repository, { sha: wanted, committedAt }, { limits });
    return {
      decision: decideByAncestry(stored, { wanted, head: head.sha, relation, isOnRef, isFresh }),
      snapshot: { ...snapshot, open: (opening) => waiting(snapshot.open(opening)) },
      origin: { ...order, ...(head.etag === undefined ? {} : { head: { ...head, etag: head.etag } }) },
    };
  };

  async function isBefore(github: GitHub, commit: string, head: string): Promise<boolean> {
    return ['ahead', 'identical'].includes(await github.compare(repository, commit, head));
  }

  /** Whoever is told to leave GitHub alone for a while does. */
  async function waiting<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (error instanceof GitHubRateLimited) throw new Deferred(error.message, error.until);
      throw error;
    }
  }

  /** Where the ref is, and which commit that makes the wanted one. */
  async function resolve(github: GitHub, stored: StoredRepository | undefined) {
    const before = stored?.origin.head?.ref === ref ? stored.origin.head : undefined;
    const answer = await github.resolve(repository, ref, before?.etag);
    // Only what was asked with a tag can be as it was.
    const head =
      answer === 'not-modified'
        ? { ref, sha: before?.sha ?? '', etag: before?.etag }
        : { ref, sha: answer.sha, etag: answer.etag };
    const asked = commit ?? head.sha;
    if (answer !== 'not-modified' && asked === answer.sha)
      return { wanted: asked, head, committedAt: answer.committedAt };
    if (stored?.committedAt !== undefined && stored.commit === asked)
      return { wanted: asked, head, committedAt: stored.committedAt };
    const other = await github.resolve(repository, asked);
    if (other === 'not-modified')
      throw new Error('GitHub answered “not modified” to what was asked for the first time');
    // An annotated tag has an id of its own.
    return { wanted: other.sha, head, committedAt: other.committedAt };
  }
}

/** Whatever is pushed is there for everybody to see soon after. */
const freshMs = 60_000;

/** A repository may have been an archive's before, whose commits are anything. */
function isCommit(text: string): boolean {
  return /^[0-9a-f]{40,64}$/.test(text);
}
