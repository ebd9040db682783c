import { status } from '@grpc/grpc-js';
import { GrpcError } from '../grpc/server.ts';
import { documentSize, maxDocumentBytes } from './document-size.ts';
import { type FieldPath, getField, isDocumentName, parseFieldPath, withField } from './field-path.ts';
import { checkDocumentName } from './names.ts';
import type { StoredDocument } from './store.ts';
import { type Micros, toMicros } from './time.ts';
import { applyTransforms, type FieldTransform, parseTransforms } from './transforms.ts';
import { storedFields } from './value-rules.ts';
import { compareText, sameFields } from './values.ts';
import type { Fields, Value, WirePrecondition, WireWrite } from './wire.ts';

/** What must hold of the document before a write. */
export type Precondition = { readonly exists: boolean } | { readonly updateTime: Micros };

/** One write of a commit, checked and in the store's form. */
export interface DocumentWrite {
  readonly name: string;
  readonly precondition: Precondition | undefined;
  readonly change:
    | { readonly kind: 'delete' }
    | { readonly kind: 'verify' }
    | {
        readonly kind: 'update';
        readonly fields: Fields;
        /** Only these fields change; undefined replaces the whole document. */
        readonly mask: readonly FieldPath[] | undefined;
        readonly transforms: readonly FieldTransform[];
      };
}

export interface WriteOutcome {
  /** The document after the write. The very same object if the write did not change it. */
  readonly next: StoredDocument | undefined;
  readonly transformResults: readonly Value[];
}

/**
 * Checks a write as it came over the wire.
 *
 * @throws INVALID_ARGUMENT
 * @see https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#write
 */
export function parseWrite(write: WireWrite, database: string): DocumentWrite {
  const precondition = parsePrecondition(write.currentDocument);
  switch (write.operation) {
    case 'delete':
      return { name: checkDocumentName(write.delete, database), precondition, change: { kind: 'delete' } };
    case 'verify':
      return { name: checkDocumentName(write.verify, database), precondition, change: { kind: 'verify' } };
    case 'transform': {
      const transforms = parseTransforms(write.transform?.fieldTransforms);
      const name = checkDocumentName(write.transform?.document, database);
      return { name, precondition, change: { kind: 'update', fields: {}, mask: [], transforms } };
    }
    case 'update': {
      const mask = write.updateMask && (write.updateMask.fieldPaths ?? []).map(parseFieldPath);
      if (mask?.some(isDocumentName)) throw invalid('Cannot update the name of a document.');
      return {
        name: checkDocumentName(write.update?.name, database),
        precondition,
        change: {
          kind: 'update',
          fields: storedFields(write.update?.fields),
          mask,
          transforms: parseTransforms(write.updateTransforms),
        },
      };
    }
    default:
      throw invalid('A write must update, delete or transform a document.');
  }
}

function parsePrecondition(precondition: WirePrecondition | undefined): Precondition | undefined {
  if (precondition?.conditionType === 'exists') return { exists: precondition.exists };
  if (precondition?.conditionType === 'updateTime') return { updateTime: toMicros(precondition.updateTime) };
  return undefined;
}

/**
 * The document that a write makes of the present one.
 *
 * @throws ALREADY_EXISTS, NOT_FOUND or FAILED_PRECONDITION if its precondition does not hold;
 *   INVALID_ARGUMENT if the document would be too large
 */
export function applyWrite(
  write: DocumentWrite,
  present: StoredDocument | undefined,
  commitTime: Micros,
): WriteOutcome {
  checkPrecondition(write, present);
  if (write.change.kind === 'verify') return { next: present, transformResults: [] };
  if (write.change.kind === 'delete') return { next: undefined, transformResults: [] };
  const { fields: written, mask, transforms } = write.change;
  const updated = mask ? applyMask(present?.fields ?? {}, written, mask) : written;
  const { fields, results } = applyTransforms(updated, transforms, commitTime);
  if (present && sameFields(present.fields, fields)) return { next: present, transformResults: results };
  if (documentSize(write.name, fields) > maxDocumentBytes) {
    throw invalid(
      `Document '${write.name}' cannot be written because its size exceeds the maximum allowed size of ` +
        `${maxDocumentBytes.toLocaleString('en')} bytes.`,
    );
  }
  const next = {
    name: write.name,
    fields: mask || transforms.length > 0 ? inOrder(fields) : fields,
    createTime: present?.createTime ?? commitTime,
    updateTime: commitTime,
  };
  return { next, transformResults: results };
}

function checkPrecondition({ name, precondition }: DocumentWrite, present: StoredDocument | undefined): void {
  if (precondition === undefined) return;
  if ('exists' in precondition) {
    if (precondition.exists === (present !== undefined)) return;
    if (present) throw new GrpcError(status.ALREADY_EXISTS, `Document already exists: ${name}`);
    throw new GrpcError(status.NOT_FOUND, `No document to update: ${name}`);
  }
  const stored = present?.updateTime ?? 0;
  if (stored === precondition.updateTime) return;
  throw new GrpcError(
    status.FAILED_PRECONDITION,
    `the stored version (${stored}) does not match the required base version (${precondition.updateTime})`,
  );
}

/** Fields that the mask names are taken from `written`, or removed if it lacks them; all others stay. */
function applyMask(present: Fields, written: Fields, mask: readonly FieldPath[]): Fields {
  let fields = present;
  for (const path of mask) fields = withField(fields, path, getField(written, path));
  return fields;
}

/** Keys that were added last belong among the others: maps are stored in the order of their keys. */
function inOrder(fields: Fields): Fields {
  const names = Object.keys(fields);
  const ordered = names.every((name, index) => index === 0 || compareText(names[index - 1] ?? '', name) < 0);
  const sorted: Fields = {};
  for (const name of ordered ? names : names.toSorted(compareText)) {
    const value = fields[name];
    if (value === undefined) continue;
    sorted[name] =
      value.valueType === 'mapValue'
        ? { valueType: 'mapValue', mapValue: { fields: inOrder(value.mapValue.fields ?? {}) } }
        : value;
  }
  return sorted;
}

function invalid(message: string): GrpcError {
  return new GrpcError(status.INVALID_ARGUMENT, message);
}
