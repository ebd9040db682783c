import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/chaos/**', 'test/compat/**', 'node_modules/**'],
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
