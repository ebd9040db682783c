import { describe, expect, it } from 'vitest';
import { LocalRepository } from '../../../local/github/repository.ts';
import { blobOf, treeOf } from '../../../local/github/tree.ts';

/** The ids are those that git 2 gives, with this author and time and the messages `A change` and `Zwei`. */
describe('ids are git’s own', () => {
  const now = () => new Date('2026-03-01T12:00:00Z');

  it('of blobs and of nothing at all', () => {
    expect(blobOf('').id).toBe('e69de29bb2d1d6434b8b29ae775ad8c2e48c5391');
    expect(blobOf(Buffer.from('hello\n')).id).toBe('ce013625030ba8dba906f756967f9e9ca394464a');
    expect(treeOf(new Map()).id).toBe('4b825dc642cb6eb9a060e54bf8d69288fbee4904');
  });

  it('of commits with folders, links, what can be run, and names that sort oddly', () => {
    const repository = new LocalRepository(1, 'acme/docs', {}, now);
    const first = repository.commit({
      files: {
        'README.md': '# Hi\n',
        'a/b/c.yaml': 'x: 1\n',
        'a.txt': 'x',
        'run.sh': { executable: 'echo\n' },
        l: { link: 'README.md' },
        [`${'deep/'.repeat(30)}ä.md`]: 'ö',
      },
    });
    expect(first.sha).toBe('17d58e003dd488a84aeb05477a041b52a98334bb');
    const second = repository.commit({ files: { 'a.txt': null, b: Buffer.from([0, 1]) }, message: 'Zwei' });
    expect(second.sha).toBe('525b6717cb395d792a408d69d28b664445f1a0bc');
  });
});

describe('a repository', () => {
  const make = () => new LocalRepository(1, 'acme/docs', {}, () => new Date(0));

  it('keeps what isn’t changed and forgets what is deleted', () => {
    const repository = make();
    repository.commit({ files: { a: '1', 'b/c': '2' } });
    const { files } = repository.commit({ files: { a: null, d: '3' } });
    expect([...files.keys()]).toEqual(['b/c', 'd']);
  });

  it('begins a branch where the default branch is', () => {
    const repository = make();
    const one = repository.commit({ files: { a: '1' } });
    const two = repository.commit({ branch: 'dev', files: { b: '2' } });
    expect(two.parents).toEqual([one.sha]);
    expect(repository.head()).toBe(one.sha);
    expect(repository.head('dev')).toBe(two.sha);
  });

  it('forgets commits that nothing leads to, and keeps those that something does', () => {
    const repository = make();
    const one = repository.commit({ files: { a: '1' } });
    const two = repository.commit({ files: { a: '2' } });
    const three = repository.commit({ files: { a: '3' } });
    repository.tag('v2', two.sha);
    repository.branch('main', one.sha);
    repository.collectGarbage();
    expect([...repository.commits.keys()]).toEqual([one.sha, two.sha]);
    expect(() => repository.branch('main', three.sha)).toThrow('no commit');
  });
});
