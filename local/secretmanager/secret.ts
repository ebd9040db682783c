import type { Micros } from '../clock.ts';
import type { Message } from '../grpc/server.ts';
import { Timestamp } from '../grpc/time.ts';
import { notFound } from './errors.ts';
import { malformed } from './names.ts';
import type { Replication } from './replication.ts';
import { toRotation } from './rotation.ts';
import type { SecretSettings } from './settings.ts';
import type { SecretVersion } from './version.ts';

/** A secret with its versions. */
export interface Secret {
  readonly id: string;
  /** Full name, with the project's number. */
  readonly name: string;
  readonly createTime: Micros;
  readonly replication: Replication;
  /** By number, the first at 0. None is ever taken out, so numbers aren't used again. */
  readonly versions: SecretVersion[];
  settings: SecretSettings;
  etag: string;
  /** The google.iam.v1.Policy, which is kept but not enforced. */
  policy: Message;
}

/** The google.cloud.secretmanager.v1.Secret; in JSON what notifications carry. */
export function toSecret({ name, createTime, replication, settings, etag }: Secret): Message {
  const { labels, topics, expireTime, rotation, versionAliases, annotations } = settings;
  return {
    name,
    replication,
    createTime: new Timestamp(createTime),
    ...(hasEntries(labels) && { labels }),
    ...(topics.length > 0 && { topics: topics.map((topic) => ({ name: topic })) }),
    ...(expireTime !== undefined && { expireTime: new Timestamp(expireTime) }),
    etag,
    ...(rotation && { rotation: toRotation(rotation) }),
    ...(hasEntries(versionAliases) && {
      versionAliases: Object.fromEntries(
        Object.entries(versionAliases).map(([alias, number]) => [alias, String(number)]),
      ),
    }),
    ...(hasEntries(annotations) && { annotations }),
  };
}

/**
 * The version that a reader names by its number, by an alias, or as `latest`: the one created last, whatever its state.
 *
 * @throws NOT_FOUND
 */
export function readableVersion(secret: Secret, reference: string): SecretVersion {
  if (reference === 'latest') {
    const latest = secret.versions.at(-1);
    if (latest === undefined) throw notFound(`Secret [${secret.name}] not found or has no versions.`);
    return latest;
  }
  if (isNumber(reference)) return versionByNumber(secret, Number(reference));
  const { versionAliases } = secret.settings;
  const number = Object.hasOwn(versionAliases, reference) ? versionAliases[reference] : undefined;
  if (number === undefined) throw notFound(`Secret [${secret.name}] has no alias [${reference}]`);
  return versionByNumber(secret, number);
}

/** The version that is to be changed, which has to be named by its number. @throws INVALID_ARGUMENT, NOT_FOUND */
export function changeableVersion(secret: Secret, reference: string): SecretVersion {
  if (isNumber(reference)) return versionByNumber(secret, Number(reference));
  throw malformed(
    'Secret Version',
    `${secret.name}/versions/${reference}`,
    'projects/*/secrets/*/versions/*',
  );
}

function versionByNumber(secret: Secret, number: number): SecretVersion {
  const version = secret.versions[number - 1];
  if (version === undefined) throw notFound(`Secret Version [${secret.name}/versions/${number}] not found.`);
  return version;
}

function isNumber(reference: string): boolean {
  return /^\d+$/.test(reference);
}

function hasEntries(map: object): boolean {
  return Object.keys(map).length > 0;
}
