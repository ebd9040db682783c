import { defineConfig } from 'vitest/config';

/** The other major versions of PostgreSQL, which `npm run test:compat` installs first. */
export default defineConfig({
  test: {
    include: ['test/compat/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    allowOnly: false,
  },
});
