import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterFailure, afterSync, type Synced } from '../../../../shared/registry/repositories/decide.ts';
import type { RepositoryFailure, RepositoryRecord } from '../../../../shared/registry/repositories/model.ts';

const identity = {
  repository: 'acme/site',
  source: 'github',
  instance: 'acme:europe-west1:main',
  database: 'app',
  schema: 'site',
} as const;

const at = (minute: number) => new Date(Date.UTC(2026, 2, 1, 10, minute));

/** The sync of this number, committed in the minute of its number; its message is of another minute. */
function sync(number: number, publishedAt: number, more: Partial<Synced> = {}): Synced {
  return {
    ...identity,
    number,
    operation: `sync ${number}`,
    commit: String(number).repeat(40).slice(0, 40),
    syncedAt: at(number),
    publishedAt: at(publishedAt),
    counts: { documents: number, added: 1, updated: 0, deleted: 0, unchanged: 0, problems: 0 },
    collections: { posts: number },
    problems: [],
    ...more,
  };
}

function failure(publishedAt: number, more: Partial<RepositoryFailure> = {}): RepositoryFailure {
  const operation = `failure ${publishedAt}`;
  return {
    code: 'REF_NOT_FOUND',
    message: 'no',
    at: at(59),
    operation,
    publishedAt: at(publishedAt),
    ...more,
  };
}

type Event = { readonly sync: Synced } | { readonly failure: RepositoryFailure };

const after = (found: RepositoryRecord | undefined, event: Event): RepositoryRecord =>
  'sync' in event ? afterSync(found, event.sync) : afterFailure(found, identity, event.failure);

const all = (events: readonly Event[]) => events.reduce<RepositoryRecord | undefined>(after, undefined);

describe('the record of a repository', () => {
  it('is of the last sync, and failed where nothing since the newest failure was done; whoever comes when, and however often', () => {
    const minutes = fc.uniqueArray(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 8 });
    const events = fc.tuple(minutes, fc.infiniteStream(fc.boolean())).map(([published, kinds]) =>
      published.map((minute, index): Event => {
        const isSync = kinds.next().value;
        return isSync ? { sync: sync(index + 1, minute) } : { failure: failure(minute) };
      }),
    );
    const arrivals = events.chain((some) =>
      fc.tuple(
        fc.constant(some),
        fc.shuffledSubarray(some, { minLength: some.length }),
        fc.shuffledSubarray(some),
      ),
    );
    fc.assert(
      fc.property(arrivals, ([some, once, again]) => {
        const syncs = some.flatMap((event) => ('sync' in event ? event.sync : []));
        const failures = some.flatMap((event) => ('failure' in event ? event.failure : []));
        const newest = <T extends { publishedAt: Date }>(list: readonly T[]) =>
          [...list].sort((a, b) => b.publishedAt.getTime() - a.publishedAt.getTime())[0];
        const last = syncs.at(-1);
        const failed = newest(failures);
        const done = newest(syncs)?.publishedAt;
        const stands = failed && (done === undefined || failed.publishedAt > done);
        const record = all([...once, ...again]);
        expect(record).toMatchObject(last ? { ...last, publishedAt: done } : { number: 0, ...identity });
        expect(record?.state).toBe(stands ? 'failed' : 'synced');
        expect(record?.failure).toEqual(stands ? failed : undefined);
        expect(record).toEqual(all(once));
      }),
      { numRuns: 300 },
    );
  });

  it('has nothing left of what the sync before had and this one has not', () => {
    const first = sync(1, 1, { ref: 'main', committedAt: at(0), collections: { posts: 1, authors: 2 } });
    const { commit: _, ...unnamed } = sync(2, 2);
    const record = all([{ sync: first }, { sync: unnamed }]);
    expect(record).toEqual({ ...unnamed, state: 'synced' });
  });
});

describe('a failure', () => {
  it('is noted beside the last good state, and cleared by the next sync', () => {
    const failed = all([{ sync: sync(1, 1) }, { failure: failure(2) }]);
    expect(failed).toEqual({ ...sync(1, 1), state: 'failed', failure: failure(2) });
    expect(afterSync(failed, sync(2, 3))).toEqual({ ...sync(2, 3), state: 'synced' });
  });

  it('of a repository that was never synced is a record of its own', () => {
    expect(all([{ failure: failure(2) }])).toEqual({
      ...identity,
      number: 0,
      operation: 'failure 2',
      counts: { documents: 0, added: 0, updated: 0, deleted: 0, unchanged: 0, problems: 0 },
      collections: {},
      problems: [],
      state: 'failed',
      failure: failure(2),
    });
  });

  it('is cleared by its own message where that is replayed, and stands where an older one is done', () => {
    expect(all([{ failure: failure(2) }, { sync: sync(1, 2) }])).toMatchObject({ state: 'synced' });
    expect(all([{ failure: failure(2) }, { sync: sync(1, 1) }])).toMatchObject({
      ...{ number: 1, operation: 'sync 1', state: 'failed', failure: failure(2) },
    });
  });

  it('of the same message is the one of the last attempt', () => {
    const again = failure(2, { code: 'GITHUB_FORBIDDEN' });
    expect(all([{ failure: failure(2) }, { failure: again }])?.failure).toEqual(again);
  });
});

describe('a sync with a lower number', () => {
  it('is an older worker’s, which overwrites nothing', () => {
    const newer = all([{ sync: sync(2, 1) }]);
    expect(all([{ sync: sync(2, 1) }, { sync: sync(1, 0) }])).toEqual(newer);
  });

  it('is not one that has a higher number and an earlier time: the database’s clock was set back', () => {
    const last = sync(2, 2, { syncedAt: at(0) });
    expect(all([{ sync: sync(1, 1) }, { sync: last }])).toEqual({ ...last, state: 'synced' });
  });

  it('but committed later is of a schema that was made anew', () => {
    const anew = sync(1, 50, { syncedAt: at(50) });
    expect(all([{ sync: sync(9, 9) }, { sync: anew }])).toEqual({ ...anew, state: 'synced' });
  });
});
