import { status } from '@grpc/grpc-js';
import { GrpcError } from '../grpc/server.ts';

/** https://cloud.google.com/firestore/quotas#collections_documents_and_fields */
const maxIdBytes = 1500;
const maxNameBytes = 6 * 1024;

const reservedId = /^__.*__$/s;
const numericId = /^__id-?\d+__$/;

const parentPattern = /^projects\/[^/]+\/databases\/[^/]+\/documents(?:\/(.+))?$/s;

function invalid(message: string): GrpcError {
  return new GrpcError(status.INVALID_ARGUMENT, message);
}

function checkId(id: string, what: string, name: string): void {
  if (id === '') throw invalid(`${what} name "${name}" has an empty segment`);
  if (id === '.' || id === '..') throw invalid(`Document name "${name}" has the illegal segment "${id}"`);
  if (id.length * 3 > maxIdBytes && Buffer.byteLength(id) > maxIdBytes) {
    throw invalid(`${what} id is longer than ${maxIdBytes} bytes`);
  }
  // Ids such as __id7__ are how numeric ids of Datastore appear; all others of this shape are reserved.
  if (reservedId.test(id) && !numericId.test(id))
    throw invalid(`${what} id "${id}" is invalid because it is reserved.`);
}

/**
 * Checks the full name of a document, `projects/P/databases/D/documents/COLLECTION/ID/…`, of this database.
 *
 * @throws INVALID_ARGUMENT
 */
export function checkDocumentName(name: string | undefined, database: string | undefined): string {
  if (name === undefined || name === '') throw invalid('Document name is missing.');
  const path = parentPattern.exec(name)?.[1];
  if (path === undefined) throw invalid(`Document name "${name}" is not the name of a document`);
  if (database !== undefined && !name.startsWith(`${database}/documents/`)) {
    throw invalid(`Document name "${name}" is not in the database "${database}"`);
  }
  const segments = path.split('/');
  if (segments.length % 2 !== 0) {
    throw invalid(`Document name "${name}" lacks "/" at index ${name.length}: it names a collection`);
  }
  segments.forEach((id, index) => {
    checkId(id, index % 2 === 0 ? 'Collection' : 'Document', name);
  });
  if (name.length * 3 > maxNameBytes && Buffer.byteLength(path) > maxNameBytes) {
    throw invalid(`Document name is longer than ${maxNameBytes} bytes`);
  }
  return name;
}

/** Checks the parent of collections: the `documents` root of a database, or a document. */
export function checkParent(parent: string | undefined): string {
  const match = parentPattern.exec(parent ?? '');
  if (parent === undefined || match === null) throw invalid(`Invalid parent "${parent ?? ''}"`);
  if (match[1] !== undefined) checkDocumentName(parent, undefined);
  return parent;
}

export function checkCollectionId(id: string | undefined): string {
  if (id === undefined || id === '') throw invalid('Collection id is missing.');
  if (id.includes('/')) throw invalid(`Collection id "${id}" contains "/".`);
  checkId(id, 'Collection', id);
  return id;
}

/** Checks `projects/P/databases/D`. */
export function checkDatabase(database: string | undefined): string {
  if (database === undefined || !/^projects\/[^/]+\/databases\/[^/]+$/.test(database)) {
    throw invalid(`Invalid database name "${database ?? ''}"`);
  }
  return database;
}

/** `projects/P/databases/D` of any name below it. */
export function databaseOf(name: string): string {
  return name.slice(0, name.indexOf('/documents'));
}

/** The path of the collection that a document is in: its name without its id. */
export function collectionOf(documentName: string): string {
  return documentName.slice(0, documentName.lastIndexOf('/'));
}

export function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
