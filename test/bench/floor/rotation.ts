import { randomBytes } from 'node:crypto';
import type { DocumentReference } from '@google-cloud/firestore';
import type { protos, SecretManagerServiceClient } from '@google-cloud/secret-manager';
import pg from 'pg';
import { newPassword } from '../../../shared/postgres/logins/password.ts';
import { scramVerifier } from '../../../shared/postgres/scram.ts';
import type { RecordDocuments } from './documents.ts';
import { change, type Equipment, report } from './operation.ts';
import type { FloorSecret } from './process.ts';
import { type LoginStatements, verifierPlace } from './rotation-statements.ts';

export interface RotationEquipment extends Equipment<RecordDocuments> {
  readonly secrets: SecretManagerServiceClient;
  /** Whose secrets they are: `projects/acme-dev`. */
  readonly project: string;
  /** How a new login reaches the database; user and password come from the rotation. */
  readonly login: pg.ClientConfig;
}

interface Credential {
  readonly username: string;
  readonly password: string;
}

type Version = protos.google.cloud.secretmanager.v1.ISecretVersion;

/**
 * The calls of one rotation of two users and nothing else: what the product asks of Secret Manager, Firestore, PostgreSQL
 * and Pub/Sub, in the same order. The secret is read twice, because others may change it until the rotation is begun.
 */
export async function performRotation(
  equipment: RotationEquipment,
  id: string,
  { secret, registered: path, logins }: FloorSecret,
): Promise<void> {
  const { db, documents, secrets, project, connections } = equipment;
  const record = db.collection('floor-operations').doc(id);
  const registered = db.doc(path);
  const name = `${project}/secrets/${secret}`;

  await record.create(documents.claimed);
  await secrets.getSecret({ name });
  await setBoth(equipment, record, registered, (before) => ({
    ...before,
    epoch: Number(before['epoch']) + 1,
    open: { operation: id, since: new Date() },
  }));
  const { found, versions } = await look(secrets, name);
  const enabled = versions.filter(({ state }) => state === 'ENABLED');
  const credentials = await Promise.all(enabled.map((version) => read(secrets, version)));
  const current = Number(found.versionAliases?.['current']);
  const isCurrent = (version: Version | undefined) => numberOf(version) === current;
  const active = credentials[enabled.findIndex(isCurrent)];
  const stale = enabled.find((version) => !isCurrent(version));
  const [login, texts] = logins.find(([one]) => one !== active?.username) ?? [];
  if (login === undefined || texts === undefined || stale?.name == null)
    throw new Error(`${secret} is not as a rotation leaves it`);
  await secrets.disableSecretVersion({ name: stale.name });
  const password = newPassword();
  const verifier = await scramVerifier(password, randomBytes(16));
  const { prologue, changes } = texts.password;
  await change(connections, {
    prologue,
    changes: changes.map((text) => text.replace(verifierPlace, verifier)),
  });
  await prove(equipment, { username: login, password }, texts);
  const data = Buffer.from(JSON.stringify({ ...active, username: login, password }));
  const [added] = await secrets.addSecretVersion({ parent: name, payload: { data } });
  const aliases = { current: numberOf(added), previous: current };
  await secrets.updateSecret({
    secret: {
      name,
      etag: found.etag ?? '',
      versionAliases: aliases,
      annotations: { ...found.annotations, 'drover.operation': id },
    },
    updateMask: { paths: ['version_aliases', 'annotations'] },
  });
  const entry = { at: new Date(), action: 'rotate', operation: id, version: aliases.current };
  await setBoth(equipment, record, registered, (before) => ({
    ...before,
    ...aliases,
    open: null,
    rotatedAt: new Date(),
    last: entry,
    history: [entry, ...(before['history'] as unknown[])].slice(0, 50),
  }));
  await db.runTransaction(async (transaction) => {
    await transaction.getAll(record);
    transaction.update(record, documents.completed);
  });
  await report(equipment, id, record);
}

async function look(secrets: SecretManagerServiceClient, name: string) {
  const request = { parent: name, pageSize: 1000 };
  const [[found], [versions]] = await Promise.all([
    secrets.getSecret({ name }),
    secrets.listSecretVersions(request, { autoPaginate: false }),
  ]);
  return { found, versions };
}

function setBoth(
  { db }: RotationEquipment,
  record: DocumentReference,
  registered: DocumentReference,
  after: (before: Record<string, unknown>) => Record<string, unknown>,
): Promise<void> {
  return db.runTransaction(async (transaction) => {
    const [, snapshot] = await transaction.getAll(record, registered);
    transaction.set(registered, after(snapshot?.data() ?? {}));
  });
}

async function read(secrets: SecretManagerServiceClient, { name }: Version): Promise<Credential> {
  const [{ payload }] = await secrets.accessSecretVersion({ name: name ?? '' });
  return JSON.parse(String(payload?.data)) as Credential;
}

function numberOf(version: Version | undefined): number {
  return Number(version?.name?.split('/').at(-1));
}

/** Logs in, and asks. The goodbye needs no answer. */
async function prove(
  { login }: RotationEquipment,
  { username, password }: Credential,
  { proof }: LoginStatements,
): Promise<void> {
  const client = new pg.Client({ ...login, user: username, password });
  await client.connect();
  await client.query(proof);
  void client.end();
}
