import { randomBytes } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { GrpcError, type Message } from '../grpc/server.ts';
import type { Database } from './database.ts';
import { type FieldPath, parseFieldPath, selectFields } from './field-path.ts';
import { checkCollectionId, checkDocumentName, checkParent, databaseOf } from './names.ts';
import type { StoredDocument } from './store.ts';
import { type Micros, toTimestamp } from './time.ts';
import type {
  ConsistencySelector,
  DocumentMask,
  Value,
  WireDocument,
  WirePrecondition,
  WireWrite,
} from './wire.ts';
import { parseWrite } from './writes.ts';

/** The unary calls that read or write one document. */
export function documentCalls(database: Database): Record<string, (request: Message) => Promise<Message>> {
  const write = async (wireWrite: WireWrite, name: string): Promise<StoredDocument | undefined> => {
    const databaseName = databaseOf(name);
    await database.commit(databaseName, [parseWrite(wireWrite, databaseName)]);
    return database.store.get(name);
  };
  return {
    GetDocument: async (request: { name?: string; mask?: DocumentMask } & ConsistencySelector) => {
      const name = checkDocumentName(request.name, undefined);
      const view = database.view(databaseOf(name), request);
      await database.lockDocuments(view, [name]);
      const { store } = database;
      const document = view.time === undefined ? store.get(name) : store.getAt(name, view.time);
      if (document === undefined) throw new GrpcError(status.NOT_FOUND, `Document "${name}" not found.`);
      return toWire(document, parseMask(request.mask));
    },

    CreateDocument: async (request: {
      parent?: string;
      collectionId?: string;
      documentId?: string;
      document?: WireDocument;
      mask?: DocumentMask;
    }) => {
      const id = request.documentId || randomBytes(15).toString('hex').slice(0, 20);
      const name = `${checkParent(request.parent)}/${checkCollectionId(request.collectionId)}/${id}`;
      const update: WireDocument = {
        name: checkDocumentName(name, undefined),
        ...fieldsOf(request.document),
      };
      const created = await write(
        { operation: 'update', update, currentDocument: { conditionType: 'exists', exists: false } },
        name,
      );
      return answer(created, name, request.mask);
    },

    UpdateDocument: async (request: {
      document?: WireDocument;
      updateMask?: DocumentMask;
      mask?: DocumentMask;
      currentDocument?: WirePrecondition;
    }) => {
      const name = checkDocumentName(request.document?.name, undefined);
      const update: WireDocument = { name, ...fieldsOf(request.document) };
      const { updateMask, currentDocument } = request;
      const updated = await write(
        {
          operation: 'update',
          update,
          ...(updateMask && { updateMask }),
          ...(currentDocument && { currentDocument }),
        },
        name,
      );
      return answer(updated, name, request.mask);
    },

    DeleteDocument: async (request: { name?: string; currentDocument?: WirePrecondition }) => {
      const name = checkDocumentName(request.name, undefined);
      const { currentDocument } = request;
      await write({ operation: 'delete', delete: name, ...(currentDocument && { currentDocument }) }, name);
      return {};
    },
  };
}

/** BatchGetDocuments: one answer per document, in the order asked for. */
export async function* batchGetDocuments(database: Database, message: Message): AsyncIterable<Message> {
  const request: { database?: string; documents?: string[]; mask?: DocumentMask } & ConsistencySelector =
    message;
  const databaseName = request.database ?? '';
  const names = [...new Set(request.documents ?? [])].map((name) => checkDocumentName(name, databaseName));
  const mask = parseMask(request.mask);
  const view = database.view(databaseName, request);
  await database.lockDocuments(view, names);
  const { store } = database;
  const documents = names.map((name) =>
    view.time === undefined ? store.get(name) : store.getAt(name, view.time),
  );
  const readTime = toTimestamp(database.readTime(view));
  let transaction = view.begun && { transaction: view.begun };
  if (names.length === 0) yield { ...transaction, readTime };
  for (const [index, document] of documents.entries()) {
    yield {
      ...(document ? { found: toWire(document, mask) } : { missing: names[index] }),
      ...transaction,
      readTime,
    };
    transaction = undefined;
  }
}

export function parseMask(mask: DocumentMask | undefined): readonly FieldPath[] | undefined {
  return mask && (mask.fieldPaths ?? []).map(parseFieldPath);
}

/** A document as it is sent, with all its fields or those of a mask. */
export function toWire(
  document: StoredDocument,
  mask: readonly FieldPath[] | undefined,
): {
  name: string;
  fields: { [name: string]: Value };
  createTime: object;
  updateTime: object;
} {
  const { name, fields, createTime, updateTime } = document;
  return {
    name,
    fields: mask ? selectFields(fields, mask) : fields,
    createTime: toTimestamp(createTime),
    updateTime: toTimestamp(updateTime satisfies Micros),
  };
}

function answer(document: StoredDocument | undefined, name: string, mask: DocumentMask | undefined): Message {
  return document ? toWire(document, parseMask(mask)) : { name };
}

function fieldsOf(document: WireDocument | undefined): Pick<WireDocument, 'fields'> {
  return document?.fields ? { fields: document.fields } : {};
}
