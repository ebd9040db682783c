import { gzipSync } from 'node:zlib';
import { Storage } from '@google-cloud/storage';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type LocalGitHub, startGitHub } from '../../local/github/index.ts';
import { localProject, type StackOptions } from '../../local/stack.ts';
import { hash } from '../../shared/operation/canonical.ts';
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

/** A stack with a GitHub, and what the tests of a file do with repositories. */
export interface RepositoriesStack {
  readonly stack: TestStack;
  readonly github: LocalGitHub;
  /** Resolves with the record, once the message was dealt with. */
  send(message: object, options?: { readonly dryRun?: boolean; readonly id?: string }): Promise<SyncEnded>;
  /** The same of a message that succeeds. */
  done(message: object): Promise<SyncEnded>;
  /** The same of one that fails for good: its error. */
  refused(message: object, code: string): Promise<RecordedError>;
  /** Uploads a commit's files, and gives the message that syncs them. */
  upload(repository: string, files: Tree, more?: object): Promise<ArchiveMessage>;
  /** Uploads them and syncs them. */
  sync(repository: string, files: Tree, more?: object): Promise<SyncEnded>;
  /** @returns its generation */
  put(object: string, content: Buffer): Promise<string>;
  /** Holds one of the next readings of an object until it is let go, and no other. */
  holdRead(object: string, nth: number): { readonly met: Promise<void>; readonly letGo: () => void };
  query(text: string): Promise<Record<string, unknown>[]>;
  /** Everything that a sync writes to a schema, with the transaction that wrote each row. */
  everything(schema: string): Promise<Record<string, unknown>>;
  registered(repository: string, schema: string): Promise<RepositoryRecord | undefined>;
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
export const tarball = (files: Tree, commit = commitOf(files)) =>
  gzipSync(gitTar(listed(files), 'repository-1.0', commit));

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

export function useRepositories(options: Partial<StackOptions> = {}): RepositoriesStack {
  let stack: TestStack;
  let github: LocalGitHub;
  let storage: Storage;
  let sent = 0;
  const cloud: RepositoriesStack = {
    get stack() {
      return stack;
    },
    get github() {
      return github;
    },
    async send(message, { dryRun = false, id = `sync-${++sent}` } = {}) {
      await stack.send('sync-repo-metadata', message, { id, dryRun });
      return { ...(await stack.ended('sync-repo-metadata', id, dryRun)), id } as SyncEnded;
    },
    async done(message) {
      const record = await cloud.send(message);
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
      const generation = await cloud.put(object, tarball(files));
      const archive = { bucket: uploads, object, generation };
      return { repository, source: 'archive', archive, target: target('app'), ...more };
    },
    sync: async (repository, files, more) => cloud.done(await cloud.upload(repository, files, more)),
    async put(object, content) {
      const file = storage.bucket(uploads).file(object);
      await file.save(content, { resumable: false });
      return String(file.metadata.generation);
    },
    holdRead(object, nth) {
      const [met, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const { storage: server } = stack;
      if (server === undefined) throw new Error('the stack is not whole');
      let reads = 0;
      server.intercept = ({ method, phase, request }) => {
        const isRead = method === 'objects.get' && phase === 'before' && request['alt'] === 'media';
        if (!isRead || request['object'] !== object) return undefined;
        reads += 1;
        if (reads !== nth) return undefined;
        met.resolve();
        return held.promise;
      };
      return { met: met.promise, letGo: held.resolve };
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
  };
  beforeAll(async () => {
    github = await startGitHub();
    stack = await startTestStack({
      only: repositoryFunctions,
      ...options,
      environment: { DROVER_GITHUB_API: github.base, ...options.environment },
    });
    storage = new Storage({
      projectId: localProject,
      apiEndpoint: stack.environment['STORAGE_EMULATOR_HOST'] ?? '',
    });
  });
  afterEach(() => {
    github.intercept = undefined;
    github.downloadFault = undefined;
    if (stack.storage) stack.storage.intercept = undefined;
  });
  afterAll(async () => {
    await stack?.stop();
    await github?.close();
  });
  return cloud;
}
