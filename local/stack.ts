import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { functionLogin, type Manifest, readManifests } from '../shared/manifest.ts';
import { type FunctionProcess, startFunction } from './functions.ts';
import { type GoogleServices, startGoogle, unless } from './google.ts';
import { findFreePort } from './ports.ts';
import { type CloudSqlCluster, createCloudSqlCluster, localPassword } from './postgres/cloudsql.ts';
import { startScheduler } from './scheduler.ts';
import { type SqlAdmin, startSqlAdmin } from './sqladmin/server.ts';
import { credentialsAt } from './sqladmin/tokens.ts';
import { wireTopics } from './topics.ts';

export const localProject = 'acme-dev';
export const localInstance = `${localProject}:europe-west1:main`;

export interface StackOptions {
  /** Fixed ports can be remembered; `auto` lets many stacks run side by side. */
  readonly ports: 'fixed' | 'auto';
  /** Databases to create. Drover is allowed to create in the open ones. */
  readonly databases: { readonly open: readonly string[]; readonly closed?: readonly string[] };
  /** Who may do what, as in DROVER_POLICY. */
  readonly policy: unknown;
  /** More variables for the functions. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Of redeliveries, shorter than the manifests say, for those who watch. */
  readonly minimumBackoffSeconds?: number;
  /** Where functions reach PostgreSQL, if not at the cluster itself: a proxy that can be held up. */
  readonly proxyFor?: (cluster: CloudSqlCluster) => Promise<number>;
  /** Start only these functions; all of them by default. */
  readonly only?: readonly string[];
  /** Publish to functions when their manifests' schedules say so. */
  readonly schedules?: boolean;
  /** A bundle to run instead of the sources. */
  readonly entry?: string;
  readonly onLog?: (functionName: string, line: string) => void;
  /** Told what PostgreSQL logs. */
  readonly onDatabaseLog?: (line: string) => void;
}

/** Everything that Drover needs of a cloud, on this machine. */
export interface Stack extends GoogleServices {
  readonly cluster: CloudSqlCluster;
  /** The Cloud SQL Admin API of the cluster. Undefined where SQLADMIN_EMULATOR_HOST named another one. */
  readonly sqladmin: SqlAdmin | undefined;
  readonly functions: ReadonlyMap<string, FunctionProcess>;
  /** What the command line and other clients need. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** There is no Google here to ask who we are; looking for it takes time and warns. */
const noMetadataServer = 'none';

const fixedPorts = {
  postgres: 54320,
  sqladmin: 8087,
  functions: 8100,
};

/** Starts the local cloud with all functions, wired as their manifests say. What was started is stopped on failure. */
export async function startStack(options: StackOptions): Promise<Stack> {
  process.env['METADATA_SERVER_DETECTION'] ??= noMetadataServer;
  const started: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const end of started.splice(0).reverse()) await end();
  };
  try {
    return { ...(await startAll(options, started)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startAll(
  options: StackOptions,
  started: (() => Promise<void>)[],
): Promise<Omit<Stack, 'stop'>> {
  const manifests = readManifests();
  const [cluster, google] = await Promise.all([
    createCloudSqlCluster({
      ...(options.ports === 'fixed' ? { port: fixedPorts.postgres } : {}),
      ...(options.onDatabaseLog ? { onLog: options.onDatabaseLog } : {}),
    }).then((created) => {
      started.push(() => created.remove());
      return created;
    }),
    startGoogle(localProject, options.ports, started),
  ]);
  await prepare(cluster, manifests, options.databases);
  const sqladmin = await unless(
    'SQLADMIN_EMULATOR_HOST',
    () =>
      startSqlAdmin({
        port: options.ports === 'fixed' ? fixedPorts.sqladmin : 0,
        instances: [
          { name: localInstance, superuserUrl: cluster.superuserUrl(), loginPassword: localPassword },
        ],
      }),
    started,
  );
  const environment = {
    GOOGLE_CLOUD_PROJECT: localProject,
    ...google.environment,
    SQLADMIN_EMULATOR_HOST: sqladmin?.host ?? process.env['SQLADMIN_EMULATOR_HOST'] ?? '',
    METADATA_SERVER_DETECTION: noMetadataServer,
    DROVER_INSTANCE: localInstance,
    DROVER_ADMIN_URL: cluster.adminUrl(),
    DROVER_SUPERUSER_URL: cluster.superuserUrl(),
    ...databaseSettings('postgres', cluster.port),
  };
  const adminApi = `http://${environment.SQLADMIN_EMULATOR_HOST}`;
  const credentials = createCredentials(adminApi);
  started.push(async () => credentials.remove());
  const databasePort = (await options.proxyFor?.(cluster)) ?? cluster.port;
  const functions = new Map<string, FunctionProcess>();
  await Promise.all(
    manifests.map(async ({ name, permissions, environment: own }, index) => {
      if (options.only?.includes(name) === false) return;
      const running = await startFunction({
        name,
        port: options.ports === 'fixed' ? fixedPorts.functions + index : await findFreePort(),
        environment: {
          ...own,
          ...environment,
          ...functionSettings(name, databasePort, options.policy, adminApi),
          ...(permissions.database && { GOOGLE_APPLICATION_CREDENTIALS: credentials.fileOf(name) }),
          ...options.environment,
        },
        entry: options.entry,
        onLog: (line) => options.onLog?.(name, line),
      });
      started.push(() => running.stop());
      functions.set(name, running);
    }),
  );
  const urls = new Map([...functions].map(([name, { url }]) => [name, url]));
  const { minimumBackoffSeconds } = options;
  const host = environment.PUBSUB_EMULATOR_HOST;
  const storage = { url: environment.STORAGE_EMULATOR_HOST, buckets: google.uploads };
  await wireTopics({ host, project: localProject, manifests, urls, storage, minimumBackoffSeconds });
  if (options.schedules) {
    const scheduler = startScheduler(
      manifests,
      (topic) => google.publisher.topic(topic).publishMessage({ data: Buffer.from('{}') }),
      (name, error) => options.onLog?.(name, String(error)),
    );
    started.push(async () => scheduler.stop());
  }
  return { ...google.services, cluster, sqladmin, functions, environment };
}

/** What a newcomer's own admin does once for an instance. */
async function prepare(
  cluster: CloudSqlCluster,
  manifests: readonly Manifest[],
  { open, closed = [] }: StackOptions['databases'],
): Promise<void> {
  const logins = manifests
    .filter(({ permissions }) => permissions.database === 'writer')
    .map(({ name }) => functionLogin(name, localProject));
  for (const login of logins) await cluster.createLogin(login, 'iam');
  for (const database of [...open, ...closed]) await cluster.createDatabase(database);
  await cluster.prepare(logins);
  for (const database of open) await cluster.allowCreating(database);
}

/** Files by which the functions' processes are their service accounts at the Admin API. */
function createCredentials(adminApi: string): { fileOf(functionName: string): string; remove(): void } {
  const folder = mkdtempSync(path.join(tmpdir(), 'drover-credentials-'));
  return {
    fileOf(functionName) {
      const file = path.join(folder, `${functionName}.json`);
      const principal = `${functionLogin(functionName, localProject)}.gserviceaccount.com`;
      writeFileSync(file, credentialsAt(adminApi, principal), { mode: 0o600 });
      return file;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/**
 * What a function's process is told, beside where the cloud is.
 *
 * @param adminApi root of the Cloud SQL Admin API that knows the cluster
 */
export function functionSettings(
  name: string,
  port: number,
  policy: unknown,
  adminApi?: string,
): Record<string, string> {
  return {
    ...databaseSettings(functionLogin(name, localProject), port, adminApi),
    DROVER_POLICY: JSON.stringify(policy),
    NODE_ENV: 'production',
  };
}

/** How a process reaches the databases, and as whom. */
function databaseSettings(user: string, port: number, adminApi?: string): Record<string, string> {
  return {
    DROVER_INSTANCES: JSON.stringify([
      {
        instances: `${localProject}:*:*`,
        connector: 'direct',
        host: '127.0.0.1',
        port,
        tls: 'off',
        user,
        password: { env: 'DROVER_LOCAL_PASSWORD' },
        adminApi,
      },
    ]),
    DROVER_LOCAL_PASSWORD: localPassword,
  };
}
