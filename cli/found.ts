import type { DocumentSnapshot, Firestore } from '@google-cloud/firestore';
import {
  conflictDocumentId,
  type OperationRecord,
  operationsCollection,
} from '../shared/registry/operations.ts';
import { readOutcome } from '../shared/registry/parts.ts';
import { notice } from './output.ts';

/** An operation's record with its id. */
export interface Found {
  readonly id: string;
  readonly record: OperationRecord;
}

/** The record of a snapshot, or undefined where there is none. */
export function foundIn(snapshot: DocumentSnapshot | undefined): Found | undefined {
  const record = snapshot?.data() as OperationRecord | undefined;
  return snapshot && record && { id: snapshot.id, record };
}

export async function readRecord(db: Firestore, id: string): Promise<Found | undefined> {
  return foundIn(await db.collection(operationsCollection).doc(id).get());
}

/**
 * The record of a message that was or will be sent.
 *
 * An operation of the same id may be about something else. Its record must not be taken for this message's: that one
 * is refused, and the refusal has a record of its own, whose id is made of both.
 *
 * @param id of the record that the message's operation id leads to
 */
export async function readRecordOf(
  db: Firestore,
  id: string,
  messageHash: string,
): Promise<Found | undefined> {
  const operations = db.collection(operationsCollection);
  const refusal = conflictDocumentId(id, messageHash);
  const [own, refused] = await db.getAll(operations.doc(id), operations.doc(refusal));
  const found = foundIn(own);
  return found?.record.messageHash === messageHash ? found : foundIn(refused);
}

/** The same record with its lists whole, where they were too long for it and are kept in parts. */
export async function withWholeLists(db: Firestore, found: Found): Promise<Found> {
  if (!found.record.truncated) return found;
  const bytes = await readOutcome(db.collection(operationsCollection).doc(found.id), found.record.epoch);
  try {
    const whole = JSON.parse(bytes.toString()) as Pick<OperationRecord, 'changes' | 'notes' | 'statements'>;
    return { id: found.id, record: { ...found.record, ...whole, truncated: false } };
  } catch {
    notice(`The whole lists of ${found.id} can't be read; what follows are their first entries`);
    return found;
  }
}
