import { KeyManagementServiceClient } from '@google-cloud/kms';
import { credentials } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { type LocalKms, startKms } from '../../local/kms/index.ts';
import { config } from '../../shared/config.ts';
import { closeKms } from '../../shared/gcp/kms.ts';

export const kmsKeyName = 'projects/acme/locations/europe-west1/keyRings/drover/cryptoKeys/api-keys';

/** A Cloud KMS for the product's own client, with the key that is configured. */
export interface TestKms {
  server: LocalKms;
  /** Has another key be configured, until the test ends. */
  configure(key: string): void;
}

/** The official client for a local server. */
export function kmsClientOf({ host }: Pick<LocalKms, 'host'>, projectId: string): KeyManagementServiceClient {
  // Without this the client looks for a metadata server first.
  process.env['METADATA_SERVER_DETECTION'] = 'none';
  return new KeyManagementServiceClient({
    apiEndpoint: '127.0.0.1',
    port: Number(host.split(':')[1]),
    sslCreds: credentials.createInsecure(),
    projectId,
  });
}

export function useKmsKey(): TestKms {
  const kms = {
    configure: (key: string) => Object.assign(config(), { DROVER_KMS_KEY: key }),
  } as unknown as TestKms;
  beforeAll(async () => {
    kms.server = await startKms({ project: 'acme' });
    Object.assign(process.env, {
      GOOGLE_CLOUD_PROJECT: 'acme',
      METADATA_SERVER_DETECTION: 'none',
      KMS_EMULATOR_HOST: kms.server.host,
      DROVER_KMS_KEY: kms.server.createKey(kmsKeyName),
    });
  });
  afterEach(() => {
    kms.server.intercept = undefined;
    kms.configure(kmsKeyName);
  });
  afterAll(async () => {
    await closeKms();
    await kms.server.close();
  });
  return kms;
}
