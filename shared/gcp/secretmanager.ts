import { config } from '../config.ts';
import { emulatorOptions } from './grpc-emulator.ts';
import { onFirstUse } from './on-first-use.ts';

const client = onFirstUse(async () => {
  // By its default: bundled, a CommonJS library has no other export.
  const { default: library } = await import('@google-cloud/secret-manager');
  const opened = new library.SecretManagerServiceClient({
    projectId: config().GOOGLE_CLOUD_PROJECT,
    ...(await emulatorOptions('SECRETMANAGER_EMULATOR_HOST')),
  });
  await opened.initialize();
  return opened;
});

/** The Secret Manager client of this process, loaded on first use. */
export const secretManager = client.get;

/** Closes the client's connections, if there are any. */
export const closeSecretManager = client.close;
