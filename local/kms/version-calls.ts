import type { Message, UnaryHandler } from '../grpc/server.ts';
import { invalidArgument, requireSupported } from './errors.ts';
import { page } from './pages.ts';
import type { KeyStore } from './store.ts';

/** The methods of key versions. */
export function versionCalls(store: KeyStore): Record<string, UnaryHandler> {
  const { names } = store;
  const find = (name: unknown) => store.version(names.of('CryptoKeyVersion', name));
  return {
    // Another version becomes the primary one only when that is asked for.
    CreateCryptoKeyVersion(request) {
      requireSupported(request, ['parent', 'cryptoKeyVersion']);
      const key = store.key(names.of('CryptoKey', request['parent']));
      return store.addVersion(key).toMessage();
    },

    GetCryptoKeyVersion: ({ name }) => find(name).toMessage(),

    ListCryptoKeyVersions(request) {
      requireSupported(request, ['parent', 'pageSize', 'pageToken']);
      const { versions } = store.key(names.of('CryptoKey', request['parent']));
      const { items, ...rest } = page(versions, request);
      return { cryptoKeyVersions: items.map((version) => version.toMessage()), ...rest };
    },

    UpdateCryptoKeyVersion({ cryptoKeyVersion, updateMask }) {
      const sent = (cryptoKeyVersion ?? {}) as Message;
      const version = find(sent['name']);
      const paths = (((updateMask ?? {}) as Message)['paths'] ?? []) as string[];
      if (paths.length === 0) throw invalidArgument('No fields were selected for update.');
      const other = paths.find((path) => path !== 'state');
      if (other !== undefined) throw invalidArgument(`The field ${other} can't be updated.`);
      const { state } = sent;
      if (state !== 'ENABLED' && state !== 'DISABLED') {
        throw invalidArgument(`A version can't be updated to the state ${state}.`);
      }
      version.setState(state);
      return version.toMessage();
    },

    DestroyCryptoKeyVersion({ name }) {
      const version = find(name);
      version.scheduleDestruction();
      return version.toMessage();
    },
  };
}
