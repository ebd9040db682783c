import type { UnaryHandler } from '../grpc/server.ts';
import { checkedData, checksumOf } from './checked-data.ts';
import { decrypt, encrypt, materialId } from './cipher.ts';
import { failedPrecondition, invalidArgument } from './errors.ts';
import { algorithm, type KeyVersion } from './key-version.ts';
import type { KeyStore } from './store.ts';

const { protectionLevel } = algorithm;

/** The methods that encrypt and decrypt. */
export function cipherCalls(store: KeyStore): Record<string, UnaryHandler> {
  const { names } = store;

  const versionFor = (value: unknown): KeyVersion => {
    const { name, kind } = names.parse(value, 'CryptoKey', 'CryptoKeyVersion');
    if (kind === 'CryptoKeyVersion') return store.version(name);
    const { primary } = store.key(name);
    if (primary === undefined) throw failedPrecondition(`CryptoKey ${name} has no primary version.`);
    return primary;
  };

  return {
    Encrypt(request) {
      const version = versionFor(request['name']);
      const plaintext = checkedData(request, 'plaintext');
      const additional = checkedData(request, 'additional_authenticated_data');
      const ciphertext = encrypt(version.requireMaterial(), plaintext.data, additional.data);
      return {
        name: version.name,
        ciphertext,
        ciphertextCrc32c: checksumOf(ciphertext),
        verifiedPlaintextCrc32c: plaintext.verified,
        verifiedAdditionalAuthenticatedDataCrc32c: additional.verified,
        protectionLevel,
      };
    },

    Decrypt(request) {
      const { versions, primary } = store.key(names.of('CryptoKey', request['name']));
      const ciphertext = checkedData(request, 'ciphertext', Number.POSITIVE_INFINITY);
      const additional = checkedData(request, 'additional_authenticated_data');
      const version = versions.find((one) => one.hasMaterial(materialId(ciphertext.data)));
      if (version === undefined) {
        throw invalidArgument("Decryption failed: verify that 'name' refers to the correct CryptoKey.");
      }
      const plaintext = decrypt(version.requireMaterial(), ciphertext.data, additional.data);
      if (plaintext === undefined) throw invalidArgument('Decryption failed: the ciphertext is invalid.');
      const usedPrimary = version === primary;
      return { plaintext, plaintextCrc32c: checksumOf(plaintext), usedPrimary, protectionLevel };
    },
  };
}
