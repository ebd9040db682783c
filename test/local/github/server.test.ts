import { describe, expect, it } from 'vitest';
import { GitHubError, secondaryRateLimit } from '../../../local/github/answer.ts';
import { ConnectionLost } from '../../../local/http/connection-lost.ts';
import { start, useGitHub } from './fixture.ts';

const cloud = useGitHub();

describe('what isn’t served', () => {
  it.each([
    '/',
    '/user',
    '/repos/acme',
    '/repos/acme/none/issues',
    '/repos/acme/none/commits',
    '/repos/acme/none/commits/main/status',
  ])('answers 404 as GitHub does: %s', async (path) => {
    const response = await cloud.call(path);
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({
      message: 'Not Found',
      documentation_url: 'https://docs.github.com/rest',
      status: '404',
    });
  });

  it('is another version of the API, or to ask as nobody', async () => {
    expect((await cloud.call('/repos/a/b', { 'x-github-api-version': '1999-01-01' })).status).toBe(400);
    expect((await cloud.call('/repos/a/b', { 'user-agent': '' })).status).toBe(403);
    const { base } = cloud.server;
    expect((await fetch(`${base}/repos/a/b`, { method: 'POST' })).status).toBe(404);
  });
});

describe('a commit', () => {
  it('is told with its files, a page of them', async () => {
    const repository = cloud.server.createRepository('acme/commits');
    repository.commit({ files: { a: '1', b: '1' } });
    const { sha, tree } = repository.commit({ files: { a: '2', b: null, c: '1' }, message: 'More' });
    expect(await cloud.json('/repos/acme/commits/commits/main')).toMatchObject({
      sha,
      commit: { message: 'More', tree: { sha: tree.id }, committer: { date: '2026-03-01T12:00:00Z' } },
      files: [
        { filename: 'a', status: 'modified' },
        { filename: 'b', status: 'removed' },
        { filename: 'c', status: 'added' },
      ],
    });
    const { files } = await cloud.json('/repos/Acme/COMMITS/commits/main?per_page=1&page=3');
    expect(files).toMatchObject([{ filename: 'c' }]);
  });

  it('that isn’t there is 422, and 409 in an empty repository', async () => {
    const repository = cloud.server.createRepository('acme/empty');
    const ask = () => cloud.json('/repos/acme/empty/commits/a%2Fb%23c');
    expect(await ask()).toMatchObject({ status: '409', message: 'Git Repository is empty.' });
    repository.commit();
    expect(await ask()).toMatchObject({ status: '422', message: 'No commit found for SHA: a/b#c' });
  });

  it('that a client has is 304, weak or strong', async () => {
    cloud.server.createRepository('acme/known').commit();
    const etag = (await cloud.call('/repos/acme/known/commits/main')).headers.get('etag') ?? '';
    for (const given of [etag, etag.replace('W/', ''), `"x", ${etag}`]) {
      const response = await cloud.call('/repos/acme/known/commits/main', { 'if-none-match': given });
      expect(response.status).toBe(304);
      expect(await response.text()).toBe('');
    }
  });
});

describe('a comparison', () => {
  it('counts both ways and lists the files on the first page only', async () => {
    const repository = cloud.server.createRepository('acme/compared');
    const one = repository.commit({ files: { a: '1' } });
    const left = repository.commit({ files: { a: '2' } });
    repository.commit({ files: { b: '1' }, branch: 'right', parent: one.sha });
    const right = repository.commit({ files: { b: '2' }, branch: 'right' });
    const path = `/repos/acme/compared/compare/${left.sha}...right?per_page=1`;
    expect(await cloud.json(path)).toMatchObject({
      status: 'diverged',
      ahead_by: 2,
      behind_by: 1,
      commits: [{ parents: [{ sha: one.sha }] }],
      files: [{ filename: 'a' }, { filename: 'b' }],
    });
    const second = await cloud.json(`${path}&page=2`);
    expect(second).toMatchObject({ commits: [{ sha: right.sha }] });
    expect(second).not.toHaveProperty('files');
  });
});

describe('an archive', () => {
  it('of a private repository needs the address that the API gave', async () => {
    const repository = cloud.server.createRepository('acme/secret', { private: true });
    const { sha } = repository.commit({ files: { a: '1' } });
    cloud.server.allow('t0ken', { repositories: [repository] });
    const headers = { authorization: 'token t0ken' };
    const redirect = await cloud.call(`/repos/acme/secret/tarball/${sha}`, headers);
    expect(redirect.status).toBe(302);
    const url = new URL(redirect.headers.get('location') ?? '');
    expect(url.origin).not.toBe(cloud.server.base);
    const archive = await fetch(url);
    expect(archive.headers.get('content-disposition')).toContain(`acme-secret-${sha.slice(0, 7)}.tar.gz`);
    expect((await archive.arrayBuffer()).byteLength).toBeGreaterThan(0);
    url.search = '';
    expect((await fetch(url, { headers })).status).toBe(404);
    cloud.server.revoke('t0ken');
    expect((await cloud.call(`/repos/acme/secret/tarball/${sha}`, headers)).status).toBe(401);
  });
});

describe('names', () => {
  it('that were given up redirect, until another repository takes them', async () => {
    const repository = cloud.server.createRepository('acme/old');
    repository.commit();
    cloud.server.rename(repository, 'acme/new');
    const moved = await cloud.call('/repos/acme/old/commits/main?per_page=1');
    expect(moved.status).toBe(301);
    const { base } = cloud.server;
    expect(moved.headers.get('location')).toBe(
      `${base}/repositories/${repository.id}/commits/main?per_page=1`,
    );
    expect(await cloud.json(`/repositories/${repository.id}`)).toMatchObject({ full_name: 'acme/new' });
    cloud.server.createRepository('acme/old');
    expect(await cloud.json('/repos/acme/old')).toMatchObject({ full_name: 'acme/old' });
  });
});

describe('the rate limit', () => {
  it('is counted, but for what found nothing new, and starts anew after an hour', async () => {
    cloud.server.createRepository('acme/limited').commit();
    cloud.server.allow('l1mited', { repositories: [] });
    const ask = (more = {}) =>
      cloud.call('/repos/acme/limited/commits/main', { authorization: 'Bearer l1mited', ...more });
    cloud.server.requestsPerHour = 2;
    const first = await ask();
    expect(Object.fromEntries(first.headers)).toMatchObject({
      'x-ratelimit-limit': '2',
      'x-ratelimit-remaining': '1',
      'x-ratelimit-reset': String(start.getTime() / 1000 + 3600),
    });
    const known = await ask({ 'if-none-match': first.headers.get('etag') ?? '' });
    expect([known.status, known.headers.get('x-ratelimit-remaining')]).toEqual([304, '1']);
    expect((await ask()).headers.get('x-ratelimit-remaining')).toBe('0');
    const refused = await ask();
    expect([refused.status, refused.headers.get('x-ratelimit-remaining')]).toEqual([403, '0']);
    expect(await refused.json()).toMatchObject({ message: expect.stringContaining('rate limit exceeded') });
    cloud.server.allow('0ther', { repositories: [] });
    expect((await ask({ authorization: 'Bearer 0ther' })).status).toBe(200);
    cloud.server.advance(3600);
    expect((await ask()).status).toBe(200);
  });
});

describe('faults on demand', () => {
  it('are errors with their headers, changed answers and broken connections', async () => {
    cloud.server.createRepository('acme/faulty').commit();
    const seen: string[] = [];
    cloud.server.intercept = ({ method, phase }) => {
      seen.push(`${phase} ${method}`);
      if (phase === 'after') throw secondaryRateLimit(5);
    };
    const limited = await cloud.call('/repos/acme/faulty/commits/main');
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([403, '5']);
    expect(seen).toEqual(['before repos.getCommit', 'after repos.getCommit']);

    cloud.server.intercept = ({ answer }) => void (answer && Object.assign(answer, { sha: 'other' }));
    expect(await cloud.json('/repos/acme/faulty/commits/main')).toMatchObject({ sha: 'other' });

    cloud.server.intercept = () => {
      throw new GitHubError(502, 'Server Error');
    };
    expect((await cloud.call('/repos/acme/faulty')).status).toBe(502);

    cloud.server.intercept = () => {
      throw new ConnectionLost();
    };
    await expect(cloud.call('/repos/acme/faulty')).rejects.toThrow('fetch failed');
  });
});
