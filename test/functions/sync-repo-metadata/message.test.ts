import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { access } from '../../../functions/sync-repo-metadata/access.ts';
import { schemaOf, syncRepoMetadataMessage } from '../../../functions/sync-repo-metadata/message.ts';
import { schemaName } from '../../../shared/postgres/target.ts';

const target = { instance: 'acme:europe-west1:main', database: 'app' };
const archive = { bucket: 'uploads', object: 'repositories/site.tar.gz' };
const github = { repository: 'acme/site', source: 'github', target };
const stored = { repository: 'site', source: 'archive', archive, target };

const problemsOf = (message: object): string[] =>
  syncRepoMetadataMessage.safeParse(message).error?.issues.map((issue) => issue.path.join('.')) ?? [];

describe('a message', () => {
  it('has defaults that take nothing away', () => {
    expect(syncRepoMetadataMessage.parse(github)).toEqual({ ...github, allowDeletes: false, rebuild: false });
    expect(syncRepoMetadataMessage.parse(stored)).toMatchObject(stored);
  });

  it.each([
    ['no source', { ...github, source: undefined }, 'source'],
    ['another source', { ...github, source: 'gitlab' }, 'source'],
    ['no owner on GitHub', { ...github, repository: 'site' }, 'repository'],
    ['a repository that climbs', { ...github, repository: 'acme/..' }, 'repository'],
    ['a repository with a space', { ...github, repository: 'acme/a b' }, 'repository'],
    ['three parts', { ...github, repository: 'a/b/c' }, 'repository'],
    ['an archive for GitHub', { ...github, archive }, 'archive'],
    ['no archive', { ...stored, archive: undefined }, 'archive'],
    ['a ref of an archive', { ...stored, ref: 'main' }, 'ref'],
    ['an empty object', { ...stored, archive: { ...archive, object: '' } }, 'archive.object'],
    ['NUL in an object', { ...stored, archive: { ...archive, object: 'a\0' } }, 'archive.object'],
    [
      'a generation that is none',
      { ...stored, archive: { ...archive, generation: '-1' } },
      'archive.generation',
    ],
    ['half a commit', { ...github, commit: 'abc123' }, 'commit'],
    ['a commit in capitals', { ...github, commit: 'A'.repeat(40) }, 'commit'],
    ['a schema of the system', { ...github, schema: 'pg_catalog' }, 'schema'],
    ['a name that makes no schema', { ...github, repository: 'acme/---' }, 'schema'],
    ['a name that makes a schema of the system', { ...github, repository: 'acme/public' }, 'schema'],
    ['a name that begins with a digit', { ...github, repository: 'acme/2048' }, 'schema'],
    ['a catalog without collections', { ...github, config: { collections: {} } }, 'config.collections'],
    ['an unknown field', { ...github, colour: 'red' }, ''],
  ])('is refused with %s', (_, message, path) => {
    expect(problemsOf(message)).toContain(path);
  });

  it('needs no schema of its own where the name makes one', () => {
    expect(problemsOf({ ...github, repository: 'acme/2048', schema: 'game' })).toEqual([]);
  });
});

describe('the schema of a repository', () => {
  it.each([
    ['acme/Plots-Site.io', 'plots_site_io'],
    ['site', 'site'],
    ['acme/_a__b_', 'a_b'],
  ])('of %s is %s', (repository, schema) => {
    expect(schemaOf(repository)).toBe(schema);
  });

  it('is a name that PostgreSQL takes as it is, or refused', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_.-]{1,100}$/), (name) => {
        const isUsable = schemaName.safeParse(schemaOf(name)).success;
        const isRefused = problemsOf({ ...github, repository: `acme/${name}` }).length > 0;
        expect(isUsable || isRefused).toBe(true);
      }),
    );
  });
});

describe('access', () => {
  const of = (message: object) => access(syncRepoMetadataMessage.parse(message));

  it('is to one schema, and from one repository or object', () => {
    expect(of(github)).toMatchObject({
      target,
      schema: 'site',
      repositories: ['github:acme/site'],
      actions: [],
    });
    expect(of({ ...stored, schema: 'docs' })).toMatchObject({
      schema: 'docs',
      repositories: ['gs://uploads/repositories/site.tar.gz'],
    });
  });

  it('names what may delete much', () => {
    expect(of({ ...github, allowDeletes: true }).actions).toEqual(['allowDeletes']);
    const config = (maxLoss: number) => ({ maxLoss, collections: { a: { files: ['**'], format: 'yaml' } } });
    expect(of({ ...github, config: config(1) }).actions).toEqual(['allowDeletes']);
    expect(of({ ...github, config: config(0.1) }).actions).toEqual([]);
  });
});
