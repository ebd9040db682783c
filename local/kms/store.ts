import type { Clock, Micros } from '../clock.ts';
import type { Message } from '../grpc/server.ts';
import { Duration, Timestamp } from '../grpc/time.ts';
import { alreadyExists, notFound } from './errors.ts';
import { algorithm, destroyAfter, KeyVersion } from './key-version.ts';
import { type Names, parentOf } from './names.ts';

export interface KeyRing {
  readonly name: string;
  readonly createTime: Micros;
}

export interface CryptoKey {
  readonly name: string;
  readonly createTime: Micros;
  readonly versions: KeyVersion[];
  primary: KeyVersion | undefined;
}

/** All key rings and keys. Nothing in Cloud KMS is ever deleted, and no name is used again. */
export class KeyStore {
  readonly clock: Clock;
  readonly names: Names;
  readonly #rings = new Map<string, KeyRing>();
  readonly #keys = new Map<string, CryptoKey>();

  constructor(clock: Clock, names: Names) {
    this.clock = clock;
    this.names = names;
  }

  /** @throws ALREADY_EXISTS */
  addRing(name: string): KeyRing {
    if (this.#rings.has(name)) throw alreadyExists('KeyRing', name);
    const ring: KeyRing = { name, createTime: this.clock.next() };
    this.#rings.set(name, ring);
    return ring;
  }

  /** @throws NOT_FOUND */
  ring(name: string): KeyRing {
    const ring = this.#rings.get(name);
    if (ring === undefined) throw notFound('KeyRing', name);
    return ring;
  }

  /** @throws ALREADY_EXISTS, and NOT_FOUND without its key ring */
  addKey(name: string): CryptoKey {
    this.ring(parentOf(name));
    if (this.#keys.has(name)) throw alreadyExists('CryptoKey', name);
    const key: CryptoKey = { name, createTime: this.clock.next(), versions: [], primary: undefined };
    this.#keys.set(name, key);
    return key;
  }

  /** @throws NOT_FOUND */
  key(name: string): CryptoKey {
    const key = this.#keys.get(name);
    if (key === undefined) throw notFound('CryptoKey', name);
    return key;
  }

  /** Whether there is one of this name. */
  has(name: string): boolean {
    return this.#rings.has(name) || this.#keys.has(name);
  }

  addVersion(key: CryptoKey): KeyVersion {
    const name = `${key.name}/cryptoKeyVersions/${key.versions.length + 1}`;
    const version = new KeyVersion(name, this.clock);
    key.versions.push(version);
    return version;
  }

  /** @throws NOT_FOUND */
  version(name: string): KeyVersion {
    const version = this.key(parentOf(name)).versions.find((one) => one.name === name);
    if (version === undefined) throw notFound('CryptoKeyVersion', name);
    return version;
  }

  /** In the order of their names. */
  ringsIn(location: string): KeyRing[] {
    return within(this.#rings.values(), location);
  }

  /** In the order of their names. @throws NOT_FOUND */
  keysIn(ring: string): CryptoKey[] {
    return within(this.#keys.values(), this.ring(ring).name);
  }
}

function within<Item extends { readonly name: string }>(all: Iterable<Item>, parent: string): Item[] {
  return [...all].filter(({ name }) => parentOf(name) === parent).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The google.cloud.kms.v1.KeyRing. */
export function toKeyRing({ name, createTime }: KeyRing): Message {
  return { name, createTime: new Timestamp(createTime) };
}

/** The google.cloud.kms.v1.CryptoKey. */
export function toCryptoKey({ name, createTime, primary }: CryptoKey): Message {
  return {
    name,
    createTime: new Timestamp(createTime),
    purpose: 'ENCRYPT_DECRYPT',
    versionTemplate: algorithm,
    destroyScheduledDuration: new Duration(destroyAfter),
    ...(primary && { primary: primary.toMessage() }),
  };
}
