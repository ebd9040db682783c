import type { KeyManagementServiceClient } from '@google-cloud/kms';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type LocalKms, startKms } from '../../../local/kms/index.ts';
import { kmsClientOf } from '../../support/kms.ts';

export const project = 'test-project';
export const location = `projects/${project}/locations/europe-west1`;

/** One server and the official client for it. */
export interface Cloud {
  server: LocalKms;
  client: KeyManagementServiceClient;
}

/** One server for the tests of a file; {@link newKey} keeps them apart. */
export function useKms(): Cloud {
  const cloud = {} as Cloud;
  beforeAll(async () => {
    cloud.server = await startKms({ project });
    cloud.client = kmsClientOf(cloud.server, project);
  });
  afterEach(() => {
    cloud.server.intercept = undefined;
  });
  afterAll(async () => {
    await cloud.client.close();
    await cloud.server.close();
  });
  return cloud;
}

let ids = 0;

/** An id that no other test of the file uses. */
export function newId(): string {
  ids += 1;
  return `thing-${ids}`;
}

/** A key of its own key ring, with one version. @returns its name */
export function newKey({ server }: Cloud): string {
  return server.createKey(`${location}/keyRings/${newId()}/cryptoKeys/api-keys`);
}

/** The wrapper that requests have around a checksum. */
export const checksum = (value: number) => ({ value });

export const invalid = (details: string | RegExp) => refusal(3, details);
export const missing = (details: string | RegExp) => refusal(5, details);
export const precondition = (details: string | RegExp) => refusal(9, details);
export const unsupported = (details: string | RegExp) => refusal(12, details);

export function refusal(code: number, details: string | RegExp) {
  return { code, details: typeof details === 'string' ? details : expect.stringMatching(details) };
}
