import { type DocumentData, type Firestore, Timestamp, type Transaction } from '@google-cloud/firestore';

/** A write as Firestore got it. */
export interface RecordedWrite {
  readonly update: { readonly name: string; readonly fields: Fields };
  readonly updateMask?: { readonly fieldPaths: readonly string[] };
  readonly updateTransforms: readonly unknown[];
  readonly currentDocument?: { readonly exists: boolean };
}

type Fields = Readonly<Record<string, RecordedValue>>;

type RecordedValue = { readonly valueType: string } & Readonly<Record<string, unknown>>;

/** The path of a document below its database. */
export function pathOf({ update: { name } }: RecordedWrite): string {
  return name.split('/documents/')[1] ?? '';
}

/** `tenants`, `steps/login`: which of an operation's documents it is. */
export function kindOf(write: RecordedWrite): string {
  const [collection = '', , ...below] = pathOf(write).split('/');
  return below.length > 0 ? below.join('/') : collection;
}

export function dataOf({ update }: RecordedWrite): DocumentData {
  return objectOf(update.fields);
}

/** Does the same write by the client's own methods. */
export function repeatWrite(db: Firestore, transaction: Transaction, write: RecordedWrite): void {
  const { updateMask, updateTransforms, currentDocument } = write;
  const ref = db.doc(pathOf(write));
  const fields = updateMask?.fieldPaths;
  if (updateTransforms.length > 0 || fields?.some((path) => !(path in write.update.fields)))
    throw new Error(`a write to ${ref.path} is more than fields that are set`);
  if (fields === undefined) transaction.set(ref, dataOf(write));
  else if (currentDocument?.exists) transaction.update(ref, dataOf(write));
  else transaction.set(ref, dataOf(write), { mergeFields: [...fields] });
}

function objectOf(fields: Fields = {}): DocumentData {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, decoded(value)]));
}

function decoded(value: RecordedValue): unknown {
  const held = value[value.valueType];
  switch (value.valueType) {
    case 'nullValue':
      return null;
    case 'booleanValue':
    case 'stringValue':
      return held;
    case 'integerValue':
    case 'doubleValue':
      return Number(held);
    case 'timestampValue': {
      const { seconds, nanos } = held as { seconds: string; nanos: number };
      return new Timestamp(Number(seconds), nanos);
    }
    case 'arrayValue':
      return ((held as { values?: RecordedValue[] }).values ?? []).map(decoded);
    case 'mapValue':
      return objectOf((held as { fields?: Fields }).fields);
    default:
      throw new Error(`a recorded ${value.valueType} can't be repeated`);
  }
}
