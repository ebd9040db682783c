import { randomBytes, randomInt } from 'node:crypto';
import { addVersion, SecretChanged } from '../gcp/secrets.ts';
import type { ManagedSecret } from './managed.ts';
import { added, lookAgain, mostLooks, moveAliases, type Rotated, type Rotation } from './rotation.ts';

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** As many as 32 bytes need. */
const keyCharacters = 43;

const randomValueBytes = 32;

/** A new value: of a key with what it begins with, else 256 random bits. */
export function newValue(secret: Exclude<ManagedSecret, { kind: 'postgres' }>): string {
  if (secret.kind === 'random') return randomBytes(randomValueBytes).toString('base64url');
  const characters = Array.from({ length: keyCharacters }, () => base62[randomInt(base62.length)]);
  return `${secret.prefix}_${characters.join('')}`;
}

/** Rotates a secret that only whoever reads it knows: a new version, and the former one goes on working. */
export async function rotateValue(
  rotation: Rotation<Exclude<ManagedSecret, { kind: 'postgres' }>>,
): Promise<Rotated> {
  const { operation, id, managed, changes } = rotation;
  for (let lost = 0; rotation.seen.movedBy !== operation.id; ) {
    const { versions, current = 0 } = rotation.seen;
    // Added by an attempt that didn't get as far as the aliases.
    let published = versions.find(({ number, state }) => number > current && state === 'ENABLED');
    if (published === undefined) {
      rotation.beforeBreaking();
      operation.signal.throwIfAborted();
      operation.assertHeld();
      published = await addVersion(id, Buffer.from(newValue(managed)));
      rotation.seen = { ...rotation.seen, versions: [published, ...versions] };
      changes.push(added(id, published.number));
    }
    try {
      await moveAliases(rotation, published.number);
    } catch (error) {
      lost += 1;
      if (!(error instanceof SecretChanged) || lost === mostLooks) throw error;
      await lookAgain(rotation);
    }
  }
  const { current, previous } = rotation.seen;
  if (current === undefined) throw new Error('a rotation ended without a current version');
  return { current, previous, momentMs: 0 };
}
