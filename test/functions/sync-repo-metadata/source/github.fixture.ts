import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import {
  createGitHub,
  type GitHub,
  type GitHubOptions,
} from '../../../../functions/sync-repo-metadata/source/github-api.ts';
import { type LocalGitHub, startGitHub } from '../../../../local/github/index.ts';
import type { LocalRepository, RepositoryOptions } from '../../../../local/github/repository.ts';

/** Where the server's time stands, and the client's. */
export const start = new Date('2026-03-01T12:00:00Z');

/** One server for the tests of a file; {@link Hub.newRepository} keeps them apart. */
export interface Hub {
  server: LocalGitHub;
  client(options?: Partial<GitHubOptions>): GitHub;
  newRepository(options?: RepositoryOptions): LocalRepository;
}

export function useGitHub(): Hub {
  let names = 0;
  const hub = {
    client: (options) =>
      createGitHub({
        base: hub.server.base,
        signal: new AbortController().signal,
        now: () => start,
        ...options,
      }),
    newRepository: (options) => {
      names += 1;
      return hub.server.createRepository(`acme/docs-${names}`, options);
    },
  } as Hub;
  beforeAll(async () => {
    hub.server = await startGitHub({ now: () => start });
  });
  afterEach(() => {
    hub.server.intercept = undefined;
    hub.server.downloadFault = undefined;
    hub.server.requestsPerHour = 5000;
    hub.server.requests.length = 0;
  });
  afterAll(() => hub.server.close());
  return hub;
}

export function refusal(code: string, retryable: boolean, message: string | RegExp = '') {
  return expect.objectContaining({
    code,
    retryable,
    message: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
  });
}
