import { hour, type Micros, minute } from '../clock.ts';
import type { Message } from '../grpc/server.ts';
import { toMicros } from '../grpc/time.ts';
import { invalidArgument } from './errors.ts';
import { checkAliases, checkAnnotations, checkLabels } from './metadata.ts';
import { checkRotation, parseRotation, type Rotation } from './rotation.ts';

/** What users may change of a secret. */
export interface SecretSettings {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Version number by alias. */
  readonly versionAliases: Readonly<Record<string, number>>;
  /** Full names, as they were given. */
  readonly topics: readonly string[];
  readonly expireTime: Micros | undefined;
  readonly rotation: Rotation | undefined;
}

const longestLife = 876_000 * hour;
const maximumTopics = 10;

/** Reads a google.cloud.secretmanager.v1.Secret. Whether the settings are allowed depends on which of them are used. */
export function parseSettings(secret: Message, now: Micros): SecretSettings {
  const ttl = toMicros(secret['ttl']);
  const aliases = Object.entries((secret['versionAliases'] ?? {}) as Record<string, string>);
  return {
    labels: (secret['labels'] ?? {}) as Record<string, string>,
    annotations: (secret['annotations'] ?? {}) as Record<string, string>,
    versionAliases: Object.fromEntries(aliases.map(([alias, version]) => [alias, Number(version)])),
    topics: ((secret['topics'] ?? []) as Message[]).map(({ name }) => String(name ?? '')),
    expireTime: ttl === undefined ? toMicros(secret['expireTime']) : now + ttl,
    rotation: parseRotation(secret['rotation']),
  };
}

/**
 * @param versions how many versions the secret has had
 * @throws INVALID_ARGUMENT, FAILED_PRECONDITION where a secret can't have these settings together
 */
export function checkSettings(settings: SecretSettings, versions: number): void {
  checkRotation(settings.rotation, settings.topics);
  checkLabels(settings.labels);
  checkAnnotations(settings.annotations);
  checkAliases(settings.versionAliases, versions);
}

/** @throws INVALID_ARGUMENT for a time that somebody asks for and that is too near or too far */
export function requireExpireTime(expireTime: Micros | undefined, now: Micros): Micros | undefined {
  if (expireTime === undefined) return undefined;
  if (expireTime < now + minute) {
    throw invalidArgument('Expiration time must be at least [1m] in the future.');
  }
  if (expireTime > now + longestLife) {
    throw invalidArgument('Expiration time cannot be more than [876000h] from now.');
  }
  return expireTime;
}

/**
 * @throws INVALID_ARGUMENT
 * @see https://cloud.google.com/secret-manager/docs/event-notifications
 */
export function checkTopics(topics: readonly string[]): void {
  if (topics.length > maximumTopics) {
    throw invalidArgument(`No more than ${maximumTopics} topics can be configured on a secret.`);
  }
  if (new Set(topics).size < topics.length) throw invalidArgument('Topics must have distinct names.');
  const malformed = topics.find((topic) => !/^projects\/[^/]+\/topics\/[^/]+$/.test(topic));
  if (malformed !== undefined) {
    throw invalidArgument(`Failed to Publish to topic [${malformed}], got an error from Pub/Sub.`);
  }
}
