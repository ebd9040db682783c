import { defineConfig } from 'vitest/config';
import everyday, { long } from './vitest.config.ts';

/** What takes long: functions killed, frozen and cut off at every step, whole tenants, archives of everything. */
export default defineConfig({
  test: { ...everyday.test, include: long, exclude: ['node_modules/**'] },
});
