import type { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import { config } from '../config.ts';

type ClientOptions = NonNullable<ConstructorParameters<typeof SecretManagerServiceClient>[0]>;

let opening: Promise<SecretManagerServiceClient> | undefined;

/** The Secret Manager client of this process, loaded on first use. */
export function secretManager(): Promise<SecretManagerServiceClient> {
  opening ??= open().catch((error: unknown) => {
    opening = undefined;
    throw error;
  });
  return opening;
}

async function open(): Promise<SecretManagerServiceClient> {
  // By its default: bundled, a CommonJS library has no other export.
  const { default: library } = await import('@google-cloud/secret-manager');
  const emulator = process.env['SECRETMANAGER_EMULATOR_HOST'];
  const client = new library.SecretManagerServiceClient({
    projectId: config().GOOGLE_CLOUD_PROJECT,
    ...(emulator && (await optionsFor(emulator))),
  });
  await client.initialize();
  return client;
}

/**
 * How to reach a local server. Google's libraries have no variable for it, as they have for Pub/Sub and Firestore.
 *
 * @param emulator `host:port`
 */
async function optionsFor(emulator: string): Promise<ClientOptions> {
  // By its default, too.
  const { default: grpc } = await import('@grpc/grpc-js');
  const { hostname, port } = new URL(`http://${emulator}`);
  return {
    apiEndpoint: hostname,
    port: Number(port),
    sslCreds: grpc.credentials.createInsecure(),
    // Where the credentials are told, only this still makes the client look for Google's.
    clientOptions: { universeDomain: 'googleapis.com' },
  };
}

/** Closes the client's connections, if there are any. */
export async function closeSecretManager(): Promise<void> {
  const open = opening;
  opening = undefined;
  await (await open)?.close();
}
