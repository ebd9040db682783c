import { defineConfig } from 'vitest/config';

/**
 * Together they take longer than all others: a suite of its own, `npm run test:long`. Of what is tested end to end the first
 * file of each function is not among them.
 */
export const long = [
  'test/chaos/**/*.test.ts',
  'test/cli/{dead-letters,operations,send}.test.ts',
  'test/bench/floor.test.ts',
  'test/e2e/{bootstrap-tenant,custom-roles,drift,expiry,offboard,principals,remove-tenant,secret-schedules}.test.ts',
  'test/e2e/*.*.test.ts',
  'test/functions/bootstrap-tenant/saga.crash.test.ts',
  'test/functions/ingest-object/media/{crash,owner}.test.ts',
  'test/functions/bootstrap-tenant/system.recreate.test.ts',
  'test/functions/sync-repo-metadata/tables/staging.test.ts',
  'test/functions/rotate-secret/tenant-keys.test.ts',
  'test/shared/archive/**/*.test.ts',
];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...long, 'test/compat/**', 'node_modules/**'],
    // Real servers and processes: generous limits, so that a slow machine is not a failing one.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // More than the two cores of a small machine: many tests wait for a deadline most of their time.
    maxWorkers: 3,
    // Takes some seconds, which a run of one file would not get back.
    globalSetup: process.env['CI'] ? ['test/support/prepared.ts'] : [],
    allowOnly: false,
  },
});
