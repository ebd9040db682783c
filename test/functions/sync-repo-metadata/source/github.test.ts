import { describe, expect, it } from 'vitest';
import type { Archive } from '../../../../functions/sync-repo-metadata/source/entries.ts';
import { githubSnapshot } from '../../../../functions/sync-repo-metadata/source/github.ts';
import { defaultPatience } from '../../../../functions/sync-repo-metadata/source/github-transfer.ts';
import type { Commit, LocalRepository } from '../../../../local/github/repository.ts';
import { refusal, useGitHub } from './github.fixture.ts';

const hub = useGitHub();
const signal = new AbortController().signal;
const limits = { entries: 1000, bytes: 64 * 1024 * 1024 };

/** What doesn't compress to almost nothing. */
function noise(bytes: number): Buffer {
  const content = Buffer.alloc(bytes);
  for (let at = 0, state = 1; at + 4 <= bytes; at += 4) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    content.writeInt32LE(state | 0, at);
  }
  return content;
}

async function read(archive: Archive): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for await (const entry of archive) files[entry.path] = (await entry.content()).toString();
  return files;
}

function snapshotOf({ fullName }: LocalRepository, { sha, date }: Commit, options = {}) {
  return githubSnapshot(hub.client(options), fullName, { sha, committedAt: date }, { limits });
}

describe('a snapshot', () => {
  it('has the files of its commit, whatever the branch is at', async () => {
    const repository = hub.newRepository();
    const commit = repository.commit({
      files: { 'README.md': '# Hello\n', 'plots/a b/ä.yaml': 'x: 1\n', link: { link: 'README.md' } },
    });
    repository.commit({ files: { 'README.md': null } });
    const snapshot = snapshotOf(repository, commit);
    expect(snapshot).toMatchObject({ commit: commit.sha, committedAt: commit.date });
    const archive = await snapshot.open(signal);
    expect(await read(archive)).toEqual({
      'README.md': '# Hello\n',
      'plots/a b/ä.yaml': 'x: 1\n',
      link: 'README.md',
    });
    expect(archive.commit).toBe(commit.sha);
  });

  it('downloads the archive each time it is opened', async () => {
    const repository = hub.newRepository();
    const snapshot = snapshotOf(repository, repository.commit({ files: { a: '1' } }));
    expect(await read(await snapshot.open(signal))).toEqual({ a: '1' });
    expect(await read(await snapshot.open(signal))).toEqual({ a: '1' });
    expect(hub.server.requests.map(({ host }) => host)).toEqual(['api', 'codeload', 'api', 'codeload']);
  });

  it('of a private repository comes from another host, which is not told the token', async () => {
    const repository = hub.newRepository({ private: true });
    const commit = repository.commit({ files: { a: '1' } });
    const token = 'github_pat_private';
    hub.server.allow(token, { repositories: [repository] });
    expect(await read(await snapshotOf(repository, commit, { token }).open(signal))).toEqual({ a: '1' });
    const [api, codeload] = hub.server.requests;
    expect(api).toMatchObject({ host: 'api', headers: { authorization: `Bearer ${token}` } });
    expect(codeload).toMatchObject({ host: 'codeload' });
    expect(JSON.stringify(codeload)).not.toContain(token);
  });

  it('of an empty tree is empty', async () => {
    const repository = hub.newRepository();
    expect(await read(await snapshotOf(repository, repository.commit()).open(signal))).toEqual({});
  });

  it('of a commit that is gone has no ref', async () => {
    const repository = hub.newRepository();
    const commit = repository.commit();
    repository.commit({ parent: null, files: { b: '1' } });
    repository.collectGarbage();
    await expect(snapshotOf(repository, commit).open(signal)).rejects.toEqual(
      refusal('REF_NOT_FOUND', false, commit.sha),
    );
  });
});

describe('a download that goes wrong may be asked for again:', () => {
  it.each([
    [{ kind: 'drop', afterBytes: 100_000 }, 'GITHUB_UNAVAILABLE'],
    [{ kind: 'short', missingBytes: 1000 }, 'GITHUB_UNAVAILABLE'],
    [{ kind: 'stall', afterBytes: 100_000 }, 'GITHUB_UNAVAILABLE'],
    [{ kind: 'truncate', afterBytes: 100_000 }, 'ARCHIVE_DAMAGED'],
    [{ kind: 'truncate', afterBytes: 0 }, 'ARCHIVE_DAMAGED'],
  ] as const)('%j', async (fault, code) => {
    const repository = hub.newRepository();
    const commit = repository.commit({ files: { 'a.bin': noise(300_000) } });
    const patience = fault.kind === 'stall' ? { ...defaultPatience, stallMs: 20 } : defaultPatience;
    hub.server.downloadFault = fault;
    await expect(snapshotOf(repository, commit, { patience }).open(signal).then(read)).rejects.toEqual(
      refusal(code, true),
    );
    hub.server.downloadFault = undefined;
    const snapshot = snapshotOf(repository, commit);
    expect(Object.keys(await read(await snapshot.open(signal)))).toEqual(['a.bin']);
  });

  it.each([{ a: '1' }, {}])('somebody in between kept an older archive, of %j', async (files) => {
    const repository = hub.newRepository();
    const old = repository.commit({ files });
    const commit = repository.commit({ files: { a: '2' } });
    hub.server.downloadFault = { kind: 'stale', commit: old.sha };
    const seen: string[] = [];
    const reading = async () => {
      for await (const { path } of await snapshotOf(repository, commit).open(signal)) seen.push(path);
    };
    await expect(reading()).rejects.toEqual(refusal('ARCHIVE_DAMAGED', true, `it is of commit ${old.sha}`));
    expect(seen).toEqual([]);
  });
});

it('stops with the signal’s reason in the middle of a download', async () => {
  const repository = hub.newRepository();
  const commit = repository.commit({ files: { 'a.bin': noise(300_000) } });
  hub.server.downloadFault = { kind: 'stall', afterBytes: 100_000 };
  const stop = new AbortController();
  const reason = new Error('the lease is lost');
  const archive = await snapshotOf(repository, commit).open(stop.signal);
  const reading = read(archive);
  stop.abort(reason);
  await expect(reading).rejects.toBe(reason);
});
