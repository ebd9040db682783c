import { status } from '@grpc/grpc-js';
import { GrpcError, type Message, type UnaryHandler } from '../grpc/server.ts';
import { invalidArgument, unimplemented } from './errors.ts';
import type { SecretStore } from './store.ts';
import { requireSupported } from './supported-fields.ts';

/** Of a secret that was never given a policy: the service answers with this etag, in base64 `ACAB`. */
export const noPolicy: Message = { etag: Buffer.from('ACAB', 'base64') };

/**
 * The methods of IAM policies. Policies are kept, but nobody is refused anything by them: who calls isn't known here.
 *
 * @see https://cloud.google.com/secret-manager/docs/access-control
 */
export function iamCalls(store: SecretStore): Record<string, UnaryHandler> {
  const { clock, names } = store;
  return {
    GetIamPolicy: ({ resource }) => store.find(names.parseSecret(resource)).policy,

    SetIamPolicy({ resource, policy: given, updateMask }) {
      const secret = store.find(names.parseSecret(resource));
      if (updateMask) throw unimplemented('update_mask of SetIamPolicy');
      const policy = (given ?? {}) as Message;
      requireSupported(policy, ['version', 'bindings', 'etag']);
      const bindings = ((policy['bindings'] ?? []) as Message[]).map(parseBinding);
      const etag = policy['etag'] as Buffer | undefined;
      if (etag?.length && !etag.equals(secret.policy['etag'] as Buffer)) {
        throw new GrpcError(
          status.ABORTED,
          'There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.',
        );
      }
      secret.policy = { version: 1, bindings, etag: nextEtag(clock.next()) };
      return secret.policy;
    },

    TestIamPermissions({ resource, permissions }) {
      const id = names.parseSecret(resource);
      const exists = store.newestFirst().some((secret) => secret.id === id);
      return { permissions: exists ? permissions : [] };
    },
  };
}

function parseBinding(binding: Message): Message {
  requireSupported(binding, ['role', 'members']);
  const { role, members } = binding;
  if (!role || !Array.isArray(members)) throw invalidArgument('A binding needs a role and members.');
  return { role, members };
}

function nextEtag(at: number): Buffer {
  const etag = Buffer.alloc(8);
  etag.writeBigUInt64BE(BigInt(at));
  return etag;
}
