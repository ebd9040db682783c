import type { Micros } from '../clock.ts';
import { invalidArgument, unimplemented } from './errors.ts';
import { orNone, type Rotation, requireNextRotation, requirePeriod } from './rotation.ts';
import { requireExpireTime, type SecretSettings } from './settings.ts';

/** What a path of a mask takes over from the settings that were sent. */
type Take = (sent: SecretSettings, current: SecretSettings, now: Micros) => Partial<SecretSettings>;

const nothing: Rotation = { next: undefined, period: undefined };

const takeExpireTime: Take = ({ expireTime }, _, now) => ({ expireTime: requireExpireTime(expireTime, now) });
const takeNext: Take = ({ rotation }, current, now) => {
  const next = requireNextRotation(rotation?.next, now);
  return { rotation: orNone({ ...(current.rotation ?? nothing), next }) };
};
const takePeriod: Take = ({ rotation }, current) => {
  const period = requirePeriod(rotation?.period);
  return { rotation: orNone({ ...(current.rotation ?? nothing), period }) };
};

const mutable: Readonly<Record<string, Take>> = {
  labels: ({ labels }) => ({ labels }),
  annotations: ({ annotations }) => ({ annotations }),
  version_aliases: ({ versionAliases }) => ({ versionAliases }),
  topics: ({ topics }) => ({ topics }),
  expire_time: takeExpireTime,
  ttl: takeExpireTime,
  'rotation.next_rotation_time': takeNext,
  'rotation.rotation_period': takePeriod,
  rotation: (sent, current, now) => takePeriod(sent, { ...current, ...takeNext(sent, current, now) }, now),
};

const immutable: ReadonlySet<string> = new Set(['replication', 'secret_type', 'policy_member']);
const ignored: ReadonlySet<string> = new Set(['name', 'create_time', 'etag']);
const unsupported: ReadonlySet<string> = new Set([
  'version_destroy_ttl',
  'customer_managed_encryption',
  'tags',
]);

/** Every path that sets something: what creating a secret uses. */
export const allPaths = ['labels', 'annotations', 'version_aliases', 'topics', 'expire_time', 'rotation'];

/**
 * Settings with the fields that a mask names taken over from what was sent; a named field that was left out is cleared.
 *
 * @param paths in snake_case
 * @throws INVALID_ARGUMENT for paths that can't be updated, UNIMPLEMENTED for those that can't be here
 * @see https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets/patch
 */
export function applyMask(
  current: SecretSettings,
  sent: SecretSettings,
  paths: readonly string[],
  now: Micros,
): SecretSettings {
  let updated = current;
  for (const path of paths) {
    const take = Object.hasOwn(mutable, path) ? mutable[path] : undefined;
    if (take) updated = { ...updated, ...take(sent, updated, now) };
    else refuse(path);
  }
  return updated;
}

function refuse(path: string): void {
  if (unsupported.has(path) || path.startsWith('replication.')) throw unimplemented(`updates of ${path}`);
  if (immutable.has(path)) throw invalidArgument(`Field '${path}' is immutable and cannot be updated.`);
  if (!ignored.has(path)) throw invalidArgument();
}
