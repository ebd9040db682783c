import type { protos } from '@google-cloud/secret-manager';
import { config } from '../config.ts';
import { OperationError } from '../operation/errors.ts';
import { crc32c } from './crc32c.ts';
import { once, repeatable } from './repeats.ts';
import { secretManager } from './secretmanager.ts';
import { hasStatus } from './status.ts';

type RawSecret = protos.google.cloud.secretmanager.v1.ISecret;
type RawVersion = protos.google.cloud.secretmanager.v1.ISecretVersion;

/** A secret without any value. */
export interface SecretInfo {
  readonly id: string;
  /** Changes with each change of these fields. */
  readonly etag: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Names of versions, and their numbers. */
  readonly aliases: Readonly<Record<string, number>>;
}

export interface VersionInfo {
  readonly number: number;
  readonly state: 'ENABLED' | 'DISABLED' | 'DESTROYED';
  readonly createdAt: Date;
}

/** Thrown where somebody else changed a secret since it was read: read it again. */
export class SecretChanged extends OperationError {
  constructor(id: string, cause: unknown) {
    super('SECRET_CHANGED', `The secret ${id} was changed by somebody else at the same moment`, {
      retryable: true,
      cause,
    });
  }
}

function nameOf(id: string): string {
  return `projects/${config().GOOGLE_CLOUD_PROJECT}/secrets/${id}`;
}

function versionName(id: string, version: number): string {
  return `${nameOf(id)}/versions/${version}`;
}

/** @returns undefined where there is none of this id */
export async function findSecret(id: string): Promise<SecretInfo | undefined> {
  const client = await secretManager();
  try {
    const [secret] = await client.getSecret({ name: nameOf(id) }, repeatable);
    return infoOf(id, secret);
  } catch (error) {
    if (hasStatus(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

/** @throws OperationError `SECRET_NOT_FOUND` */
export async function getSecret(id: string): Promise<SecretInfo> {
  const secret = await findSecret(id);
  if (secret) return secret;
  throw new OperationError(
    'SECRET_NOT_FOUND',
    `There is no secret ${id} in ${config().GOOGLE_CLOUD_PROJECT}. Send the action create first.`,
    { details: { name: id } },
  );
}

/** @returns undefined where there is one of this id already */
export async function createSecret(
  id: string,
  fields: Pick<SecretInfo, 'labels' | 'annotations'>,
): Promise<SecretInfo | undefined> {
  const client = await secretManager();
  const locations = config().DROVER_SECRET_LOCATIONS;
  const replication =
    locations.length === 0
      ? { automatic: {} }
      : { userManaged: { replicas: locations.map((location) => ({ location })) } };
  const parent = `projects/${config().GOOGLE_CLOUD_PROJECT}`;
  try {
    const [secret] = await client.createSecret(
      { parent, secretId: id, secret: { replication, ...fields } },
      once,
    );
    return infoOf(id, secret);
  } catch (error) {
    if (hasStatus(error, 'ALREADY_EXISTS')) return undefined;
    throw error;
  }
}

/**
 * Changes a secret, if nobody has since it was read.
 *
 * @param fields whole: what isn't in them is taken away
 * @throws SecretChanged
 */
export async function updateSecret(
  { id, etag }: Pick<SecretInfo, 'id' | 'etag'>,
  fields: Partial<Pick<SecretInfo, 'labels' | 'annotations' | 'aliases'>>,
): Promise<SecretInfo> {
  const { aliases, ...rest } = fields;
  const client = await secretManager();
  const paths = Object.keys(fields).map((field) => (field === 'aliases' ? 'version_aliases' : field));
  try {
    const [secret] = await client.updateSecret(
      {
        secret: { name: nameOf(id), etag, ...rest, ...(aliases ? { versionAliases: { ...aliases } } : {}) },
        updateMask: { paths },
      },
      once,
    );
    return infoOf(id, secret);
  } catch (error) {
    if (hasStatus(error, 'FAILED_PRECONDITION')) throw new SecretChanged(id, error);
    throw error;
  }
}

/** Deletes a secret with all of its versions; one that is gone is deleted. */
export async function deleteSecret(id: string): Promise<void> {
  const client = await secretManager();
  try {
    await client.deleteSecret({ name: nameOf(id) }, repeatable);
  } catch (error) {
    if (!hasStatus(error, 'NOT_FOUND')) throw error;
  }
}

/** All versions, the newest first, destroyed ones too. */
export async function listVersions(id: string): Promise<VersionInfo[]> {
  const client = await secretManager();
  const [versions] = await client.listSecretVersions({ parent: nameOf(id) }, repeatable);
  return versions.map(versionOf).sort((a, b) => b.number - a.number);
}

/**
 * The value of a version.
 *
 * @throws OperationError `CHECKSUM_MISMATCH` (retryable) where it did not arrive as it was sent
 */
export function accessVersion(id: string, version: number): Promise<Buffer> {
  return access(versionName(id, version), `Version ${version} of ${id}`);
}

/**
 * The newest value of a secret that others look after.
 *
 * @param name `projects/…/secrets/…`
 * @throws OperationError as {@link accessVersion} does
 */
export async function readLatest(name: string): Promise<string> {
  return (await access(`${name}/versions/latest`, name)).toString('utf8');
}

async function access(name: string, what: string): Promise<Buffer> {
  const client = await secretManager();
  const [{ payload }] = await client.accessSecretVersion({ name }, repeatable);
  const data = Buffer.from((payload?.data as Uint8Array | null | undefined) ?? []);
  const sent = payload?.dataCrc32c;
  if (sent !== undefined && sent !== null && Number(sent) !== crc32c(data)) {
    throw new OperationError('CHECKSUM_MISMATCH', `${what} arrived damaged`, {
      retryable: true,
    });
  }
  return data;
}

/** Adds a version, which is `latest` from then on. Where its answer is lost it may be there all the same. */
export async function addVersion(id: string, value: Buffer): Promise<VersionInfo> {
  const client = await secretManager();
  const payload = { data: value, dataCrc32c: crc32c(value) };
  const [version] = await client.addSecretVersion({ parent: nameOf(id), payload }, once);
  return versionOf(version);
}

/** Disables a version; one that was destroyed stays that. */
export async function disableVersion(id: string, version: number): Promise<void> {
  const client = await secretManager();
  try {
    await client.disableSecretVersion({ name: versionName(id, version) }, repeatable);
  } catch (error) {
    if (!hasStatus(error, 'FAILED_PRECONDITION')) throw error;
  }
}

/** Destroys a version for ever; one that was destroyed is. */
export async function destroyVersion(id: string, version: number): Promise<void> {
  const client = await secretManager();
  try {
    await client.destroySecretVersion({ name: versionName(id, version) }, repeatable);
  } catch (error) {
    if (!hasStatus(error, 'FAILED_PRECONDITION')) throw error;
  }
}

function infoOf(id: string, { etag, labels, annotations, versionAliases }: RawSecret): SecretInfo {
  const aliases = Object.entries(versionAliases ?? {}).map(([name, number]) => [name, Number(number)]);
  return {
    id,
    etag: etag ?? '',
    labels: labels ?? {},
    annotations: annotations ?? {},
    aliases: Object.fromEntries(aliases) as Record<string, number>,
  };
}

function versionOf({ name, state, createTime }: RawVersion): VersionInfo {
  return {
    number: Number(name?.split('/').at(-1)),
    state: state as VersionInfo['state'],
    createdAt: new Date(Number(createTime?.seconds ?? 0) * 1000),
  };
}
