import type { Firestore } from '@google-cloud/firestore';
import { config } from '../config.ts';

let opening: Promise<Firestore> | undefined;

/**
 * The Firestore client of this process, loaded on first use: it is by far the largest thing a function loads.
 *
 * `FIRESTORE_EMULATOR_HOST` is honoured by the client itself.
 */
export function firestore(): Promise<Firestore> {
  opening ??= import('@google-cloud/firestore').then(
    // By its default: bundled, a CommonJS library has no other export.
    ({ default: library }) =>
      new library.Firestore({
        projectId: config().GOOGLE_CLOUD_PROJECT,
        databaseId: config().DROVER_FIRESTORE_DATABASE,
        ignoreUndefinedProperties: true,
      }),
  );
  return opening;
}

/** Closes the client's connections, if there are any. */
export async function closeFirestore(): Promise<void> {
  const open = opening;
  opening = undefined;
  await (await open)?.terminate();
}
