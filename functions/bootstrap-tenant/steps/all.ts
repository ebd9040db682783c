import type { Step } from '../saga/step.ts';
import { apiKey } from './api-key.ts';
import { database } from './database.ts';
import { dataset } from './dataset.ts';
import { login } from './login.ts';
import { quota } from './quota.ts';
import { restore, restoreAnalytics, restoreObjects } from './restore.ts';
import { schema } from './schema.ts';
import { storage } from './storage.ts';

/** All that a tenant may have, in the order in which it is told; what doesn't need each other is made together. */
export const tenantSteps: readonly Step[] = [
  database,
  schema,
  restore,
  login,
  dataset,
  restoreAnalytics,
  storage,
  restoreObjects,
  apiKey,
  quota,
];
