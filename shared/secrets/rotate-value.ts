import { randomBytes, randomInt } from 'node:crypto';
import { addVersion, SecretChanged, type VersionInfo } from '../gcp/secrets.ts';
import { ownerOf, type ValueSecret } from './managed.ts';
import { readValue } from './observe.ts';
import { added, lookAgain, mostLooks, moveAliases, type Rotated, type Rotation } from './rotation.ts';
import { newTenantKey, registerVersion, revokeWithdrawn } from './tenant-keys.ts';
import { isOvertaken, withdraw } from './withdraw.ts';

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** As many as 32 bytes need. */
const keyCharacters = 43;

const randomValueBytes = 32;

/** A new value: of a key with what it begins with, else 256 random bits. */
export function newValue(secret: ValueSecret): string {
  if (secret.kind === 'random') return randomBytes(randomValueBytes).toString('base64url');
  const characters = Array.from({ length: keyCharacters }, () => base62[randomInt(base62.length)]);
  return `${secret.prefix}_${characters.join('')}`;
}

/**
 * Rotates a secret that only whoever reads it knows: a new version, and the former one goes on working. The key of a
 * tenant is accepted before `current` leads to it.
 */
export async function rotateValue(rotation: Rotation<ValueSecret>): Promise<Rotated> {
  const { operation, id, managed, changes, cache } = rotation;
  const owner = ownerOf(managed);
  const keys = new Map<number, string | undefined>();
  for (let lost = 0; rotation.seen.movedBy !== operation.id; ) {
    const { versions, current = 0 } = rotation.seen;
    let published = await unpublished(rotation);
    let sent: Buffer | undefined;
    try {
      if (published === undefined) {
        rotation.beforeBreaking();
        const { value, key } = owner ? await newTenantKey(owner) : { value: Buffer.from(newValue(managed)) };
        operation.signal.throwIfAborted();
        operation.assertHeld();
        sent = value;
        published = await addVersion(id, value);
        cache.set(published.number, value);
        keys.set(published.number, key);
        rotation.seen = { ...rotation.seen, versions: [published, ...versions] };
        changes.push(added(id, published.number));
      }
      const { number } = published;
      if (owner) await registerVersion(rotation, owner, number, keys.get(number));
      await moveAliases(rotation, number);
    } catch (error) {
      if (sent && isOvertaken(error, operation)) {
        await withdraw(rotation, sent, async (version) => {
          const { seen } = rotation;
          // Else another value has become the current one, and this one, though `latest`, never will.
          return seen.current === undefined || seen.current === current || version < seen.current;
        });
        if (owner && published) await revokeWithdrawn(rotation, published.number);
      }
      lost += 1;
      if (!(error instanceof SecretChanged) || lost === mostLooks) throw error;
      await lookAgain(rotation);
    }
  }
  const { current, previous } = rotation.seen;
  if (current === undefined) throw new Error('a rotation ended without a current version');
  return { current, previous, momentMs: 0 };
}

/** Added by an attempt that didn't get as far as the aliases; the current value, once more, is none. */
async function unpublished({ id, seen, cache }: Rotation): Promise<VersionInfo | undefined> {
  const { versions, current } = seen;
  const newer = versions.filter(({ number, state }) => number > (current ?? 0) && state === 'ENABLED');
  if (newer.length === 0 || current === undefined) return newer[0];
  const value = await readValue(id, current, cache);
  for (const version of newer) {
    const other = await readValue(id, version.number, cache);
    if (other && !(value && other.equals(value))) return version;
  }
  return undefined;
}
