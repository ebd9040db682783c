import type { UnaryHandler } from '../grpc/server.ts';
import { failedPrecondition, requireEtag } from './errors.ts';
import { parseVersionFilter } from './filter.ts';
import type { VersionEvent } from './notifications.ts';
import { page } from './pages.ts';
import { changeableVersion, readableVersion, type Secret } from './secret.ts';
import { etagAt, type SecretStore } from './store.ts';
import { access, parsePayload, type SecretVersion, toVersion, type VersionState } from './version.ts';

/** The methods of versions. */
export function versionCalls(store: SecretStore): Record<string, UnaryHandler> {
  const { clock, names, notifications } = store;

  const read = (name: unknown): { secret: Secret; version: SecretVersion } => {
    const { secretId, version } = names.parseVersion(name);
    const secret = store.find(secretId);
    return { secret, version: readableVersion(secret, version) };
  };

  const changeState =
    (state: VersionState, event: VersionEvent): UnaryHandler =>
    ({ name, etag }) => {
      const { secretId, version: reference } = names.parseVersion(name);
      const secret = store.find(secretId);
      const version = changeableVersion(secret, reference);
      requireEtag(version.etag, etag);
      if (version.state === 'DESTROYED')
        throw failedPrecondition('SecretVersion.state is already DESTROYED.');
      const at = clock.next();
      version.state = state;
      version.etag = etagAt(at);
      if (state === 'DESTROYED') {
        version.destroyTime = at;
        version.payload = undefined;
      }
      notifications.ofVersion(event, secret, version, at);
      return toVersion(version, secret.replication);
    };

  return {
    AddSecretVersion({ parent, payload }) {
      const secret = store.find(names.parseSecret(parent));
      const { data, checked } = parsePayload(payload);
      const createTime = clock.next();
      const version: SecretVersion = {
        name: `${secret.name}/versions/${secret.versions.length + 1}`,
        createTime,
        clientSpecifiedChecksum: checked,
        state: 'ENABLED',
        destroyTime: undefined,
        etag: etagAt(createTime),
        payload: data,
      };
      secret.versions.push(version);
      notifications.ofVersion('SECRET_VERSION_ADD', secret, version, createTime);
      return toVersion(version, secret.replication);
    },

    GetSecretVersion({ name }) {
      const { secret, version } = read(name);
      return toVersion(version, secret.replication);
    },

    ListSecretVersions(request) {
      const secret = store.find(names.parseSecret(request['parent']));
      const matches = parseVersionFilter(request['filter']);
      const { items, ...rest } = page(secret.versions.toReversed(), matches, request);
      return { versions: items.map((version) => toVersion(version, secret.replication)), ...rest };
    },

    AccessSecretVersion: ({ name }) => access(read(name).version),

    EnableSecretVersion: changeState('ENABLED', 'SECRET_VERSION_ENABLE'),
    DisableSecretVersion: changeState('DISABLED', 'SECRET_VERSION_DISABLE'),
    DestroySecretVersion: changeState('DESTROYED', 'SECRET_VERSION_DESTROY'),
  };
}
