import type { CollectionReference, DocumentReference } from '@google-cloud/firestore';
import type { Delivery } from '../operation/delivery.ts';
import { expiry } from './expiry.ts';
import type { KeptMessage } from './operations.ts';

/** A Firestore document holds 1 MiB, a request 10 MiB: what is longer is kept in parts below the record. */
const partBytes = 768 * 1024;

/** What is shorter than this is kept in the record itself. */
export const inlineBytes = 256 * 1024;

/** Collections below a record. Firestore's TTL takes no part with its record, so parts have a date of their own. */
const payloads = 'payload';
const outcomes = 'outcome';

/** Keeps a message for replay. */
export async function keepPayload(
  record: DocumentReference,
  { attributes, data }: Delivery,
): Promise<KeptMessage> {
  const list = Object.entries(attributes).map(([name, value]) => ({ name, value }));
  if (data.length <= inlineBytes) return { attributes: list, data };
  return { attributes: list, parts: await writeParts(record.collection(payloads), 'data', data) };
}

/** The data of a message that was kept. */
export async function readPayload(record: DocumentReference, message: KeptMessage): Promise<Buffer> {
  return message.data ?? readParts(record.collection(payloads), 'data');
}

/**
 * Keeps the outcome of an attempt that is too long for the record. Every attempt has its own place, so that one that
 * lost its lease can't write into its successor's.
 */
export async function keepOutcome(record: DocumentReference, epoch: number, bytes: Buffer): Promise<void> {
  await writeParts(record.collection(outcomes), String(epoch), bytes);
}

/** The lists of an outcome, whole: `changes`, `notes` and, of a dry run, `statements`. */
export async function readOutcome(record: DocumentReference, epoch: number): Promise<Buffer> {
  return readParts(record.collection(outcomes), String(epoch));
}

/** Writing the same again changes nothing. */
async function writeParts(parts: CollectionReference, name: string, bytes: Buffer): Promise<number> {
  const count = Math.ceil(bytes.length / partBytes);
  const expireAt = expiry(new Date());
  for (let index = 0; index < count; index += 1) {
    const part = bytes.subarray(index * partBytes, (index + 1) * partBytes);
    await parts.doc(`${name}-${String(index).padStart(4, '0')}`).set({ bytes: part, expireAt });
  }
  return count;
}

async function readParts(parts: CollectionReference, name: string): Promise<Buffer> {
  const { docs } = await parts.orderBy('__name__').startAt(`${name}-`).endAt(`${name}-~`).get();
  return Buffer.concat(docs.map((part) => part.get('bytes') as Buffer));
}
