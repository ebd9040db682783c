import { PubSub } from '@google-cloud/pubsub';
import { type LocalBigQuery, startBigQuery } from './bigquery/index.ts';
import { type LocalFirestore, startFirestore } from './firestore/index.ts';
import { type LocalKms, startKms } from './kms/index.ts';
import { type LocalPubSub, startPubSub } from './pubsub/index.ts';
import { type LocalSecretManager, startSecretManager } from './secretmanager/index.ts';
import { createSigner } from './signer.ts';
import { type LocalStorage, startStorage } from './storage/index.ts';

/** Google's services on this machine. Undefined is one for which a variable named another server. */
export interface GoogleServices {
  readonly pubsub: LocalPubSub | undefined;
  readonly firestore: LocalFirestore | undefined;
  readonly secretmanager: LocalSecretManager | undefined;
  readonly storage: LocalStorage | undefined;
  readonly bigquery: LocalBigQuery | undefined;
  readonly kms: LocalKms | undefined;
}

export interface StartedGoogle {
  readonly services: GoogleServices;
  /** Publishes to the Pub/Sub that there is. */
  readonly publisher: PubSub;
  /** Where they are, and what there is in them, for whoever uses them. */
  readonly environment: Readonly<Record<string, string>> & {
    readonly PUBSUB_EMULATOR_HOST: string;
    readonly STORAGE_EMULATOR_HOST: string;
  };
  /** Buckets that others upload to. */
  readonly uploads: readonly string[];
}

const fixedPorts = {
  pubsub: 8085,
  firestore: 8086,
  secretmanager: 8088,
  storage: 8089,
  bigquery: 8090,
  kms: 8091,
};

/**
 * Starts those of the services for which no variable names a server that is there already.
 *
 * @param started where what ends them is put, also when not all of them could be started
 */
export async function startGoogle(
  project: string,
  ports: 'fixed' | 'auto',
  started: (() => Promise<void>)[],
): Promise<StartedGoogle> {
  const port = (name: keyof typeof fixedPorts) => (ports === 'fixed' ? fixedPorts[name] : 0);
  const buckets = {
    tenants: `${project}-tenants`,
    archive: `${project}-archive`,
    uploads: `${project}-uploads`,
  };
  const [signer, pubsub, firestore] = await Promise.all([
    unless('STORAGE_EMULATOR_HOST', () => createSigner(project), started),
    unless(
      'PUBSUB_EMULATOR_HOST',
      () => startPubSub({ port: port('pubsub'), maxOutstandingPushes: 16 }),
      started,
    ),
    unless('FIRESTORE_EMULATOR_HOST', () => startFirestore({ port: port('firestore') }), started),
  ]);
  const pubsubHost = hostOf('PUBSUB_EMULATOR_HOST', pubsub);
  const publisher = new PubSub({ projectId: project, apiEndpoint: pubsubHost, emulatorMode: true });
  started.push(() => publisher.close());
  const publish = (topic: string, data: Buffer, attributes: Readonly<Record<string, string>>) =>
    publisher.topic(topic).publishMessage({ data, attributes });
  const [secretmanager, storage, kms] = await Promise.all([
    unless(
      'SECRETMANAGER_EMULATOR_HOST',
      () => startSecretManager({ port: port('secretmanager'), project, publish }),
      started,
    ),
    unless(
      'STORAGE_EMULATOR_HOST',
      () =>
        startStorage({
          port: port('storage'),
          project,
          buckets: Object.values(buckets),
          signers: signer ? { [signer.email]: signer.publicKey } : {},
          publish,
        }),
      started,
    ),
    unless('KMS_EMULATOR_HOST', () => startKms({ port: port('kms'), project }), started),
  ]);
  const storageHost = hostOf('STORAGE_EMULATOR_HOST', storage).replace(/^http:\/\//, '');
  const bigquery = await unless(
    'BIGQUERY_EMULATOR_HOST',
    () => startBigQuery({ port: port('bigquery'), project, storageHost }),
    started,
  );
  const key = `projects/${project}/locations/europe/keyRings/drover/cryptoKeys/api-keys`;
  kms?.createKey(key);
  return {
    services: { pubsub, firestore, secretmanager, storage, bigquery, kms },
    publisher,
    uploads: [buckets.uploads, buckets.tenants],
    environment: {
      PUBSUB_EMULATOR_HOST: pubsubHost,
      FIRESTORE_EMULATOR_HOST: hostOf('FIRESTORE_EMULATOR_HOST', firestore),
      SECRETMANAGER_EMULATOR_HOST: hostOf('SECRETMANAGER_EMULATOR_HOST', secretmanager),
      // The clients of these two want a URL.
      STORAGE_EMULATOR_HOST: `http://${storageHost}`,
      BIGQUERY_EMULATOR_HOST: bigquery
        ? `http://${bigquery.host}`
        : hostOf('BIGQUERY_EMULATOR_HOST', bigquery),
      KMS_EMULATOR_HOST: hostOf('KMS_EMULATOR_HOST', kms),
      // GOOGLE_APPLICATION_CREDENTIALS of who signs URLs.
      DROVER_LOCAL_SIGNING_KEY: signer?.credentialsFile ?? process.env['DROVER_LOCAL_SIGNING_KEY'] ?? '',
      DROVER_TENANTS_BUCKET: buckets.tenants,
      DROVER_ARCHIVE_BUCKET: buckets.archive,
      DROVER_KMS_KEY: key,
    },
  };
}

function hostOf(variable: string, server: { readonly host: string } | undefined): string {
  return server?.host ?? process.env[variable] ?? '';
}

/** Starts a server, unless the variable names one. */
export async function unless<T extends { close(): Promise<void> }>(
  variable: string,
  start: () => Promise<T>,
  started: (() => Promise<void>)[],
): Promise<T | undefined> {
  if (process.env[variable]) return undefined;
  const server = await start();
  started.push(() => server.close());
  return server;
}
