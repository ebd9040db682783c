import { status } from '@grpc/grpc-js';
import { GrpcError } from '../grpc/server.ts';
import { documentNameField, type FieldPath, getField, isDocumentName, parseFieldPath } from './field-path.ts';
import { compileFilter, type DocumentPredicate } from './filters.ts';
import { checkCollectionId, collectionOf, lastSegment } from './names.ts';
import type { StoredDocument } from './store.ts';
import { compareText } from './values.ts';
import type { StructuredQuery, Value } from './wire.ts';

/** One level of a query's order. */
export interface Order {
  readonly path: FieldPath;
  readonly byName: boolean;
  readonly descending: boolean;
}

/** A position in the sorted result: before or after everything that has these leading sort values. */
export interface Position {
  readonly values: readonly Value[];
  readonly before: boolean;
}

/** A query, checked, with everything made explicit that the service adds by itself. */
export interface Query {
  /** The one collection that is queried; undefined for all those below `parent` with `collectionId`. */
  readonly collection: string | undefined;
  readonly parent: string;
  readonly collectionId: string | undefined;
  /** The name that every match has, if there is only one. */
  readonly onlyName: string | undefined;
  /** Whether a document is in the queried collections and passes the filters; knows nothing of limits. */
  readonly covers: DocumentPredicate;
  /** Whether a document of the queried collections passes the filters. */
  readonly accepts: DocumentPredicate;
  readonly order: readonly Order[];
  readonly start: Position | undefined;
  readonly end: Position | undefined;
  readonly offset: number;
  readonly limit: number | undefined;
  /** Fields to answer with; undefined for all. */
  readonly select: readonly FieldPath[] | undefined;
}

/**
 * @param parent `…/documents` or the document whose subcollections are queried
 * @throws INVALID_ARGUMENT; UNIMPLEMENTED for vector search
 * @see https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#structuredquery
 */
export function parseQuery(parent: string, query: StructuredQuery): Query {
  if (query.findNearest) throw new GrpcError(status.UNIMPLEMENTED, 'find_nearest is not supported.');
  const scope = parseScope(parent, query);
  const filter = query.where && compileFilter(query.where);
  const order = parseOrder(query, filter?.inequalities ?? new Set());
  // A document that lacks a field is in no index on it, so it can't be in a result sorted by it.
  const required = order.filter(({ byName }) => !byName).map(({ path }) => path);
  const accepts: DocumentPredicate = (document) =>
    (filter === undefined || filter.accepts(document)) &&
    required.every((path) => getField(document.fields, path) !== undefined);
  return {
    ...scope,
    onlyName: filter?.onlyName,
    accepts,
    covers: (document) => inScope(scope, document.name) && accepts(document),
    order,
    start: parseCursor(query.startAt, order),
    end: parseCursor(query.endAt, order),
    offset: count(query.offset, 'offset') ?? 0,
    limit: query.limit && (count(query.limit.value, 'limit') ?? 0),
    select: query.select && (query.select.fields ?? []).map(({ fieldPath }) => parseFieldPath(fieldPath)),
  };
}

type Scope = Pick<Query, 'collection' | 'parent' | 'collectionId'>;

function parseScope(parent: string, { from = [] }: StructuredQuery): Scope {
  const [selector] = from;
  if (selector === undefined || from.length > 1) {
    throw invalid('A query must be of exactly one collection or collection group.');
  }
  if (selector.allDescendants) {
    const collectionId = selector.collectionId ? checkCollectionId(selector.collectionId) : undefined;
    return { collection: undefined, parent, collectionId };
  }
  const collectionId = checkCollectionId(selector.collectionId);
  return { collection: `${parent}/${collectionId}`, parent, collectionId };
}

export function inScope({ collection, parent, collectionId }: Scope, name: string): boolean {
  const path = collectionOf(name);
  if (collection !== undefined) return path === collection;
  return path.startsWith(`${parent}/`) && (collectionId === undefined || lastSegment(path) === collectionId);
}

/** The order asked for, then the fields with an inequality, then the name: so that it is total. */
function parseOrder(query: StructuredQuery, inequalities: ReadonlySet<string>): readonly Order[] {
  const order: Order[] = [];
  const texts = new Set<string>();
  const add = (text: string | undefined, descending: boolean) => {
    const path = parseFieldPath(text);
    texts.add(text ?? '');
    order.push({ path, byName: isDocumentName(path), descending });
  };
  for (const { field, direction } of query.orderBy ?? []) add(field?.fieldPath, direction === 'DESCENDING');
  const descending = order.at(-1)?.descending ?? false;
  const missing = [...inequalities].filter((text) => !texts.has(text) && text !== documentNameField);
  for (const text of missing.sort(compareText)) add(text, descending);
  if (!texts.has(documentNameField)) add(documentNameField, descending);
  return order;
}

function parseCursor(cursor: StructuredQuery['startAt'], order: readonly Order[]): Position | undefined {
  if (cursor === undefined) return undefined;
  const values = cursor.values ?? [];
  if (values.length > order.length) throw invalid('Cursor has too many values.');
  values.forEach((value, index) => {
    if (order[index]?.byName && value.valueType !== 'referenceValue') {
      throw invalid(`Cursor value for ${documentNameField} must be a reference.`);
    }
  });
  return { values, before: cursor.before ?? false };
}

function count(value: number | undefined, what: string): number | undefined {
  if (value !== undefined && value < 0) throw invalid(`${what} is negative`);
  return value;
}

/** The value that a document sorts by at one level. */
export function sortValue({ path, byName }: Order, document: StoredDocument): Value | undefined {
  if (byName) return { valueType: 'referenceValue', referenceValue: document.name };
  return getField(document.fields, path);
}

function invalid(message: string): GrpcError {
  return new GrpcError(status.INVALID_ARGUMENT, message);
}
