import { describe, expect, it } from 'vitest';
import { GitHubError, secondaryRateLimit } from '../../local/github/answer.ts';
import type { LocalRepository } from '../../local/github/repository.ts';
import { operationDocumentId } from '../../shared/registry/operations.ts';
import { githubMessage, named, useRepositories } from './repositories.ts';

const cloud = useRepositories();

describe('GitHub', () => {
  it.each<[string, string, (repository: LocalRepository) => void]>([
    ['REPOSITORY_NOT_FOUND', 'gone', (repository) => cloud.github.deleteRepository(repository)],
    ['REF_NOT_FOUND', 'refless', (repository) => repository.deleteBranch('main')],
    [
      'REPOSITORY_BLOCKED',
      'blocked',
      (repository) => {
        repository.blocked = true;
      },
    ],
    [
      'GITHUB_FORBIDDEN',
      'forbidden',
      () => {
        cloud.github.intercept = () => {
          throw new GitHubError(403, 'Resource protected by organization SAML enforcement.');
        };
      },
    ],
  ])('says that there is nothing: %s', async (code, name, change) => {
    const { repository, two, schema } = await cloud.second(name);
    const before = await cloud.everything(schema);
    change(repository);
    const record = await cloud.send(githubMessage(`acme/${name}`, { ref: 'main' }));
    expect(record).toMatchObject({ state: 'failed', reason: 'permanent', error: { code } });
    expect(await cloud.everything(schema)).toEqual(before);
    expect(await cloud.registered(`acme/${name}`, schema)).toMatchObject({
      state: 'failed',
      commit: two,
      failure: { code },
    });
  });

  it.each<[string, string, () => void]>([
    [
      'any more',
      'limited',
      () => {
        cloud.github.requestsPerHour = 0;
      },
    ],
    [
      'a download',
      'slowed',
      () => {
        cloud.github.intercept = ({ method }) => {
          if (method === 'repos.downloadTarballArchive') throw secondaryRateLimit(120);
        };
      },
    ],
  ])('doesn’t want to be asked for %s: the sync waits, and is done later', async (_, name, limit) => {
    const { repository, two, schema } = await cloud.second(name);
    const three = repository.commit({ files: named('3') }).sha;
    limit();
    await cloud.stack.send('sync-repo-metadata', githubMessage(`acme/${name}`), { id: name });
    const ref = cloud.stack.db
      .collection('operations')
      .doc(operationDocumentId('sync-repo-metadata', { operationId: name, dryRun: false }));
    await expect
      .poll(async () => (await ref.get()).data(), { timeout: 30_000 })
      .toMatchObject({ state: 'deferred', error: { code: 'RATE_LIMITED' } });
    expect(await cloud.stateOf(schema)).toMatchObject({ commit: two });
    expect(await cloud.registered(`acme/${name}`, schema)).toMatchObject({ state: 'synced' });

    cloud.github.requestsPerHour = 5000;
    cloud.github.intercept = undefined;
    const due = new Date(Date.now() - 60_000);
    await ref.update({ notBefore: due, publishAt: due });
    await cloud.stack.send('reconcile', {}, { id: `tick-${name}` });
    expect(await cloud.stack.ended('sync-repo-metadata', name)).toMatchObject({ state: 'succeeded' });
    expect(await cloud.stateOf(schema)).toMatchObject({ commit: three, title: 'Version 3' });
  });

  it.each([
    { kind: 'drop', afterBytes: 100 },
    { kind: 'truncate', afterBytes: 100 },
    { kind: 'short', missingBytes: 10 },
    { kind: 'stale', commit: '' },
  ] as const)('sends half of an archive ($kind): nothing changes until it sends all', async (fault) => {
    const { repository, one, schema } = await cloud.second(`half_${fault.kind}`);
    const before = await cloud.everything(schema);
    const { sha } = repository.commit({ files: named('3') });
    cloud.github.downloadFault = fault.kind === 'stale' ? { kind: 'stale', commit: one } : fault;
    cloud.github.requests.length = 0;
    const name = `acme/half_${fault.kind}`;
    await cloud.stack.send('sync-repo-metadata', githubMessage(name), { id: name });
    await expect
      .poll(() => cloud.github.requests.filter(({ host }) => host === 'codeload').length, { timeout: 30_000 })
      .toBeGreaterThan(1);
    expect(await cloud.everything(schema)).toEqual(before);

    cloud.github.downloadFault = undefined;
    expect(await cloud.stack.ended('sync-repo-metadata', name)).toMatchObject({
      state: 'succeeded',
      summary: { updated: 1 },
    });
    expect(await cloud.stateOf(schema)).toEqual({ commit: sha, number: 2, title: 'Version 3' });
  });
});
