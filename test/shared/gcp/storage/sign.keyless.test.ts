import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { credentialsAt } from '../../../../local/sqladmin/tokens.ts';
import { signReadUrl } from '../../../../shared/gcp/storage/sign.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'drover-keyless-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('who has no key, and is no service account that IAM could sign for, is told what to do', async () => {
  const file = path.join(folder, 'credentials.json');
  writeFileSync(file, credentialsAt('http://127.0.0.1:1', 'alice@acme.example'));
  process.env['GOOGLE_CLOUD_PROJECT'] = 'acme-dev';
  process.env['STORAGE_EMULATOR_HOST'] = 'http://127.0.0.1:1';
  process.env['GOOGLE_APPLICATION_CREDENTIALS'] = file;
  const { signal } = new AbortController();

  await expect(signReadUrl({ bucket: 'things', name: 'x' }, { signal, seconds: 60 })).rejects.toMatchObject({
    code: 'SIGNING_FAILED',
    retryable: true,
    message: expect.stringMatching(/gs:\/\/things\/x .*client_email.*roles\/iam\.serviceAccountTokenCreator/),
  });
});
