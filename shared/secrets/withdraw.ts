import { addVersion, disableVersion, SecretChanged } from '../gcp/secrets.ts';
import { classify } from '../operation/classify.ts';
import type { OperationContext } from '../operation/definition.ts';
import type { LoginOptions } from '../postgres/logins/change.ts';
import { readValue } from './observe.ts';
import { added, disabled, lookAgain, type Rotation } from './rotation.ts';

/** Time for it, where that of the operation is over. */
const withdrawMs = 10_000;

/** Whether this attempt has to look what became of a version that it sent: somebody else was faster. */
export function isOvertaken(error: unknown, { signal, assertHeld }: OperationContext): boolean {
  if (error instanceof SecretChanged || classify(error).code === 'LEASE_LOST') return true;
  try {
    assertHeld();
  } catch {
    return true;
  }
  return signal.aborted && classify(signal.reason).code === 'LEASE_LOST';
}

/**
 * Takes a version of this attempt back that isn't the current one and is of no use any more, and has `latest` lead to what
 * works. Nothing fences `AddSecretVersion`: what a frozen worker had sent takes effect whenever it goes on, and nobody else
 * would find it before the next rotation.
 *
 * @param value of the version; also where its answer never came
 * @param works whether it may stay, asked after another look
 */
export async function withdraw(
  rotation: Rotation,
  value: Buffer,
  works: (version: number, options: LoginOptions) => Promise<boolean>,
): Promise<void> {
  const { id, changes, operation } = rotation;
  await lookAgain(rotation);
  const number = await numberOf(rotation, value);
  if (number === undefined || number === rotation.seen.current) return;
  // The operation's own signal has fired, if it was taken over.
  const signal = AbortSignal.timeout(withdrawMs);
  const options = { pools: operation.pools, signal, remainingMs: () => withdrawMs };
  if (await works(number, options)) return;
  // First, so that `latest` never leads to what is disabled.
  if (rotation.seen.versions[0]?.number === number) await copyCurrent(rotation);
  await disableVersion(id, number);
  changes.push(disabled(id, number));
}

/** Adds the current value once more, so that `latest` leads to it. */
export async function copyCurrent(
  rotation: Pick<Rotation, 'id' | 'seen' | 'cache' | 'changes'>,
): Promise<void> {
  const { id, seen, cache, changes } = rotation;
  const value = seen.current === undefined ? undefined : await readValue(id, seen.current, cache);
  if (value === undefined) throw new SecretChanged(id, 'the current version was disabled');
  const version = await addVersion(id, value);
  cache.set(version.number, value);
  rotation.seen = { ...seen, versions: [version, ...seen.versions] };
  changes.push(added(id, version.number));
}

/** The newest enabled version that has a value. */
async function numberOf({ id, seen, cache }: Rotation, value: Buffer): Promise<number | undefined> {
  for (const { number, state } of seen.versions) {
    if (state === 'ENABLED' && (await readValue(id, number, cache))?.equals(value)) return number;
  }
  return undefined;
}
