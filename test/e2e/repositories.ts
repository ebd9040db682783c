import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { IdempotencyStrategy, Storage } from '@google-cloud/storage';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type LocalGitHub, startGitHub } from '../../local/github/index.ts';
import type { LocalRepository } from '../../local/github/repository.ts';
import { localProject, type StackOptions } from '../../local/stack.ts';
import { hash } from '../../shared/operation/canonical.ts';
import { attribute } from '../../shared/operation/request.ts';
import type { RecordedError } from '../../shared/registry/operations.ts';
import type { RepositoryProblem, RepositoryRecord } from '../../shared/registry/repositories/model.ts';
import { readRepository } from '../../shared/registry/repositories/store.ts';
import { gitTar, gitZip } from '../functions/sync-repo-metadata/source/archives.ts';
import { repositoryFunctions, startTestStack, type TestStack, target, uploads } from '../support/stack.ts';
import type { Ended } from './secrets.ts';

/** Files, by their paths. */
export type Tree = Readonly<Record<string, string | Buffer>>;

export interface SyncEnded extends Ended {
  readonly result?: Readonly<Record<string, unknown>> & { readonly problems?: readonly RepositoryProblem[] };
  readonly summary?: Readonly<Record<string, number>>;
}

export interface SendOptions {
  readonly dryRun?: boolean;
  readonly id?: string;
  /** It was published some minutes ago. */
  readonly late?: boolean;
}

/** A stack with a GitHub, and what the tests of a file do with repositories. */
export interface RepositoriesStack<S extends TestStack = TestStack> {
  readonly stack: S;
  readonly github: LocalGitHub;
  /** Resolves with the record, once the message was dealt with. */
  send(message: object, options?: SendOptions): Promise<SyncEnded>;
  /** The same of a message that succeeds. */
  done(message: object, options?: SendOptions): Promise<SyncEnded>;
  /** The same of one that fails for good: its error. */
  refused(message: object, code: string): Promise<RecordedError>;
  /** Uploads a commit's files, and gives the message that syncs them. */
  upload(repository: string, files: Tree, more?: object): Promise<ArchiveMessage>;
  /** Uploads them and syncs them. */
  sync(repository: string, files: Tree, more?: object): Promise<SyncEnded>;
  /** @returns its generation */
  put(object: string, content: Buffer): Promise<string>;
  /** Holds one of the next readings of an object until it is let go, and no other. */
  holdRead(object: string, nth: number, phase?: 'before' | 'after'): Held;
  query(text: string): Promise<Record<string, unknown>[]>;
  /** Everything that a sync writes to a schema, with the transaction that wrote each row. */
  everything(schema: string): Promise<Record<string, unknown>>;
  registered(repository: string, schema: string): Promise<RepositoryRecord | undefined>;
  /** Makes a repository on GitHub of three commits, of which the second one is its head and in the tables. */
  second(name: string): Promise<ThreeCommits>;
  /** Which commit is in the tables, by which run, and the title of {@link named}'s file. */
  stateOf(schema: string): Promise<Record<string, unknown> | undefined>;
}

/** A repository of `acme`, and ids of its commits. */
export interface ThreeCommits {
  readonly repository: LocalRepository;
  readonly one: string;
  readonly two: string;
  readonly three: string;
  readonly schema: string;
}

/** A file that says which version it is of. */
export const named = (version: string) => ({ 'a.md': `# Version ${version}\n` });

/** A call that stands still. */
export interface Held {
  readonly met: Promise<void>;
  readonly letGo: () => void;
}

export interface ArchiveMessage {
  readonly repository: string;
  readonly source: 'archive';
  readonly archive: { readonly bucket: string; readonly object: string; readonly generation: string };
  readonly target: ReturnType<typeof target>;
}

/** A message for a repository on GitHub. */
export const githubMessage = (repository: string, more: object = {}) => ({
  repository,
  source: 'github',
  target: target('app'),
  ...more,
});

/** The file of a catalog: JSON is YAML. */
export const catalogFile = (collections: object, more: object = {}): Tree => ({
  'drover.catalog.yaml': JSON.stringify({ collections, ...more }),
});

/** A `.tar.gz` of files, as `git archive` makes it. */
export const tarball = (files: Tree, commit = commitOf(files)): Promise<Buffer> =>
  promisify(gzip)(gitTar(listed(files), 'repository-1.0', commit), { level: 1 });

/** Likewise a `.zip`. */
export const zipped = (files: Tree, commit = commitOf(files)) =>
  gitZip(listed(files), 'repository-1.0', commit);

const listed = (files: Tree) => Object.entries(files).map(([path, content]) => ({ path, content }));

/** A commit for each state that files can be in. */
export const commitOf = (files: Tree) =>
  hash(...Object.entries(files).flatMap(([path, content]) => [path, content.toString('base64')])).slice(
    0,
    40,
  );

/** @param start in the way of another stack than {@link startTestStack}'s */
export function useRepositories(options?: Partial<StackOptions>): RepositoriesStack;
export function useRepositories<S extends TestStack>(
  options: Partial<StackOptions>,
  start: (options: Partial<StackOptions>) => Promise<S>,
): RepositoriesStack<S>;
export function useRepositories(
  options: Partial<StackOptions> = {},
  start: (options: Partial<StackOptions>) => Promise<TestStack> = startTestStack,
): RepositoriesStack {
  let stack: TestStack;
  let github: LocalGitHub;
  let storage: Storage;
  let sent = 0;
  let endHold = () => {};
  const cloud: RepositoriesStack = {
    get stack() {
      return stack;
    },
    get github() {
      return github;
    },
    async send(message, { dryRun = false, late = false, id = `sync-${++sent}` } = {}) {
      const published = new Date(Date.now() - 600_000).toISOString();
      const attributes = late ? { [attribute.publishedAt]: published } : {};
      await stack.send('sync-repo-metadata', message, { id, dryRun, attributes });
      return { ...(await stack.ended('sync-repo-metadata', id, dryRun)), id } as SyncEnded;
    },
    async done(message, options) {
      const record = await cloud.send(message, options);
      expect(record).toMatchObject({ state: 'succeeded' });
      return record;
    },
    async refused(message, code) {
      const record = await cloud.send(message);
      expect(record).toMatchObject({ state: 'failed', error: { code } });
      return record.error as RecordedError;
    },
    async upload(repository, files, more = {}) {
      const object = `repositories/${repository}.tar.gz`;
      const generation = await cloud.put(object, await tarball(files));
      const archive = { bucket: uploads, object, generation };
      return { repository, source: 'archive', archive, target: target('app'), ...more };
    },
    sync: async (repository, files, more) => cloud.done(await cloud.upload(repository, files, more)),
    async put(object, content) {
      const file = storage.bucket(uploads).file(object);
      await file.save(content, { resumable: false });
      return String(file.metadata.generation);
    },
    holdRead(object, nth, held = 'before') {
      const [met, free] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const { storage: server } = stack;
      if (server === undefined) throw new Error('the stack is not whole');
      const former = server.intercept;
      endHold = () => {
        server.intercept = former;
        free.resolve();
      };
      let reads = 0;
      server.intercept = ({ method, phase, request }) => {
        const isRead = method === 'objects.get' && phase === held && request['alt'] === 'media';
        if (!isRead || request['object'] !== object) return undefined;
        reads += 1;
        if (reads !== nth) return undefined;
        met.resolve();
        return free.promise;
      };
      return { met: met.promise, letGo: free.resolve };
    },
    query: (text) => stack.query('app', text),
    async everything(schema) {
      const [found] = await cloud.query(
        `SELECT (SELECT jsonb_agg(to_jsonb(d) || jsonb_build_object('xmin', d.xmin::text)
                          ORDER BY repository, collection, key) FROM ${schema}.documents d) AS documents,
                (SELECT jsonb_agg(to_jsonb(s) ORDER BY repository, number) FROM ${schema}.syncs s) AS syncs,
                (SELECT jsonb_agg(to_jsonb(r) ORDER BY repository) FROM ${schema}.repositories r) AS repositories,
                (SELECT jsonb_object_agg(relname, jsonb_build_array(oid::text, pg_get_viewdef(oid)))
                   FROM pg_class WHERE relnamespace = '${schema}'::regnamespace AND relkind = 'v') AS views`,
      );
      return found ?? {};
    },
    async registered(repository, schema) {
      const { instance, database } = target('app');
      const id = hash(instance, database, schema, repository).slice(0, 40);
      return readRepository(await stack.db.collection('repositories').doc(id).get());
    },
    async second(name) {
      const repository = github.createRepository(`acme/${name}`);
      const commits = ['1', '2', '3'].map((version) => repository.commit({ files: named(version) }).sha);
      const [one = '', two = '', three = ''] = commits;
      repository.branch('main', two);
      await cloud.done(githubMessage(`acme/${name}`));
      return { repository, one, two, three, schema: name };
    },
    async stateOf(schema) {
      const [found] = await cloud.query(
        `SELECT r.commit, r.number::int, (SELECT title FROM ${schema}.documents WHERE path = 'a.md') AS title
           FROM ${schema}.repositories r`,
      );
      return found;
    },
  };
  beforeAll(async () => {
    github = await startGitHub();
    stack = await start({
      only: repositoryFunctions,
      ...options,
      environment: { DROVER_GITHUB_API: github.base, ...options.environment },
    });
    storage = new Storage({
      projectId: localProject,
      apiEndpoint: stack.environment['STORAGE_EMULATOR_HOST'] ?? '',
      // An idle connection may be closed in the moment in which it is used again.
      retryOptions: { idempotencyStrategy: IdempotencyStrategy.RetryAlways },
    });
  });
  afterEach(() => {
    github.intercept = undefined;
    github.downloadFault = undefined;
    github.requestsPerHour = 5000;
    endHold();
  });
  afterAll(async () => {
    await stack?.stop();
    await github?.close();
  });
  return cloud;
}
