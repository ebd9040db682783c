import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { refusal, useGitHub } from './github.fixture.ts';

const hub = useGitHub();

describe('resolve', () => {
  it('finds the commit of a branch, a tag, a commit, HEAD and a whole ref', async () => {
    const repository = hub.newRepository();
    const first = repository.commit({ files: { 'a.md': 'one' }, date: new Date('2026-01-02T03:04:05Z') });
    const second = repository.commit({ files: { 'a.md': 'two' } });
    repository.tag('v1', first.sha);
    const api = hub.client();
    const shaOf = async (ref: string) => {
      const found = await api.resolve(repository.fullName, ref);
      return found !== 'not-modified' && found.sha;
    };
    for (const ref of ['main', 'HEAD', 'refs/heads/main', 'heads/main', second.sha]) {
      expect(await shaOf(ref), ref).toBe(second.sha);
    }
    for (const ref of ['v1', 'refs/tags/v1', first.sha, first.sha.slice(0, 8)]) {
      expect(await shaOf(ref), ref).toBe(first.sha);
    }
    expect(await api.resolve(repository.fullName, 'v1')).toMatchObject({
      committedAt: new Date('2026-01-02T03:04:05Z'),
    });
  });

  it.each([
    'feature/x#1',
    'a/b/c',
    'fix?now',
    '100%',
    'ä/ö',
    'feature/status',
    'x/statuses/y',
    "it's",
    'a+b',
  ])('finds the branch %s, by its name and by its whole ref', async (branch) => {
    const repository = hub.server.createRepository('acme/b.c-d_e', {});
    repository.commit();
    const { sha } = repository.commit({ branch, files: { x: branch } });
    expect(await hub.client().resolve(repository.fullName, branch)).toMatchObject({ sha });
    expect(await hub.client().resolve(repository.fullName, `refs/heads/${branch}`)).toMatchObject({ sha });
  });

  it('asks for no more than a page, as whom and what GitHub wants to be asked', async () => {
    const repository = hub.newRepository();
    repository.commit();
    await hub.client({ base: `${hub.server.base}/` }).resolve(repository.fullName, 'main');
    const [request, ...more] = hub.server.requests;
    expect(more).toEqual([]);
    expect(request?.url).toBe(`/repos/${repository.fullName}/commits/main?per_page=1`);
    expect(request?.headers).toMatchObject({
      accept: 'application/vnd.github+json',
      'x-github-api-version': '2026-03-10',
      'user-agent': 'drover',
    });
    expect(request?.headers).not.toHaveProperty('authorization');
  });

  it('says that nothing is new, which costs nothing of the rate limit', async () => {
    const repository = hub.newRepository();
    repository.commit();
    const api = hub.client();
    const found = await api.resolve(repository.fullName, 'main');
    const etag = found === 'not-modified' ? undefined : found.etag;
    expect(etag).toEqual(expect.any(String));
    for (let times = 0; times < 3; times += 1) {
      expect(await api.resolve(repository.fullName, 'main', etag)).toBe('not-modified');
    }
    const { sha } = repository.commit({ files: { 'a.md': 'new' } });
    expect(await api.resolve(repository.fullName, 'main', etag)).toMatchObject({ sha });
  });

  it.each(['gone', 'refs/heads/gone', 'f'.repeat(40), 'heads/gone/away'])(
    'has no ref %s where the repository has none',
    async (ref) => {
      const repository = hub.newRepository();
      repository.commit();
      await expect(hub.client().resolve(repository.fullName, ref)).rejects.toEqual(
        refusal('REF_NOT_FOUND', false, `has no ${ref}`),
      );
    },
  );

  it.each(['', '..', 'a/../../../user', './main', 'a//b', '/main', 'main/', 'refs/'])(
    'takes %j for no ref, without asking',
    async (ref) => {
      const repository = hub.newRepository();
      repository.commit();
      await expect(hub.client().resolve(repository.fullName, ref)).rejects.toEqual(
        refusal('REF_NOT_FOUND', false),
      );
      expect(hub.server.requests).toEqual([]);
    },
  );

  it('has no ref in an empty repository', async () => {
    const repository = hub.newRepository();
    await expect(hub.client().resolve(repository.fullName, 'main')).rejects.toEqual(
      refusal('REF_NOT_FOUND', false, 'Git Repository is empty'),
    );
  });
});

describe('compare', () => {
  it('says where the head is, seen from the base', async () => {
    const repository = hub.newRepository();
    const one = repository.commit({ files: { a: '1' } });
    const two = repository.commit({ files: { a: '2' } });
    const other = repository.commit({ files: { a: '3' }, parent: one.sha, branch: 'other' });
    const strange = repository.commit({ files: { b: '1' }, parent: null, branch: 'strange' });
    const api = hub.client();
    const between = (base: { sha: string }, head: { sha: string }) =>
      api.compare(repository.fullName, base.sha, head.sha);
    expect(await between(one, two)).toBe('ahead');
    expect(await between(two, one)).toBe('behind');
    expect(await between(two, two)).toBe('identical');
    expect(await between(two, other)).toBe('diverged');
    expect(await between(two, strange)).toBe('diverged');
  });

  it('knows after a push by force that a commit is older, and no more once GitHub has forgotten the newer one', async () => {
    const repository = hub.newRepository();
    const old = repository.commit({ files: { a: '1' } });
    const lost = repository.commit({ files: { a: '2' } });
    repository.branch('main', old.sha);
    const compare = () => hub.client().compare(repository.fullName, lost.sha, old.sha);
    expect(await compare()).toBe('behind');
    repository.collectGarbage();
    expect(await compare()).toBe('unknown');
  });

  it('doesn’t take a repository that is gone for a base that is', async () => {
    const sha = 'a'.repeat(40);
    await expect(hub.client().compare('acme/gone', sha, sha)).rejects.toEqual(
      refusal('REPOSITORY_NOT_FOUND', false),
    );
  });
});

describe('tarball', () => {
  const reason = new Error('time is over');

  it.each(['the client’s signal', 'its own'])('ends in its middle by %s', async (which) => {
    const repository = hub.newRepository();
    const { sha } = repository.commit({ files: { a: 'x' } });
    hub.server.downloadFault = { kind: 'stall', afterBytes: 10 };
    const [all, one] = [new AbortController(), new AbortController()];
    const api = hub.client({ signal: all.signal });
    const reading = buffer(await api.tarball(repository.fullName, sha, one.signal));
    (which === 'its own' ? one : all).abort(reason);
    await expect(reading).rejects.toBe(reason);
  });

  it('ends by its own signal while it is asked whether the repository is there', async () => {
    const repository = hub.newRepository();
    const one = new AbortController();
    hub.server.intercept = ({ method }) => {
      if (method === 'repos.get') one.abort(reason);
    };
    const sha = 'a'.repeat(40);
    repository.commit();
    await expect(hub.client().tarball(repository.fullName, sha, one.signal)).rejects.toBe(reason);
  });
});

describe('a repository', () => {
  const calls = {
    resolve: (name: string, token?: string) => hub.client({ token }).resolve(name, 'main'),
    compare: (name: string, token?: string) =>
      hub.client({ token }).compare(name, 'a'.repeat(40), 'b'.repeat(40)),
    tarball: (name: string, token?: string) => hub.client({ token }).tarball(name, 'a'.repeat(40)),
  };

  it.each(Object.entries(calls))('that is gone is not found: %s', async (_, call) => {
    const repository = hub.newRepository();
    repository.commit();
    hub.server.deleteRepository(repository);
    await expect(call(repository.fullName)).rejects.toEqual(
      refusal('REPOSITORY_NOT_FOUND', false, /acme\/docs.*name the secret of a token/),
    );
  });

  it.each(Object.entries(calls))('that the token can’t see is not found: %s', async (_, call) => {
    const repository = hub.newRepository({ private: true });
    repository.commit();
    hub.server.allow('of-others', { repositories: [] });
    await expect(call(repository.fullName, 'of-others')).rejects.toEqual(
      refusal('REPOSITORY_NOT_FOUND', false, 'Contents: read'),
    );
  });

  it.each(['acme', 'acme/docs/x', '../docs', 'acme/..', '/docs', 'acme/'])(
    'can’t be called %s, which is not asked for',
    async (name) => {
      await expect(hub.client().resolve(name, 'main')).rejects.toEqual(
        refusal('REPOSITORY_NOT_FOUND', false),
      );
      expect(hub.server.requests).toEqual([]);
    },
  );

  it('that was renamed is found under its former name, private too', async () => {
    const repository = hub.newRepository({ private: true });
    const former = repository.fullName;
    const { sha } = repository.commit({ branch: 'feature/x#1' });
    hub.server.allow('renamed-token', { repositories: [repository] });
    hub.server.rename(repository, `${former}-renamed`);
    const api = hub.client({ token: 'renamed-token' });
    expect(await api.resolve(former, 'feature/x#1')).toMatchObject({ sha });
    expect(await api.compare(former, sha, sha)).toBe('identical');
    expect((await api.tarball(former, sha)).destroy()).toBeDefined();
  });

  it('that is blocked is blocked', async () => {
    const repository = hub.newRepository();
    const { sha } = repository.commit();
    repository.blocked = true;
    const blocked = refusal('REPOSITORY_BLOCKED', false, 'Repository access blocked');
    await expect(calls.resolve(repository.fullName)).rejects.toEqual(blocked);
    await expect(hub.client().tarball(repository.fullName, sha)).rejects.toEqual(blocked);
  });
});
