import type { Message, UnaryHandler } from '../grpc/server.ts';
import { invalidArgument, requireSupported, unimplemented } from './errors.ts';
import { requireId } from './names.ts';
import { page } from './pages.ts';
import { type KeyStore, toCryptoKey, toKeyRing } from './store.ts';

const listFields = ['parent', 'pageSize', 'pageToken'];

/** The methods of key rings and keys. */
export function keyCalls(store: KeyStore): Record<string, UnaryHandler> {
  const { names } = store;
  return {
    CreateKeyRing(request) {
      requireSupported(request, ['parent', 'keyRingId', 'keyRing']);
      const parent = names.of('Location', request['parent']);
      return toKeyRing(store.addRing(`${parent}/keyRings/${requireId(request['keyRingId'])}`));
    },

    GetKeyRing: ({ name }) => toKeyRing(store.ring(names.of('KeyRing', name))),

    ListKeyRings(request) {
      requireSupported(request, listFields);
      const { items, ...rest } = page(store.ringsIn(names.of('Location', request['parent'])), request);
      return { keyRings: items.map(toKeyRing), ...rest };
    },

    CreateCryptoKey(request) {
      requireSupported(request, ['parent', 'cryptoKeyId', 'cryptoKey', 'skipInitialVersionCreation']);
      const parent = names.of('KeyRing', request['parent']);
      const id = requireId(request['cryptoKeyId']);
      requireSymmetric(request['cryptoKey']);
      const key = store.addKey(`${parent}/cryptoKeys/${id}`);
      if (!request['skipInitialVersionCreation']) key.primary = store.addVersion(key);
      return toCryptoKey(key);
    },

    GetCryptoKey: ({ name }) => toCryptoKey(store.key(names.of('CryptoKey', name))),

    ListCryptoKeys(request) {
      requireSupported(request, listFields);
      const { items, ...rest } = page(store.keysIn(names.of('KeyRing', request['parent'])), request);
      return { cryptoKeys: items.map(toCryptoKey), ...rest };
    },

    UpdateCryptoKeyPrimaryVersion({ name, cryptoKeyVersionId }) {
      const key = store.key(names.of('CryptoKey', name));
      const wanted = names.of('CryptoKeyVersion', `${key.name}/cryptoKeyVersions/${cryptoKeyVersionId}`);
      const version = store.version(wanted);
      version.requireEnabled();
      key.primary = version;
      return toCryptoKey(key);
    },
  };
}

/** @throws UNIMPLEMENTED for other keys than symmetric ones that the service makes and keeps itself */
function requireSymmetric(value: unknown): void {
  const key = (value ?? {}) as Message;
  const purpose = key['purpose'] ?? 'CRYPTO_KEY_PURPOSE_UNSPECIFIED';
  if (purpose === 'CRYPTO_KEY_PURPOSE_UNSPECIFIED') throw invalidArgument('A key must have a purpose.');
  if (purpose !== 'ENCRYPT_DECRYPT') throw unimplemented(`keys for ${purpose}`);
  requireSupported(key, ['name', 'primary', 'purpose', 'createTime', 'versionTemplate']);
  const { protectionLevel = 'SOFTWARE', algorithm = 'GOOGLE_SYMMETRIC_ENCRYPTION' } = (key[
    'versionTemplate'
  ] ?? {}) as Message;
  for (const asked of [protectionLevel, algorithm]) {
    const isKnown = ['SOFTWARE', 'GOOGLE_SYMMETRIC_ENCRYPTION'].includes(String(asked));
    if (!isKnown && !String(asked).endsWith('_UNSPECIFIED')) throw unimplemented(`keys of ${asked}`);
  }
}
