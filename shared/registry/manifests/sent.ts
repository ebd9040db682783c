import type { DocumentReference } from '@google-cloud/firestore';
import type { OperationContext } from '../../operation/definition.ts';
import { sentIn } from './decide.ts';
import { grantMark, mostGrantedBy, type SentOperation } from './model.ts';
import { readManifestRecord } from './store.ts';

/** Of operations that are about to be published. */
export interface Sending extends Pick<SentOperation, 'key' | 'function' | 'run' | 'hash'> {
  /** Of its record. */
  readonly id: string;
  readonly grants: boolean;
}

/**
 * Writes down what is about to be published, so that whoever comes next can wait for it, and knows what was granted by whom.
 *
 * @param ended ids of records, of operations that have ended since
 * @returns the generation that was begun meanwhile, where one was: then nothing may be published
 * @throws OperationError `LEASE_LOST`
 */
export async function noteSent(
  operation: Pick<OperationContext, 'id' | 'transact'>,
  ref: DocumentReference,
  generation: string,
  sending: readonly Sending[],
  ended: readonly string[],
): Promise<string | undefined> {
  return operation.transact([], async (transaction) => {
    const fieldMask = ['generation', 'operation', 'sent', 'grantedBy'];
    const [snapshot] = await transaction.getAll(ref, { fieldMask });
    const found = readManifestRecord(snapshot);
    if (found?.generation !== generation || found.operation !== operation.id)
      return found?.generation ?? generation;
    const known = sentIn(found);
    const sent = new Map(Object.entries(known.sent).filter(([id]) => !ended.includes(id)));
    const last = new Date();
    for (const { id, key, function: name, run, hash } of sending)
      sent.set(id, { key, function: name, run, hash, at: sent.get(id)?.at ?? last, last });
    const marks = sending.filter(({ grants }) => grants).map(({ id }) => grantMark(id));
    const grantedBy = [...new Set([...known.grantedBy, ...marks])].slice(-mostGrantedBy);
    transaction.update(ref, { sent: Object.fromEntries(sent), grantedBy });
    return undefined;
  });
}

/** The generation that was begun last, if it isn't this operation's: little is read, for that is asked often. */
export async function overtakenBy(
  ref: DocumentReference,
  generation: string,
  operation: Pick<OperationContext, 'id'>,
): Promise<string | undefined> {
  const [snapshot] = await ref.firestore.getAll(ref, { fieldMask: ['generation', 'operation'] });
  const found = readManifestRecord(snapshot);
  const isOwn = found?.generation === generation && found.operation === operation.id;
  return isOwn ? undefined : (found?.generation ?? generation);
}
