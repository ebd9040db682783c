import type { DocumentReference } from '@google-cloud/firestore';
import type { Delivery } from '../operation/delivery.ts';
import type { OperationRecord } from './operations.ts';

/** A Firestore document holds 1 MiB, a request 10 MiB: what is longer is kept in parts below the record. */
const partBytes = 768 * 1024;

/** What is shorter than this is kept in the record itself. */
export const inlineBytes = 256 * 1024;

const payloadPart = 'payload';

type Payload = NonNullable<OperationRecord['payload']>;

/** Keeps a message for replay. */
export async function keepPayload(
  record: DocumentReference,
  { attributes, data }: Delivery,
): Promise<Payload> {
  if (data.length <= inlineBytes) return { attributes: { ...attributes }, data };
  return { attributes: { ...attributes }, parts: await writeParts(record, payloadPart, data) };
}

/** The data of a message that was kept. */
export async function readPayload(record: DocumentReference, payload: Payload): Promise<Buffer> {
  return payload.data ?? readParts(record, payloadPart);
}

/**
 * Keeps the outcome of an attempt that is too long for the record. Every attempt has its own place, so that one that
 * lost its lease can't write into its successor's.
 */
export async function keepOutcome(record: DocumentReference, epoch: number, bytes: Buffer): Promise<void> {
  await writeParts(record, outcomePart(epoch), bytes);
}

/** The lists of an outcome, whole: `changes`, `notes` and, of a dry run, `statements`. */
export async function readOutcome(record: DocumentReference, epoch: number): Promise<Buffer> {
  return readParts(record, outcomePart(epoch));
}

function outcomePart(epoch: number): string {
  return `outcome-${epoch}`;
}

/** Writing the same again changes nothing. */
async function writeParts(record: DocumentReference, name: string, bytes: Buffer): Promise<number> {
  const count = Math.ceil(bytes.length / partBytes);
  for (let index = 0; index < count; index += 1) {
    const part = bytes.subarray(index * partBytes, (index + 1) * partBytes);
    await record.collection(name).doc(String(index).padStart(4, '0')).set({ bytes: part });
  }
  return count;
}

async function readParts(record: DocumentReference, name: string): Promise<Buffer> {
  const { docs } = await record.collection(name).orderBy('__name__').get();
  return Buffer.concat(docs.map((part) => part.get('bytes') as Buffer));
}
