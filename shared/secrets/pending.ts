import { addVersion, createSecret, deleteSecret, findSecret, listVersions } from '../gcp/secrets.ts';
import { OperationError } from '../operation/errors.ts';
import { isManaged, managedLabel } from './managed.ts';
import { readValue } from './observe.ts';

/** Says of a pending secret which one it belongs to. */
const ofAnnotation = 'drover.pending-for';

/** The secret that holds the next password of another one until it is published. */
export function pendingId(id: string): string {
  return `${id.slice(0, 246)}--pending`;
}

/**
 * The password that was written down last.
 *
 * @returns undefined where none is pending
 */
export async function readPending(id: string): Promise<string | undefined> {
  const pending = pendingId(id);
  const secret = await findSecret(pending);
  if (secret === undefined) return undefined;
  if (!isManaged(secret) || secret.annotations[ofAnnotation] !== id) {
    throw new OperationError(
      'SECRET_NOT_MANAGED',
      `The secret ${pending}, which the rotation of ${id} needs for the time between, exists and is not Drover's.`,
      { details: { name: pending } },
    );
  }
  const newest = (await listVersions(pending)).find(({ state }) => state === 'ENABLED');
  return newest && (await readValue(pending, newest.number, new Map()))?.toString();
}

/** Writes a password down before anything is done with it. */
export async function writePending(id: string, password: string): Promise<void> {
  const pending = pendingId(id);
  await createSecret(pending, {
    labels: { [managedLabel.key]: managedLabel.value },
    annotations: { [ofAnnotation]: id },
  });
  await addVersion(pending, Buffer.from(password));
}

export function discardPending(id: string): Promise<void> {
  return deleteSecret(pendingId(id));
}
