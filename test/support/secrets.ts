import { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import { credentials } from '@grpc/grpc-js';
import pg from 'pg';
import { localProject } from '../../local/stack.ts';
import { hash } from '../../shared/operation/canonical.ts';
import type { SecretRecord } from '../../shared/registry/secrets/model.ts';
import { readSecretRecord } from '../../shared/registry/secrets/store.ts';
import { connected } from './postgres.ts';
import type { TestStack } from './stack.ts';

/** A credential as an application reads it. */
export interface TestCredential {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly username: string;
  readonly password: string;
  readonly [field: string]: unknown;
}

export interface TestVersion {
  readonly number: number;
  readonly state: string;
}

/** Secrets of a stack, as applications and people see them. */
export interface TestSecrets {
  readonly client: SecretManagerServiceClient;
  /** The value of a version, by number, alias or `latest`. */
  value(secret: string, version: string | number): Promise<string>;
  credential(secret: string, version: string | number): Promise<TestCredential>;
  /** The newest first. */
  versions(secret: string): Promise<TestVersion[]>;
  add(secret: string, value: string): Promise<number>;
  /** A secret that isn't Drover's. */
  create(secret: string, ...values: readonly string[]): Promise<void>;
  record(secret: string): Promise<SecretRecord | undefined>;
  /** Sets fields of the registry: time passes. */
  set(secret: string, fields: Record<string, unknown>): Promise<void>;
  close(): Promise<void>;
}

export function secretsOf(stack: Pick<TestStack, 'environment' | 'db'>): TestSecrets {
  const [host = '', port] = (stack.environment['SECRETMANAGER_EMULATOR_HOST'] ?? '').split(':');
  const client = new SecretManagerServiceClient({
    apiEndpoint: host,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
    clientOptions: { universeDomain: 'googleapis.com' },
  });
  const project = `projects/${localProject}`;
  const name = (secret: string) => `${project}/secrets/${secret}`;
  const value = async (secret: string, version: string | number) => {
    const request = { name: `${name(secret)}/versions/${version}` };
    const [{ payload }] = await client.accessSecretVersion(request, { retry: { retryCodes: [] } });
    return Buffer.from(payload?.data as Uint8Array).toString();
  };
  const add = async (secret: string, text: string) => {
    const [version] = await client.addSecretVersion({
      parent: name(secret),
      payload: { data: Buffer.from(text) },
    });
    return Number(version.name?.split('/').at(-1));
  };
  const document = (secret: string) => stack.db.collection('secrets').doc(hash(secret).slice(0, 40));
  return {
    client,
    value,
    add,
    credential: async (secret, version) => JSON.parse(await value(secret, version)) as TestCredential,
    async versions(secret) {
      const [versions] = await client.listSecretVersions({ parent: name(secret) });
      return versions.map((one) => ({
        number: Number(one.name?.split('/').at(-1)),
        state: String(one.state),
      }));
    },
    async create(secret, ...values) {
      await client.createSecret({
        parent: project,
        secretId: secret,
        secret: { replication: { automatic: {} } },
      });
      for (const text of values) await add(secret, text);
    },
    record: async (secret) => readSecretRecord(await document(secret).get()),
    async set(secret, fields) {
      await document(secret).update(fields);
    },
    close: () => client.close(),
  };
}

/** Whether a credential logs in. */
export async function logsIn(credential: TestCredential): Promise<boolean> {
  const { host, port, database, username: user, password } = credential;
  const client = new pg.Client({ host, port, database, user, password, ssl: false });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === '28P01') return false;
    throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Connects with a credential as an application does, runs `use` and closes. */
export function connectedAs<T>(
  credential: TestCredential,
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const { host, port, database, username, password } = credential;
  const login = [username, password].map(encodeURIComponent).join(':');
  return connected(`postgresql://${login}@${host}:${port}/${database}?application_name=billing-api`, use);
}
