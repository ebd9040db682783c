import { afterAll, afterEach, beforeAll } from 'vitest';
import { type LocalGitHub, startGitHub } from '../../../local/github/index.ts';

export const start = new Date('2026-03-01T12:00:00Z');

/** One server for the tests of a file, and calls to it past any client. */
export interface Cloud {
  server: LocalGitHub;
  call(path: string, headers?: Record<string, string>): Promise<Response>;
  /** Of an answer in JSON. */
  json(path: string, headers?: Record<string, string>): Promise<Record<string, unknown>>;
}

export function useGitHub(): Cloud {
  const cloud = {
    call: (path, headers = {}) => fetch(`${cloud.server.base}${path}`, { headers, redirect: 'manual' }),
    json: async (path, headers) =>
      (await (await cloud.call(path, headers)).json()) as Record<string, unknown>,
  } as Cloud;
  beforeAll(async () => {
    cloud.server = await startGitHub({ now: () => start });
  });
  afterEach(() => {
    cloud.server.intercept = undefined;
    cloud.server.downloadFault = undefined;
    cloud.server.requestsPerHour = 5000;
    cloud.server.requests.length = 0;
  });
  afterAll(() => cloud.server.close());
  return cloud;
}
