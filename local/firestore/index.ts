import { type LocalFirestore, serveFirestore } from './serve.ts';

export type { LocalFirestore } from './serve.ts';

/**
 * Starts an empty Firestore in memory, on loopback, for the official client with FIRESTORE_EMULATOR_HOST.
 *
 * What it serves and what it refuses: `docs/local-cloud/firestore.md`.
 *
 * @param options.port 0 or none takes any free one
 */
export async function startFirestore(options: { port?: number } = {}): Promise<LocalFirestore> {
  return serveFirestore(options);
}
