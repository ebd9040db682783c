import { randomBytes } from 'node:crypto';
import type { BigQuery } from '@google-cloud/bigquery';
import type { KeyManagementServiceClient } from '@google-cloud/kms';
import type { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import type { Storage } from '@google-cloud/storage';
import pg from 'pg';
import {
  additionalData,
  dataKeyBytes,
  encryptKey,
  formatEnvelope,
} from '../../../shared/api-keys/envelope.ts';
import { newPassword } from '../../../shared/postgres/logins/password.ts';
import { scramVerifier } from '../../../shared/postgres/scram.ts';
import { type Equipment, publishResult, WarmConnections } from './operation.ts';
import type { Playback } from './playback.ts';
import type { FloorTenant } from './process.ts';
import type { RecordedLoan } from './recording.ts';

export interface BootstrapEquipment extends Omit<Equipment, 'documents' | 'result'> {
  readonly secrets: SecretManagerServiceClient;
  readonly bigquery: BigQuery;
  readonly kms: KeyManagementServiceClient;
  readonly storage: Storage;
  /** How a database is reached; it is the login of the product, unless another is said. */
  readonly login: pg.ClientConfig;
  /** To databases that are there before the tenant is, by their names: others are connected to when they are needed. */
  readonly warm: ReadonlyMap<string, WarmConnections>;
}

/** A tenant that is being made. */
interface Making {
  readonly equipment: BootstrapEquipment;
  readonly tenant: FloorTenant;
  readonly play: Playback;
  /** Connections to the tenant's own database. */
  readonly own: Map<string, WarmConnections>;
}

/**
 * The calls of one bootstrap and nothing else: what the product asks of all services, step by step, where steps that don't
 * need each other run together. What is sent was recorded of another tenant's bootstrap by the product.
 */
export async function performBootstrap(
  equipment: BootstrapEquipment,
  id: string,
  tenant: FloorTenant,
  play: Playback,
): Promise<void> {
  const making: Making = { equipment, tenant, play, own: new Map() };
  await play.create('operations');
  await play.transact('tenants');
  await Promise.all([inDatabase, dataset, storage, apiKey, quota].map((make) => make(making)));
  await play.transact('steps/announce', { reads: [] });
  await play.transact('operations', { reads: ['schemas'] });
  const result = { text: tenant.result, exampleId: id, function: 'bootstrap-tenant' };
  await publishResult({ ...equipment, result }, id);
  await play.transact('operations', { reads: [] });
  play.end();
  for (const connections of making.own.values()) void connections.take().then((client) => client.end());
}

/** Looks, writes down that it begins, does it, and writes down that it is done. */
async function step(
  { play }: Making,
  name: string,
  parts: { look: () => Promise<unknown>; make: () => Promise<unknown>; settles?: readonly string[] },
): Promise<void> {
  await parts.look();
  await play.transact(`steps/${name}`);
  await parts.make();
  await play.transact(`steps/${name}`, { reads: parts.settles ?? [] });
}

/** What needs one another: the database, the schema in it, and who may log in. */
async function inDatabase(making: Making): Promise<void> {
  const { play } = making;
  if (play.writes('steps/database')) {
    await step(making, 'database', {
      look: () => query(making),
      async make() {
        await query(making);
        await query(making);
      },
    });
  }
  await step(making, 'schema', {
    look: () => query(making),
    async make() {
      if (play.writes('databases')) await play.create('databases');
      await play.transact('schemas');
      await query(making);
    },
    settles: ['schemas'],
  });
  await step(making, 'login', { look: () => findSecret(making, credential), make: () => makeLogins(making) });
}

/** What the ids of a tenant's secrets end with. */
const credential = '-database';
const key = '-api-key';

async function makeLogins(making: Making): Promise<void> {
  const { play } = making;
  await findSecret(making, credential);
  await play.transact('secrets', { about: credential });
  await query(making);
  await play.transact('grants');
  await query(making);
  await play.transact('grants');
  const etag = await createSecret(making, credential);
  const password = newPassword();
  await query(making, password);
  await query(making, password);
  await addVersion(making, credential, (recorded) =>
    Buffer.from(JSON.stringify({ ...JSON.parse(recorded), password })),
  );
  await moveAliases(making, credential, etag);
}

/** The key is accepted before `current` leads to it. */
function apiKey(making: Making): Promise<void> {
  const { play, tenant, equipment } = making;
  return step(making, 'api-key', {
    look: () => findSecret(making, key),
    async make() {
      await findSecret(making, key);
      await play.transact('secrets', { about: key });
      const etag = await createSecret(making, key);
      const plain = randomBytes(dataKeyBytes);
      const { name: kmsKey } = play.take<{ name: string }>('KMS Encrypt');
      const [{ ciphertext }] = await equipment.kms.encrypt({
        name: kmsKey,
        plaintext: plain,
        additionalAuthenticatedData: additionalData(tenant.tenant),
      });
      const dataKey = Buffer.from(ciphertext as Uint8Array);
      const sealed = encryptKey(tenant.apiKey, plain, tenant.tenant);
      await addVersion(making, key, () =>
        formatEnvelope({ tenant: tenant.tenant, kmsKey, dataKey, ...sealed }),
      );
      await play.transact('apiKeys');
      await moveAliases(making, key, etag);
      if (play.has(runQuery, key)) await findKeys(making);
    },
  });
}

const runQuery = 'Firestore RunQuery';

/** The keys of the tenant's secret that are accepted. */
async function findKeys({ equipment: { db }, play, tenant }: Making): Promise<void> {
  play.take(runQuery, key);
  const keys = db.collection('apiKeys').where('secret', '==', `tenant-${tenant.tenant}${key}`);
  await keys.where('revokedAt', '==', null).get();
}

/** A secret that isn't there. */
async function findSecret({ equipment, play }: Making, secret: string): Promise<void> {
  await unlessMissing(equipment.secrets.getSecret(play.take('Secret Manager GetSecret', secret)));
}

/** A secret without a value, which is looked at then. @returns its etag */
async function createSecret({ equipment: { secrets }, play }: Making, secret: string): Promise<string> {
  await secrets.createSecret(play.take('Secret Manager CreateSecret', secret));
  const [[found]] = await Promise.all([
    secrets.getSecret(play.take('Secret Manager GetSecret', secret)),
    secrets.listSecretVersions(play.take('Secret Manager ListSecretVersions', secret)),
  ]);
  return found.etag ?? '';
}

async function addVersion(
  { equipment: { secrets }, play }: Making,
  secret: string,
  value: (recorded: string) => Buffer,
): Promise<void> {
  const { parent, payload } = play.take<{ parent: string; payload: { data: string } }>(
    'Secret Manager AddSecretVersion',
    secret,
  );
  await secrets.addSecretVersion({ parent, payload: { data: value(payload.data) } });
}

async function moveAliases(
  { equipment: { secrets }, play }: Making,
  secret: string,
  etag: string,
): Promise<void> {
  const update = play.take<{ secret: object }>('Secret Manager UpdateSecret', secret);
  await secrets.updateSecret({ ...update, secret: { ...update.secret, etag } });
  await play.transact('secrets', { about: secret });
}

function quota(making: Making): Promise<void> {
  const { play } = making;
  return step(making, 'quota', {
    look: () => play.get('quotas'),
    make: () => play.transact('quotas'),
  });
}

function dataset(making: Making): Promise<void> {
  const look = () => getDataset(making);
  return step(making, 'dataset', {
    look,
    async make() {
      for (let looks = 0; looks < 3; looks += 1) await look();
      const { project: _, prettyPrint: __, ...body } = making.play.take('BigQuery datasets.insert');
      await callBigQuery(making, { method: 'POST', uri: '/datasets', json: body });
    },
  });
}

function storage(making: Making): Promise<void> {
  const { play, tenant, equipment } = making;
  const object = (call: string) => {
    const { bucket, name, object } = play.take<Record<string, string>>(`Cloud Storage ${call}`);
    return equipment.storage.bucket(bucket ?? '').file(object ?? name ?? '');
  };
  const look = () => unlessMissing(object('objects.get').getMetadata());
  return step(making, 'storage', {
    look,
    async make() {
      await look();
      const owner = { tenant: tenant.tenant, incarnation: '1' };
      await object('objects.insert').save(JSON.stringify(owner), {
        resumable: false,
        validation: 'crc32c',
        metadata: { contentType: 'application/json', metadata: owner },
        preconditionOpts: { ifGenerationMatch: 0 },
      });
    },
  });
}

/** A dataset that isn't there. */
async function getDataset(making: Making): Promise<void> {
  const { dataset: id } = making.play.take<{ dataset: string }>('BigQuery datasets.get');
  await unlessMissing(callBigQuery(making, { method: 'GET', uri: `/datasets/${id}` }));
}

function callBigQuery({ equipment: { bigquery } }: Making, request: object): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  bigquery.request(request as Parameters<BigQuery['request']>[0], (error, answer) =>
    error ? reject(error) : resolve(answer),
  );
  return promise;
}

/** gRPC's code for what isn't there, and HTTP's. */
const missing: ReadonlySet<unknown> = new Set([5, 404]);

async function unlessMissing(call: Promise<unknown>): Promise<void> {
  await call.catch((error: { code?: unknown }) => {
    if (!missing.has(error.code)) throw error;
  });
}

/** What the product sends to PostgreSQL next, as it sends it. A password is set, or logged in with, as the case may be. */
async function query(making: Making, password = ''): Promise<void> {
  const loan = making.play.nextLoan();
  const connections = await connectionsFor(making, loan, password);
  const client = await connections.take();
  const messages = await withVerifier(loan, password);
  const [first = '', ...rest] = messages;
  if (rest.at(-1) === 'COMMIT') {
    await client.query(first);
    await Promise.all(rest.slice(0, -1).map((text) => client.query(text)));
    await client.query('COMMIT');
  } else for (const text of messages) await client.query(text);
  connections.give(client);
}

async function connectionsFor(
  { equipment: { login, warm }, own }: Making,
  { user, database }: RecordedLoan,
  password: string,
): Promise<WarmConnections> {
  const key = JSON.stringify([user, database]);
  const known = (user === login.user ? warm.get(database) : undefined) ?? own.get(key);
  if (known) return known;
  const client = new pg.Client({
    ...login,
    database,
    ...(user === login.user ? {} : { user, password }),
  });
  await client.connect();
  const opened = new WarmConnections([client]);
  own.set(key, opened);
  return opened;
}

const recordedVerifier = /SCRAM-SHA-256\$[^']*/;

async function withVerifier({ messages }: RecordedLoan, password: string): Promise<readonly string[]> {
  if (!messages.some((text) => recordedVerifier.test(text))) return messages;
  const verifier = await scramVerifier(password, randomBytes(16));
  return messages.map((text) => text.replace(recordedVerifier, () => verifier));
}
