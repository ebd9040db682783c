import * as z from 'zod';
import { instanceName } from '../../shared/postgres/target.ts';

/**
 * Without an instance: finds what is due, and publishes one message for each instance that has something. With one: does
 * it.
 */
export const reconcileMessage = z.strictObject({
  instance: instanceName.optional(),
  /** Compare every database with the registry now, not only those whose turn it is. */
  all: z.boolean().default(false),
});

export type ReconcileMessage = z.infer<typeof reconcileMessage>;
