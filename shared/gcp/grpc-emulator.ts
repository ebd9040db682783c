import type { ChannelCredentials } from '@grpc/grpc-js';

/** What a client of Google's gRPC services is made with to reach a local server. */
export interface EmulatorOptions {
  readonly apiEndpoint: string;
  readonly port: number;
  readonly sslCreds: ChannelCredentials;
  readonly clientOptions: { readonly universeDomain: string };
}

/**
 * How to reach a local server, where a variable names one. Some of Google's libraries have a variable of their own for
 * that, as those of Pub/Sub and Firestore; these are the others.
 *
 * @param variable holds `host:port`, such as SECRETMANAGER_EMULATOR_HOST
 * @returns nothing where it isn't set
 */
export async function emulatorOptions(variable: string): Promise<EmulatorOptions | undefined> {
  const emulator = process.env[variable];
  if (!emulator) return undefined;
  // By its default: bundled, a CommonJS library has no other export.
  const { default: grpc } = await import('@grpc/grpc-js');
  const { hostname, port } = new URL(`http://${emulator}`);
  return {
    apiEndpoint: hostname,
    port: Number(port),
    sslCreds: grpc.credentials.createInsecure(),
    // Where the credentials are told, only this still makes the client not look for Google's.
    clientOptions: { universeDomain: 'googleapis.com' },
  };
}
