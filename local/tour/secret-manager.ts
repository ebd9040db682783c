import { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import { credentials } from '@grpc/grpc-js';
import type { Stack } from '../stack.ts';

/** Secret Manager as applications have it. */
export function secretManagerOf({ environment }: Pick<Stack, 'environment'>): SecretManagerServiceClient {
  const { hostname, port } = new URL(`http://${environment['SECRETMANAGER_EMULATOR_HOST']}`);
  return new SecretManagerServiceClient({
    apiEndpoint: hostname,
    port: Number(port),
    sslCreds: credentials.createInsecure(),
    clientOptions: { universeDomain: 'googleapis.com' },
  });
}
