import { afterAll, afterEach, beforeAll } from 'vitest';
import { createSigner, type Signer } from '../../../../local/signer.ts';
import { type LocalStorage, startStorage } from '../../../../local/storage/index.ts';

export const bucket = 'things';
export const contentType = 'text/plain';

export interface TestStorage {
  server: LocalStorage;
  /** As whom this process signs. */
  signer: Signer;
}

/** A Cloud Storage that the adapter of this test file uses, with a key to sign with. */
export function useStorage(): TestStorage {
  const test = {} as TestStorage;
  beforeAll(async () => {
    const project = 'acme-dev';
    test.signer = await createSigner(project);
    const { email, publicKey, credentialsFile } = test.signer;
    test.server = await startStorage({ project, buckets: [bucket], signers: { [email]: publicKey } });
    process.env['STORAGE_EMULATOR_HOST'] = `http://${test.server.host}`;
    process.env['GOOGLE_CLOUD_PROJECT'] = project;
    process.env['GOOGLE_APPLICATION_CREDENTIALS'] = credentialsFile;
  });
  afterEach(() => {
    test.server.intercept = undefined;
  });
  afterAll(async () => {
    await test.server?.close();
    await test.signer?.close();
  });
  return test;
}

/** What a request by a URL is answered with. */
export async function get(url: string) {
  const answer = await fetch(url);
  const text = await answer.text();
  const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1];
  return { status: answer.status, text, code, headers: Object.fromEntries(answer.headers) };
}
