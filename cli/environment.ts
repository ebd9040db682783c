import { existsSync } from 'node:fs';
import path from 'node:path';
import { config, readConfig } from '../shared/config.ts';
import { notice } from './output.ts';
import { UsageError } from './usage-error.ts';

/** Written by a running `npm start`. */
const localEnvironment = path.resolve(import.meta.dirname, '..', '.drover', 'local.env');

let local = false;

/**
 * Takes the settings of a running `npm start` where the environment names no project. What the environment does
 * name stays.
 */
export function loadLocalEnvironment(): void {
  if (process.env['GOOGLE_CLOUD_PROJECT'] || !existsSync(localEnvironment)) return;
  delete process.env['GOOGLE_CLOUD_PROJECT']; // an empty one would stay, too
  process.loadEnvFile(localEnvironment);
  local = true;
}

/** Whether the settings are those of an `npm start`. */
export function isLocal(): boolean {
  return local;
}

/**
 * Sees to it that the program's settings can be used.
 *
 * @throws UsageError that says what to do
 */
export function requireEnvironment(): void {
  loadLocalEnvironment();
  if (!process.env['GOOGLE_CLOUD_PROJECT']) {
    throw new UsageError(
      'No project: set GOOGLE_CLOUD_PROJECT, or run `npm start` in another terminal for a local cloud.',
      { seeHelp: false },
    );
  }
  try {
    readConfig(process.env);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { seeHelp: false });
  }
  const { PUBSUB_EMULATOR_HOST: pubsub, FIRESTORE_EMULATOR_HOST: firestore } = process.env;
  if (Boolean(pubsub) !== Boolean(firestore)) {
    const [there, missing] = pubsub
      ? ['PUBSUB_EMULATOR_HOST', 'FIRESTORE_EMULATOR_HOST']
      : ['FIRESTORE_EMULATOR_HOST', 'PUBSUB_EMULATOR_HOST'];
    notice(`${there} is set and ${missing} is not: one service is local, the other is Google’s`);
  }
  // There is no Google to ask who we are; looking for it takes time.
  if (pubsub && firestore) process.env['METADATA_SERVER_DETECTION'] ??= 'none';
}

/** The project that everything is in. */
export function project(): string {
  return config().GOOGLE_CLOUD_PROJECT;
}
