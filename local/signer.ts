import { generateKeyPair } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

/** A service account with a key of its own, which Cloud Run's have no need of: there IAM signs. */
export interface Signer {
  readonly email: string;
  /** In PEM. */
  readonly publicKey: string;
  /** What GOOGLE_APPLICATION_CREDENTIALS names, for Google's libraries to sign URLs as this account. */
  readonly credentialsFile: string;
  close(): Promise<void>;
}

/** Makes a key pair, and a file of the form in which Google hands keys out. */
export async function createSigner(project: string): Promise<Signer> {
  const email = `signer@${project}.iam.gserviceaccount.com`;
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const folder = await mkdtemp(path.join(tmpdir(), 'drover-signer-'));
  const credentialsFile = path.join(folder, 'key.json');
  const key = { type: 'service_account', project_id: project, client_email: email, private_key: privateKey };
  await writeFile(credentialsFile, JSON.stringify(key), { mode: 0o600 });
  return { email, publicKey, credentialsFile, close: () => rm(folder, { recursive: true, force: true }) };
}
