import type { Message, UnaryHandler } from '../grpc/server.ts';
import { invalidArgument, requireEtag } from './errors.ts';
import { parseSecretFilter } from './filter.ts';
import { noPolicy } from './iam-calls.ts';
import { requireSecretId } from './names.ts';
import { page } from './pages.ts';
import { parseReplication } from './replication.ts';
import { type Secret, toSecret } from './secret.ts';
import { checkSettings, checkTopics, parseSettings, type SecretSettings } from './settings.ts';
import { etagAt, type SecretStore } from './store.ts';
import { requireSupported } from './supported-fields.ts';
import { allPaths, applyMask } from './update-mask.ts';

const noSettings: SecretSettings = {
  labels: {},
  annotations: {},
  versionAliases: {},
  topics: [],
  expireTime: undefined,
  rotation: undefined,
};

/** What a new secret may have; the service itself ignores the ones that are for answers. */
const supported = [
  ...['name', 'replication', 'createTime', 'labels', 'topics', 'etag', 'rotation', 'versionAliases'],
  ...['annotations', 'policyMember', 'expiration', 'expireTime', 'ttl'],
];

/** The methods of secrets. */
export function secretCalls(store: SecretStore): Record<string, UnaryHandler> {
  const { clock, names, notifications } = store;
  return {
    async CreateSecret(request) {
      names.requireProject(request['parent']);
      const id = requireSecretId(request['secretId']);
      const sent = (request['secret'] ?? {}) as Message;
      requireSupported(sent, supported);
      const replication = parseReplication(sent['replication']);
      store.requireNone(id);
      const wanted = parseSettings(sent, clock.now());
      checkTopics(wanted.topics);
      await notifications.test(wanted.topics);

      // Others may have been faster meanwhile.
      store.requireNone(id);
      const settings = applyMask(noSettings, wanted, allPaths, clock.now());
      checkSettings(settings, 0);
      const createTime = clock.next();
      const secret: Secret = {
        id,
        name: names.ofSecret(id),
        createTime,
        replication,
        versions: [],
        settings,
        etag: etagAt(createTime),
        policy: noPolicy,
      };
      store.add(secret);
      notifications.ofSecret('SECRET_CREATE', secret, createTime);
      return toSecret(secret);
    },

    GetSecret: ({ name }) => toSecret(store.find(names.parseSecret(name))),

    ListSecrets(request) {
      names.requireProject(request['parent']);
      const matches = parseSecretFilter(request['filter']);
      const { items, ...rest } = page(store.newestFirst(), matches, request);
      return { secrets: items.map(toSecret), ...rest };
    },

    async UpdateSecret({ secret: given, updateMask }) {
      const sent = (given ?? {}) as Message;
      const find = () => {
        const secret = store.find(names.parseSecret(sent['name']));
        requireEtag(secret.etag, sent['etag']);
        return secret;
      };
      find();
      if (!updateMask) throw invalidArgument('Field [update_mask] is required.');
      const paths = ((updateMask as Message)['paths'] ?? []) as string[];
      const wanted = parseSettings(sent, clock.now());
      if (paths.includes('topics')) {
        checkTopics(wanted.topics);
        await notifications.test(wanted.topics);
      }

      // Others may have been faster meanwhile.
      const secret = find();
      const settings = applyMask(secret.settings, wanted, paths, clock.now());
      checkSettings(settings, secret.versions.length);
      secret.settings = settings;
      notifications.ofSecret('SECRET_UPDATE', secret, store.touch(secret));
      return toSecret(secret);
    },

    DeleteSecret({ name, etag }) {
      const secret = store.find(names.parseSecret(name));
      requireEtag(secret.etag, etag);
      store.remove(secret, 'REQUESTED');
      return {};
    },
  };
}
