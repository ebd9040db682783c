import type { Message } from '../grpc/server.ts';
import { invalidArgument } from './errors.ts';
import { requireSupported } from './supported-fields.ts';

/** Where a secret's payloads are; it never changes. Nothing is copied here. */
export type Replication =
  | { readonly automatic: Record<string, never> }
  | { readonly userManaged: { readonly replicas: readonly { readonly location: string }[] } };

/**
 * Reads a google.cloud.secretmanager.v1.Replication.
 *
 * @throws INVALID_ARGUMENT where it is missing or names no places, UNIMPLEMENTED for customer-managed keys
 * @see https://cloud.google.com/secret-manager/docs/choosing-replication
 */
export function parseReplication(value: unknown): Replication {
  const { automatic, userManaged } = (value ?? {}) as { automatic?: Message; userManaged?: Message };
  if (automatic) {
    requireSupported(automatic, []);
    return { automatic: {} };
  }
  if (!userManaged) throw invalidArgument('Secret.replication must be provided.');
  const replicas = ((userManaged['replicas'] ?? []) as Message[]).map((replica) => {
    requireSupported(replica, ['location']);
    return { location: String(replica['location'] ?? '') };
  });
  const locations = new Set(replicas.map(({ location }) => location));
  if (replicas.length === 0 || locations.has('') || locations.size < replicas.length) {
    throw invalidArgument(
      'Secret.replication.user_managed.replicas must name at least one location, each once.',
    );
  }
  return { userManaged: { replicas } };
}
