import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest';
import {
  openSecretPool,
  type SecretPool,
  type SecretPoolOptions,
} from '../../docs/examples/reading-secrets/node.ts';
import { type CloudSqlCluster, createCloudSqlCluster } from '../../local/postgres/cloudsql.ts';
import { scramVerifier } from '../../shared/postgres/scram.ts';
import { newSecret, newVersion, useSecretManager } from '../local/secretmanager/fixture.ts';

/** One server of each kind, and for each test a secret with two logins of which A is current. */
export const cloud = useSecretManager();
let cluster: CloudSqlCluster;
let observer: pg.Client;
export let secret: string;
/** What the pools of this test told of their background. */
export let errors: Error[];
let opened: SecretPool[];
let reads: string[];

export type Login = 'billing_a' | 'billing_b';

export function useRotatedSecret(): void {
  beforeAll(async () => {
    cluster = await createCloudSqlCluster();
    observer = new pg.Client(cluster.superuserUrl());
    await observer.connect();
    await observer.query('CREATE ROLE billing_a LOGIN; CREATE ROLE billing_b LOGIN');
  });

  beforeEach(async () => {
    errors = [];
    opened = [];
    reads = [];
    cloud.server.intercept = ({ method, phase }) => {
      if (phase === 'before') reads.push(method);
    };
    secret = (await newSecret(cloud)).name;
    await publish('billing_a', await setPassword('billing_a'));
  });

  afterEach(async () => {
    await Promise.all(opened.map((pool) => pool.close()));
    await observer.query('ALTER ROLE billing_a LOGIN');
  });

  afterAll(async () => {
    await observer.end();
    await cluster.remove();
  });
}

/** A pool by the example, which the test doesn't have to close. */
export async function open(options: Partial<SecretPoolOptions> = {}): Promise<SecretPool> {
  const pool = await openSecretPool({
    secrets: cloud.client,
    version: `${secret}/versions/current`,
    refreshMs: 3_600_000,
    onError: (error) => errors.push(error),
    ...options,
  });
  const close = once(pool.close);
  const kept = { ...pool, close };
  opened.push(kept);
  return kept;
}

function once(close: () => Promise<void>): () => Promise<void> {
  let closing: Promise<void> | undefined;
  return () => {
    closing ??= close();
    return closing;
  };
}

/** Gives a login another password. @returns it */
export async function setPassword(login: Login): Promise<string> {
  const password = randomBytes(18).toString('base64url');
  await observer.query(
    `ALTER ROLE ${login} PASSWORD ${pg.escapeLiteral(await scramVerifier(password, randomBytes(16)))}`,
  );
  return password;
}

/** Adds a version and moves `current` to it. @returns its number */
export async function publish(login: Login, password: string): Promise<number> {
  const value = {
    engine: 'postgres',
    instance: 'acme-dev:europe-west1:main',
    host: '127.0.0.1',
    port: cluster.port,
    database: 'postgres',
    username: login,
    password,
  };
  return publishText(JSON.stringify(value));
}

export async function publishText(text: string): Promise<number> {
  const number = Number((await newVersion(cloud, secret, text)).name.split('/').pop());
  await cloud.client.updateSecret({
    secret: { name: secret, versionAliases: { current: number, previous: Math.max(1, number - 1) } },
    updateMask: { paths: ['version_aliases'] },
  });
  return number;
}

/** The two-user strategy: the idle login gets another password, and is published. */
export async function rotateTo(login: Login): Promise<number> {
  return publish(login, await setPassword(login));
}

export const readCount = () => reads.filter((method) => method === 'AccessSecretVersion').length;

/** Makes the next reads meet this; undefined ends it. */
export function onRead(meet: ((count: number) => void | Promise<void>) | undefined): void {
  let count = 0;
  cloud.server.intercept = async ({ method, phase }) => {
    if (phase !== 'before') return;
    reads.push(method);
    if (method !== 'AccessSecretVersion') return;
    count += 1;
    await meet?.(count);
  };
}

export async function loginOf(client: Pick<SecretPool, 'query'>): Promise<unknown> {
  return (await client.query<{ name: string }>('SELECT current_user AS name')).rows[0]?.name;
}

/** How many sessions a login has. */
export async function sessions(login: Login): Promise<number> {
  const { rows } = await observer.query('SELECT count(*)::int FROM pg_stat_activity WHERE usename = $1', [
    login,
  ]);
  return rows[0].count;
}

export async function sessionsGone(login: Login): Promise<void> {
  await vi.waitFor(async () => expect(await sessions(login)).toBe(0), { timeout: 10_000, interval: 10 });
}

export async function asAdmin(sql: string): Promise<void> {
  await observer.query(sql);
}
