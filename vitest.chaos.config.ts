import { defineConfig } from 'vitest/config';
import everyday from './vitest.config.ts';

/** Functions killed, frozen and cut off at every step: it takes minutes, so it isn't part of `npm test`. */
export default defineConfig({
  test: { ...everyday.test, include: ['test/chaos/**/*.test.ts'], exclude: ['node_modules/**'] },
});
