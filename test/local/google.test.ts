import { Storage } from '@google-cloud/storage';
import { afterAll, expect, test } from 'vitest';
import { startGoogle } from '../../local/google.ts';

const started: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const end of started.reverse()) await end();
});

test('there is a key to sign URLs with', async () => {
  const { environment, uploads } = await startGoogle('acme-dev', 'auto', started);
  process.env['GOOGLE_APPLICATION_CREDENTIALS'] = environment['DROVER_LOCAL_SIGNING_KEY'];
  const client = new Storage({ apiEndpoint: environment.STORAGE_EMULATOR_HOST });
  const expires = Date.now() + 60_000;
  const [url] = await client
    .bucket(String(uploads[0]))
    .file('x')
    .getSignedUrl({ version: 'v4', action: 'read', expires });

  const answer = await fetch(url);

  expect(await answer.text()).toMatch(/NoSuchKey/);
});
