import { describe, expect, it } from 'vitest';
import { pushEvent } from '../../local/github/push-event.ts';
import { localInstance, localProject } from '../../local/stack.ts';
import { secretsOf } from '../support/secrets.ts';
import { catalogFile, githubMessage, named, useRepositories } from './repositories.ts';

const cloud = useRepositories({
  environment: {
    DROVER_REPOSITORIES: JSON.stringify([
      {
        repository: 'acme/private*',
        target: { instance: localInstance, database: 'app' },
        token: `projects/${localProject}/secrets/github-token`,
      },
      { repository: 'acme/*', target: { instance: localInstance, database: 'app' } },
    ]),
  },
});

/** Requests for archives, and all others, since the last look. */
function requests(): { readonly api: string[]; readonly downloads: number } {
  const seen = cloud.github.requests.splice(0);
  return {
    api: seen
      .filter(({ host }) => host === 'api')
      .map(({ url }) => url.replace(/^\/repos\/[^/]+\/[^/]+/, '')),
    downloads: seen.filter(({ host }) => host === 'codeload').length,
  };
}

describe('a push', () => {
  it('is followed as GitHub’s webhook tells of it', async () => {
    const repository = cloud.github.createRepository('acme/hooked');
    const before = repository.commit({ files: named('1'), date: new Date('2026-01-02T03:04:05Z') }).sha;
    const after = repository.commit({ files: named('2') }).sha;
    await cloud.stack.send('sync-repo-metadata', pushEvent(repository, { after: before }), {
      id: 'hook-1',
      attributes: { 'X-GitHub-Event': 'push' },
    });
    expect(await cloud.stack.ended('sync-repo-metadata', 'hook-1')).toMatchObject({ state: 'succeeded' });
    expect(await cloud.stateOf('hooked')).toEqual({ commit: before, number: 1, title: 'Version 1' });
    expect(await cloud.query('SELECT created_at FROM hooked.documents')).toEqual([
      { created_at: new Date('2026-01-02T03:04:05Z') },
    ]);

    // A form, as GitHub sends it where nobody says other, without any attributes.
    const form = new URLSearchParams({ payload: JSON.stringify(pushEvent(repository, { before, after })) });
    await cloud.stack.send('sync-repo-metadata', form.toString(), { id: 'hook-2' });
    expect(await cloud.stack.ended('sync-repo-metadata', 'hook-2')).toMatchObject({
      state: 'succeeded',
      result: { commit: after, previousCommit: before },
    });
    expect(await cloud.stateOf('hooked')).toEqual({ commit: after, number: 2, title: 'Version 2' });
  });

  it('of a private repository is read with the token from Secret Manager', async () => {
    const repository = cloud.github.createRepository('acme/private', { private: true });
    const commit = repository.commit({ files: named('1') });
    cloud.github.allow('ghp_secret', { repositories: [repository] });
    const secrets = secretsOf(cloud.stack);
    await secrets.create('github-token', 'ghp_secret\n');
    await secrets.close();
    await cloud.done(githubMessage('acme/private'));
    expect(await cloud.stateOf('private')).toMatchObject({ commit: commit.sha });

    cloud.github.revoke('ghp_secret');
    repository.commit({ files: named('2') });
    const error = await cloud.refused(githubMessage('acme/private'), 'GITHUB_TOKEN_REFUSED');
    expect(error.message).toMatch(/store a new one as the newest version of its secret/);
    expect(JSON.stringify([...cloud.stack.logs.values(), error])).not.toContain('ghp_secret');
    expect(await cloud.registered('acme/private', 'private')).toMatchObject({
      state: 'failed',
      commit: commit.sha,
      failure: { code: 'GITHUB_TOKEN_REFUSED' },
    });

    cloud.github.allow('ghp_secret', { repositories: [repository] });
    await cloud.done(githubMessage('acme/private'));
    const registered = await cloud.registered('acme/private', 'private');
    expect(registered).toMatchObject({ state: 'synced', commit: repository.head() });
    expect(registered).not.toHaveProperty('failure');
  });
});

describe('commits', () => {
  it('that come late never overwrite newer ones', async () => {
    const { one, two, schema } = await cloud.second('late');
    const before = await cloud.everything(schema);
    const { notes, changes } = await cloud.done(
      githubMessage('acme/late', { ref: 'refs/heads/main', commit: one }),
    );
    expect(notes).toEqual([
      { code: 'SUPERSEDED', message: expect.stringContaining('does not come after what is there') },
    ]);
    expect(changes).toEqual([]);
    expect(await cloud.everything(schema)).toEqual(before);
    expect(await cloud.stateOf(schema)).toMatchObject({ commit: two });
  });

  it('that the ref was forced back to are followed', async () => {
    const { repository, one, two, schema } = await cloud.second('forced');
    repository.branch('main', one);
    const { notes } = await cloud.done(githubMessage('acme/forced', { ref: 'refs/heads/main', commit: one }));
    expect(notes).toEqual([{ code: 'REWRITTEN', message: expect.stringContaining(two) }]);
    expect(await cloud.stateOf(schema)).toMatchObject({ commit: one, number: 2, title: 'Version 1' });

    // The push that was undone is told of once more.
    const undone = githubMessage('acme/forced', { ref: 'refs/heads/main', commit: two });
    const late = await cloud.done(undone, { late: true });
    expect(late.notes).toMatchObject([{ code: 'SUPERSEDED' }]);
    expect(await cloud.stateOf(schema)).toMatchObject({ commit: one, title: 'Version 1' });
  });

  it('of a branch that was left, or that nobody knows any more, are not taken', async () => {
    const { repository, one, two, schema } = await cloud.second('abandoned');
    const other = repository.commit({ files: named('other'), branch: 'other', parent: one }).sha;
    const { notes } = await cloud.done(
      githubMessage('acme/abandoned', { ref: 'refs/heads/main', commit: other }),
      { late: true },
    );
    expect(notes).toMatchObject([{ code: 'SUPERSEDED' }]);
    expect(await cloud.stateOf(schema)).toMatchObject({ commit: two });

    const rewritten = repository.commit({ files: named('new'), parent: null }).sha;
    repository.deleteBranch('other');
    repository.collectGarbage();
    expect((await cloud.done(githubMessage('acme/abandoned'))).notes).toMatchObject([{ code: 'REWRITTEN' }]);
    expect(await cloud.stateOf(schema)).toMatchObject({ commit: rewritten, title: 'Version new' });
    await cloud.refused(githubMessage('acme/abandoned', { commit: two }), 'REF_NOT_FOUND');
  });

  it('that are read while a newer one is written are thrown away', async () => {
    const { repository, three, schema } = await cloud.second('overtaken');
    const [met, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    repository.branch('main', three);
    cloud.github.intercept = ({ method, phase }) => {
      if (method !== 'repos.downloadTarballArchive' || phase !== 'before') return undefined;
      cloud.github.intercept = undefined;
      met.resolve();
      return held.promise;
    };
    const ending = cloud.done(githubMessage('acme/overtaken', { ref: 'refs/heads/main', commit: three }));
    await met.promise;
    const newest = repository.commit({ files: named('4') }).sha;
    await cloud.done(githubMessage('acme/overtaken'));
    held.resolve();

    expect(await ending).toMatchObject({ notes: [{ code: 'SUPERSEDED' }], epoch: 1 });
    expect(await cloud.stateOf(schema)).toEqual({ commit: newest, number: 2, title: 'Version 4' });
    expect(await cloud.registered('acme/overtaken', schema)).toMatchObject({ commit: newest, number: 2 });
  });

  it('of archives are of the later generation', async () => {
    const old = await cloud.upload('generations', named('1'));
    const { met, letGo } = cloud.holdRead('repositories/generations.tar.gz', 1, 'after');
    const ending = cloud.done(old);
    await met;
    const next = await cloud.sync('generations', named('2'));
    letGo();
    expect((await ending).notes).toContainEqual(expect.objectContaining({ code: 'SUPERSEDED' }));
    expect(await cloud.stateOf('generations')).toMatchObject({
      commit: next.result?.['commit'],
      title: 'Version 2',
    });
  });

  it('that are pushed all at once end with the last, each in a run of its own', async () => {
    const repository = cloud.github.createRepository('acme/busy');
    const pushes = Array.from({ length: 10 }, (_, n) => repository.commit({ files: named(String(n)) }).sha);
    const shuffled = [3, 9, 0, 6, 1, 8, 2, 7, 5, 4].map((n) => ({ n, after: pushes[n] }));
    await Promise.all(
      shuffled.map(({ n, after }) =>
        cloud.stack.send('sync-repo-metadata', pushEvent(repository, { after }), { id: `busy-${n}` }),
      ),
    );
    const ended = await Promise.all(
      shuffled.map(({ n }) => cloud.stack.ended('sync-repo-metadata', `busy-${n}`)),
    );

    expect(ended.map((record) => record.state)).toEqual(Array(10).fill('succeeded'));
    expect(await cloud.stateOf('busy')).toMatchObject({ commit: pushes[9], title: 'Version 9' });
    const runs = await cloud.query('SELECT number::int, commit FROM busy.syncs ORDER BY number');
    expect(runs.map(({ number }) => number)).toEqual(runs.map((_, index) => index + 1));
    const order = runs.map(({ commit }) => pushes.indexOf(String(commit)));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    const applied = ended.filter(({ notes }) => !notes?.some(({ code }) => code === 'SUPERSEDED'));
    expect(runs).toHaveLength(applied.length);
    expect(await cloud.registered('acme/busy', 'busy')).toMatchObject({
      commit: pushes[9],
      number: runs.length,
    });
  });

  it('that are there already are not downloaded again', async () => {
    const { schema } = await cloud.second('calm');
    requests();
    const { summary, changes } = await cloud.done(githubMessage('acme/calm'));
    expect(requests()).toEqual({ api: ['/commits/HEAD?per_page=1'], downloads: 0 });
    expect(summary).toEqual({ documents: 1, added: 0, updated: 0, deleted: 0, unchanged: 1, problems: 0 });
    expect(changes).toEqual([]);
    expect(await cloud.stateOf(schema)).toMatchObject({ number: 2 });
    expect(await cloud.query('SELECT state FROM calm.syncs ORDER BY number')).toEqual([
      { state: 'applied' },
      { state: 'unchanged' },
    ]);
  });

  it('cost one download, with and without a catalog', async () => {
    const { repository } = await cloud.second('frugal');
    repository.commit({ files: named('3') });
    requests();
    await cloud.done(githubMessage('acme/frugal'));
    expect(requests().downloads).toBe(1);
    repository.commit({ files: { ...catalogFile({ pages: { files: ['*.md'], format: 'markdown' } }) } });
    await cloud.done(githubMessage('acme/frugal'));
    repository.commit({ files: named('4') });
    requests();
    await cloud.done(githubMessage('acme/frugal'));
    expect(requests().downloads).toBe(1);
  });
});
