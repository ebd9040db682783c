import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bundle, startFile } from '../../bundle.ts';
import { createCloudSqlDataDirectory, templateVariable } from '../../local/postgres/cloudsql.ts';

/** Names the bundle that stacks run instead of the sources. */
export const bundleVariable = 'DROVER_TEST_BUNDLE';

/**
 * Made once for a run of all tests, which then takes less time: a data directory that clusters are copied from, and a
 * bundle of the functions, so that they run as they do in production.
 *
 * @returns what removes both
 */
export default async function prepare(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(path.join(tmpdir(), 'drover-test-bundle-'));
  const [directory] = await Promise.all([createCloudSqlDataDirectory(), bundle(folder)]);
  process.env[templateVariable] = directory.data;
  process.env[bundleVariable] = path.join(folder, startFile);
  return async () => {
    await rm(folder, { recursive: true, force: true });
    await rm(directory.home, { recursive: true, force: true });
  };
}
