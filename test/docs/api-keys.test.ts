import { readFileSync } from 'node:fs';
import path from 'node:path';
import { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import { credentials } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { readApiKey } from '../../docs/examples/api-keys/node.ts';
import { startSecretManager } from '../../local/secretmanager/index.ts';
import { parseEnvelope } from '../../shared/api-keys/envelope.ts';
import { newApiKey } from '../../shared/api-keys/key.ts';
import { seal } from '../../shared/api-keys/seal.ts';
import { kmsClientOf, kmsKeyName, useKmsKey } from '../support/kms.ts';

const docs = path.resolve(import.meta.dirname, '..', '..', 'docs');
const page = readFileSync(path.join(docs, 'api-keys.md'), 'utf8');
const kms = useKmsKey();

test('the page shows the example as it is', () => {
  const source = readFileSync(path.join(docs, 'examples', 'api-keys', 'node.ts'), 'utf8');
  expect(page).toContain(`\`\`\`ts\n${source}\`\`\``);
});

test('the page shows a payload as Drover makes it', async () => {
  const [, shown = ''] = /```json\n(.*?)```/s.exec(page) ?? [];
  const made = JSON.parse(String(await seal('acme', newApiKey('acme')))) as object;
  expect(Object.keys(JSON.parse(shown) as object).toSorted()).toEqual(Object.keys(made).toSorted());
  const rows = [...page.matchAll(/^\| `(\w+)` /gm)].map(([, field]) => field);
  expect(rows).toEqual(expect.arrayContaining(Object.keys(made)));
});

test('the example reads the key of a tenant, and of no other', async () => {
  const server = await startSecretManager({ project: 'acme' });
  const secrets = new SecretManagerServiceClient({
    apiEndpoint: '127.0.0.1',
    port: Number(server.host.split(':')[1]),
    sslCreds: credentials.createInsecure(),
    projectId: 'acme',
  });
  const client = kmsClientOf(kms.server, 'acme');
  onTestFinished(async () => {
    await Promise.all([secrets.close(), client.close()]);
    await server.close();
  });
  const key = newApiKey('acme');
  const sealed = await seal('acme', key);
  const parent = 'projects/acme';
  const secret = { replication: { automatic: {} } };
  const [{ name }] = await secrets.createSecret({ parent, secretId: 'tenant-acme-api-key', secret });
  await secrets.addSecretVersion({ parent: name ?? '', payload: { data: sealed } });

  const source = { secrets, kms: client, version: `${name}/versions/latest`, kmsKey: kmsKeyName };
  expect(await readApiKey({ ...source, tenant: 'acme' })).toBe(key);
  await expect(readApiKey({ ...source, tenant: 'beta' })).rejects.toMatchObject({ code: 3 });
  const newer = JSON.stringify({ ...JSON.parse(String(sealed)), version: 2 });
  expect(parseEnvelope(Buffer.from(newer))).toBeUndefined();
  await secrets.addSecretVersion({ parent: name ?? '', payload: { data: Buffer.from(newer) } });
  await expect(readApiKey({ ...source, tenant: 'acme' })).rejects.toThrow(/format/);
});
