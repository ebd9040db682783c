import { accessVersion, getSecret, listVersions, type SecretInfo, type VersionInfo } from '../gcp/secrets.ts';
import { hasStatus } from '../gcp/status.ts';
import { OperationError } from '../operation/errors.ts';
import { type Credential, readCredential } from './credential.ts';
import { alias, annotation, type PostgresSecret } from './managed.ts';

/** A secret with its versions, as they were at one moment. */
export interface Observation {
  readonly secret: SecretInfo;
  /** The newest first. */
  readonly versions: readonly VersionInfo[];
  readonly current: number | undefined;
  readonly previous: number | undefined;
  /** The operation that moved `current`. */
  readonly movedBy: string | undefined;
}

/** An enabled version of a database's secret. */
export interface CredentialVersion {
  readonly number: number;
  readonly createdAt: Date;
  readonly credential: Credential;
}

export interface UnusableVersion {
  readonly number: number;
  /** Why, without anything of its content. */
  readonly problem: string;
}

/** @throws OperationError `SECRET_NOT_FOUND` */
export async function observe(id: string): Promise<Observation> {
  const [secret, versions] = await Promise.all([getSecret(id), listVersions(id).catch(unlessMissing)]);
  return {
    secret,
    versions,
    current: secret.aliases[alias.current],
    previous: secret.aliases[alias.previous],
    movedBy: secret.annotations[annotation.operation],
  };
}

/** The secret's own call says it better. */
function unlessMissing(error: unknown): VersionInfo[] {
  if (hasStatus(error, 'NOT_FOUND')) return [];
  throw error;
}

/** Values never change: a version that was read is read. */
export type ValueCache = Map<number, Buffer>;

/** The value of an enabled version; undefined where it was disabled meanwhile. */
export async function readValue(id: string, version: number, cache: ValueCache): Promise<Buffer | undefined> {
  const known = cache.get(version);
  if (known) return known;
  try {
    const value = await accessVersion(id, version);
    cache.set(version, value);
    return value;
  } catch (error) {
    if (hasStatus(error, 'FAILED_PRECONDITION') || hasStatus(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

/** The credentials of all enabled versions, the newest first, and what can't be used as one. */
export async function readCredentials(
  { secret, versions }: Observation,
  managed: Pick<PostgresSecret, 'logins' | 'instance' | 'database'>,
  cache: ValueCache,
): Promise<{ usable: CredentialVersion[]; unusable: UnusableVersion[] }> {
  const enabled = versions.filter(({ state }) => state === 'ENABLED');
  const values = await Promise.all(enabled.map(({ number }) => readValue(secret.id, number, cache)));
  const usable: CredentialVersion[] = [];
  const unusable: UnusableVersion[] = [];
  enabled.forEach(({ number, createdAt }, index) => {
    const value = values[index];
    if (value === undefined) return;
    const read = readCredential(value);
    const problem = 'problem' in read ? read.problem : mismatchOf(read.credential, managed);
    if (problem !== undefined) unusable.push({ number, problem });
    else if ('credential' in read) usable.push({ number, createdAt, credential: read.credential });
  });
  return { usable, unusable };
}

/** A secret that names somebody else's login must not have that one's password changed. */
export function mismatchOf(
  { username, instance, database }: Credential,
  managed: Pick<PostgresSecret, 'logins' | 'instance' | 'database'>,
): string | undefined {
  if (!managed.logins.includes(username))
    return `names the login ${JSON.stringify(username.slice(0, 63))}, and the secret's are ${managed.logins.join(' and ')}`;
  if (instance !== undefined && instance !== managed.instance)
    return 'names another instance than the secret';
  if (database !== undefined && database !== managed.database)
    return 'names another database than the secret';
  return undefined;
}

/**
 * @throws OperationError `SECRET_UNREADABLE` where an enabled version can't be used: nobody knows which login it is about,
 *   so none may be changed
 */
export function refuseUnusable(id: string, [first]: readonly UnusableVersion[]): void {
  if (first === undefined) return;
  throw new OperationError(
    'SECRET_UNREADABLE',
    `Version ${first.number} of the secret ${id} ${first.problem}. Disable it, or have that done: drover secrets verify ${id} --repair`,
    { details: { name: id, place: `versions/${first.number}` } },
  );
}
