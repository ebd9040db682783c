import { describe, expect, it } from 'vitest';
import { GitHubError, secondaryRateLimit } from '../../../../local/github/answer.ts';
import { refusal, start, useGitHub } from './github.fixture.ts';

const hub = useGitHub();

describe('a token', () => {
  const token = 'github_pat_11AAAAAAA0abcdefghij';

  it('that GitHub doesn’t know is refused, for good', async () => {
    const repository = hub.newRepository();
    repository.commit();
    await expect(hub.client({ token: 'unknown' }).resolve(repository.fullName, 'main')).rejects.toEqual(
      refusal('GITHUB_TOKEN_REFUSED', false, 'Bad credentials'),
    );
  });

  it.each([`${token}\n${token}`, `${token}\0`, 'tökén'])(
    'that can’t be one is refused unsent',
    async (given) => {
      const failed = await hub
        .client({ token: given })
        .resolve('acme/docs', 'main')
        .catch((error: unknown) => error);
      expect(failed).toEqual(refusal('GITHUB_TOKEN_REFUSED', false));
      expect(failed).not.toEqual(expect.objectContaining({ message: expect.stringContaining('github_pat') }));
      expect(hub.server.requests).toEqual([]);
    },
  );

  it('is sent without the line break that its secret ends with, and an empty one not at all', async () => {
    const repository = hub.newRepository();
    repository.commit();
    hub.server.allow(token, { repositories: [] });
    await hub.client({ token: `${token}\n` }).resolve(repository.fullName, 'main');
    await hub.client({ token: '\n' }).resolve(repository.fullName, 'main');
    expect(hub.server.requests.map(({ headers }) => headers['authorization'])).toEqual([
      `Bearer ${token}`,
      undefined,
    ]);
  });

  it('without the permission is told which one it needs', async () => {
    const repository = hub.newRepository({ private: true });
    repository.commit();
    hub.server.allow(token, { repositories: [repository], contents: false });
    await expect(hub.client({ token }).resolve(repository.fullName, 'main')).rejects.toEqual(
      refusal('GITHUB_FORBIDDEN', false, /not accessible.*Contents: read/s),
    );
  });

  it('is in no error, even where somebody sends it back', async () => {
    hub.server.allow(token, { repositories: [] });
    hub.server.intercept = () => {
      throw new GitHubError(403, `No: ${token} is not welcome`);
    };
    const failed: unknown = await hub
      .client({ token })
      .resolve('acme/docs', 'main')
      .catch((error) => error);
    expect(failed).toEqual(refusal('GITHUB_FORBIDDEN', false, 'No: [redacted] is not welcome'));
  });
});

describe('a rate limit', () => {
  it('that is reached is over when GitHub says', async () => {
    const repository = hub.newRepository();
    repository.commit();
    hub.server.requestsPerHour = 0;
    await expect(hub.client().resolve(repository.fullName, 'main')).rejects.toMatchObject({
      name: 'GitHubRateLimited',
      until: new Date(start.getTime() + 3_600_000),
    });
  });

  it.each([
    [secondaryRateLimit(90), 90],
    [secondaryRateLimit(), 60],
    [new GitHubError(429, 'Too many requests', { 'retry-after': '7' }), 7],
  ])('of another kind, too: %s', async (thrown, seconds) => {
    const repository = hub.newRepository();
    const { sha } = repository.commit();
    hub.server.intercept = () => {
      throw thrown;
    };
    const until = new Date(start.getTime() + seconds * 1000);
    const api = hub.client();
    for (const call of [
      api.resolve(repository.fullName, 'main'),
      api.compare(repository.fullName, sha, sha),
      api.tarball(repository.fullName, sha),
    ]) {
      await expect(call).rejects.toMatchObject({ name: 'GitHubRateLimited', until });
    }
  });
});

describe('an answer', () => {
  it.each([500, 502, 503])('with status %i may be another one later', async (status) => {
    const repository = hub.newRepository();
    repository.commit();
    hub.server.intercept = () => {
      throw new GitHubError(status, 'Server Error');
    };
    await expect(hub.client().resolve(repository.fullName, 'main')).rejects.toEqual(
      refusal('GITHUB_UNAVAILABLE', true, 'Server Error'),
    );
  });

  it.each([
    ['has another form', { sha: 'main' }],
    ['is larger than any', { padding: 'x'.repeat(9 * 1024 * 1024) }],
  ])('that %s is not used', async (_, more) => {
    const repository = hub.newRepository();
    repository.commit();
    hub.server.intercept = ({ answer }) => void (answer && Object.assign(answer, more));
    await expect(hub.client().resolve(repository.fullName, 'main')).rejects.toEqual(
      refusal('GITHUB_UNAVAILABLE', true),
    );
  });
});
