import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, vi } from 'vitest';
import { type Cluster, createCluster } from '../../../local/postgres/cluster.ts';
import type { ConnectionSettings } from '../../../shared/config.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { createPools, type Pools, type PoolsConfig } from '../../../shared/postgres/pools.ts';
import type { Target } from '../../../shared/postgres/target.ts';
import { type Relay, startRelay } from './relay.ts';

export const password = 'correct horse';
export const databases = ['alpha', 'beta', 'gamma'] as const;
type Database = (typeof databases)[number];

export let cluster: Cluster;
export let observer: pg.Client;
/** A directory for files of a test's own. */
export let home: string;
const open: Pools[] = [];
const relays: Relay[] = [];

/** A server for the tests of a file, with three databases and a login for them. */
export function useCluster(): void {
  beforeAll(async () => {
    cluster = await createCluster({ superuser: 'postgres', password });
    await observe();
    await observer.query(`CREATE ROLE drover LOGIN PASSWORD '${password}'`);
    for (const database of databases) await observer.query(`CREATE DATABASE ${database} OWNER drover`);
    home = mkdtempSync(path.join(tmpdir(), 'drover-pools-test-'));
    vi.stubEnv('POOLS_TEST_PASSWORD', password);
  });

  afterEach(async () => {
    vi.useRealTimers();
    await Promise.all(open.splice(0).map((pools) => pools.close(0)));
    await Promise.all(relays.splice(0).map((relay) => relay.close()));
  });

  afterAll(async () => {
    await observer.end();
    await cluster.remove();
    rmSync(home, { recursive: true });
  });
}

/** Connects the observer, which has to be done again after the server was stopped. */
export async function observe(): Promise<void> {
  observer = new pg.Client(cluster.url('postgres', password));
  await observer.connect();
}

export function entry(
  overrides: Partial<Extract<ConnectionSettings, { connector: 'direct' }>> = {},
): ConnectionSettings {
  return {
    instances: 'project:europe-west1:*',
    connector: 'direct',
    host: '127.0.0.1',
    port: cluster.port,
    user: 'drover',
    password: { env: 'POOLS_TEST_PASSWORD' },
    tls: 'off',
    ...overrides,
  };
}

let functions = 0;

export function poolsWith(overrides: Partial<PoolsConfig> = {}): Pools & { application: string } {
  functions += 1;
  const config: PoolsConfig = {
    DROVER_INSTANCES: [entry()],
    DROVER_CONNECTIONS_PER_DATABASE: 8,
    DROVER_CONNECTIONS_PER_INSTANCE: 20,
    DROVER_CONNECTIONS_PER_PROCESS: 60,
    DROVER_CONNECTION_WAIT_SECONDS: 30,
    FUNCTION_TARGET: `test-${functions}`,
    DROVER_LEASE_SECONDS: 60,
    ...overrides,
  };
  const pools = createPools(config);
  open.push(pools);
  return Object.assign(pools, { application: `drover/${config.FUNCTION_TARGET}` });
}

export async function relayed(): Promise<Relay> {
  const relay = await startRelay(cluster.port);
  relays.push(relay);
  return relay;
}

export const at = (database: Database, instance = 'one'): Target => ({
  instance: `project:europe-west1:${instance}`,
  database,
});
export const patient = () => ({ signal: new AbortController().signal });

export async function value(client: pg.ClientBase, sql: string): Promise<unknown> {
  const { rows } = await client.query({ text: sql, rowMode: 'array' });
  return rows[0]?.[0];
}

/** The server's process id: tells connections apart. */
export const pid = (pools: Pools, target: Target) =>
  pools.withConnection(target, patient(), (client) => value(client, 'SELECT pg_backend_pid()'));

/** A borrower that keeps its connection until it is told to give it back. */
export function borrow(pools: Pools, target: Target, signal = patient().signal) {
  const begun = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  const done = pools.withConnection(target, { signal }, async (client) => {
    begun.resolve();
    await end.promise;
    return value(client, 'SELECT pg_backend_pid()');
  });
  done.catch(begun.reject);
  begun.promise.catch(() => undefined);
  return { begun: begun.promise, giveBack: () => end.resolve(), done };
}

export async function thrownBy(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('nothing was thrown'),
    (error: unknown) => error,
  );
}

export async function operationErrorOf(promise: Promise<unknown>): Promise<OperationError> {
  const error = await thrownBy(promise);
  if (error instanceof OperationError) return error;
  throw error;
}
