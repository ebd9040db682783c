import path from 'node:path';
import { type PreparedCluster, startPrepared } from '../support/postgres.ts';

/** Majors of PostgreSQL that are installed for these tests alone, beside the one that everything runs on. */
export const otherMajors = [15, 16] as const;

export function startMajor(major: (typeof otherMajors)[number]): Promise<PreparedCluster> {
  return startPrepared({
    binariesFrom: path.resolve(import.meta.dirname),
    binariesPackage: `postgres-${major}`,
  });
}
