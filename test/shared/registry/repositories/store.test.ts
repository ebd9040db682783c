import { describe, expect, it } from 'vitest';
import { hash } from '../../../../shared/operation/canonical.ts';
import { OperationError } from '../../../../shared/operation/errors.ts';
import { type Claim, claimOperation, transactAsHolder } from '../../../../shared/registry/claims.ts';
import {
  readRepository,
  recordFailure,
  recordSync,
  repositoryRef,
  type Sync,
} from '../../../../shared/registry/repositories/store.ts';
import { publishTime, useRegistry, wanted } from '../fixture.ts';

const registry = useRegistry();

const identity = {
  repository: 'acme/site',
  source: 'github',
  instance: 'acme:europe-west1:main',
  database: 'app',
  schema: 'site',
} as const;

const documentId = hash('acme:europe-west1:main', 'app', 'site', 'acme/site').slice(0, 40);

const sync = (number: number, more: Partial<Sync> = {}): Sync => ({
  ...identity,
  ref: 'refs/heads/main',
  commit: 'c'.repeat(40),
  committedAt: new Date('2026-03-01T09:00:00Z'),
  number,
  syncedAt: new Date(Date.UTC(2026, 2, 1, 10, number)),
  counts: { documents: 340, added: 12, updated: 3, deleted: 1, unchanged: 325, problems: 1 },
  collections: { posts: 300, authors: 40 },
  problems: [{ code: 'YAML_SYNTAX', path: 'posts/a.md', line: 3, column: 1, message: 'a tab' }],
  ...more,
});

const publishedIn = (minute: number) => new Date(publishTime.getTime() + minute * 60_000);

const claimIn = (minute: number) =>
  wanted({
    id: `of minute ${minute}`,
    functionName: 'sync-repo-metadata',
    request: { operationId: `of minute ${minute}`, dryRun: false, publishedAt: publishedIn(minute) },
  });

/** What a handler has, as far as this needs it. */
function contextOf(claim: Claim, dryRun = false): Parameters<typeof recordSync>[0] {
  return {
    id: claim.id,
    dryRun,
    asked: claim.order,
    transact: (refs, update) => transactAsHolder(registry.db, claim, refs, update),
  };
}

const ref = () => registry.db.collection('repositories').doc(documentId);
const stored = async () => readRepository(await ref().get());

/** An operation that was asked for in this minute. */
const operation = async (minute: number, dryRun = false) =>
  contextOf(await registry.claim(claimIn(minute)), dryRun);

describe('a repository in the registry', () => {
  it('is found by where it is and what it is called', async () => {
    const asked: string[][] = [];
    await repositoryRef(
      {
        registry: async (...key) => {
          asked.push(key);
          return ref();
        },
      },
      identity,
    );
    expect(asked).toEqual([['repositories', 'acme:europe-west1:main', 'app', 'site', 'acme/site']]);
  });

  it('has what its last sync came to, by which operation, and the first problems', async () => {
    const problems = Array.from({ length: 101 }, (_, index) => ({
      code: 'X',
      path: `${index}`,
      message: 'no',
    }));
    await recordSync(await operation(1), ref(), sync(1));
    const counts = { ...sync(2).counts, problems: 101 };
    await recordSync(await operation(2), ref(), sync(2, { problems, counts }));
    expect(await stored()).toEqual({
      ...sync(2),
      counts,
      problems: problems.slice(0, 100),
      state: 'synced',
      operation: 'of minute 2',
      publishedAt: publishedIn(2),
    });
  });

  it('keeps a later sync from an older worker', async () => {
    const older = await operation(1);
    await recordSync(await operation(2), ref(), sync(2));
    const before = await stored();
    await recordSync(older, ref(), sync(1));
    expect(await stored()).toEqual(before);
  });

  it('is failed beside its last good state, without what must not be seen, until a message is done', async () => {
    await recordSync(await operation(1), ref(), sync(1));
    const refused = new OperationError('GITHUB_TOKEN_REFUSED', 'Bearer abc.def is refused: store a new one');
    await recordFailure(await operation(2), ref(), identity, refused);
    expect(await stored()).toEqual({
      ...sync(1),
      operation: 'of minute 1',
      publishedAt: publishedIn(1),
      state: 'failed',
      failure: {
        code: 'GITHUB_TOKEN_REFUSED',
        message: 'Bearer [redacted] is refused: store a new one',
        at: expect.any(Date),
        operation: 'of minute 2',
        publishedAt: publishedIn(2),
      },
    });
    await recordSync(await operation(3), ref(), sync(2));
    const record = await stored();
    expect(record).toMatchObject({ state: 'synced', number: 2 });
    expect(record).not.toHaveProperty('failure');
  });

  it('is not failed by what was asked for before what was done', async () => {
    const late = await operation(1);
    await recordSync(await operation(2), ref(), sync(1));
    await recordFailure(late, ref(), identity, new OperationError('REF_NOT_FOUND', 'gone'));
    expect(await stored()).toMatchObject({ state: 'synced' });
  });

  it('is on record where its first sync fails', async () => {
    await recordFailure(await operation(1), ref(), identity, new OperationError('REF_NOT_FOUND', 'gone'));
    expect(await stored()).toMatchObject({
      ...identity,
      state: 'failed',
      number: 0,
      operation: 'of minute 1',
    });
  });

  it('says nothing of dry runs', async () => {
    const planned = await operation(1, true);
    await recordSync(planned, ref(), sync(1));
    await recordFailure(planned, ref(), identity, new OperationError('REF_NOT_FOUND', 'gone'));
    expect(await stored()).toBeUndefined();
  });

  it('is not written by a worker that lost its lease', async () => {
    const loser = await operation(1);
    registry.server.advance(61);
    await claimOperation(registry.db, claimIn(1));
    await expect(recordSync(loser, ref(), sync(1))).rejects.toMatchObject({ code: 'LEASE_LOST' });
    const gone = new OperationError('REF_NOT_FOUND', 'gone');
    await expect(recordFailure(loser, ref(), identity, gone)).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect(await stored()).toBeUndefined();
  });

  it('holds as many and as long problems as there may be', async () => {
    const long = '漢'.repeat(5000);
    const problems = Array.from({ length: 200 }, () => ({ code: 'X', path: long, message: long }));
    const collections = Object.fromEntries(
      Array.from({ length: 50 }, (_, index) => [`c${index}`.padEnd(63, 'x'), 1]),
    );
    await recordSync(await operation(1), ref(), sync(1, { problems, collections }));
    expect((await stored())?.problems.length).toBeGreaterThan(20);
  });
});
