import type { Order, Position, Query } from './query.ts';
import { inScope, sortValue } from './query.ts';
import type { DocumentStore, StoredDocument } from './store.ts';
import type { Micros } from './time.ts';
import { compareNames, compareValues } from './values.ts';

export interface QueryResult {
  readonly documents: readonly StoredDocument[];
  /** Documents that the offset passed over. */
  readonly skipped: number;
}

/** Runs a query on the present documents, or on those of `time`. */
export function queryDocuments(store: DocumentStore, query: Query, time?: Micros): QueryResult {
  const matches: StoredDocument[] = [];
  for (const document of candidates(store, query, time)) if (query.accepts(document)) matches.push(document);
  matches.sort((a, b) => compareDocuments(query.order, a, b));
  const { start, end } = query;
  const inRange =
    start || end
      ? matches.filter(
          (document) =>
            (start === undefined || !isBefore(query.order, document, start)) &&
            (end === undefined || isBefore(query.order, document, end)),
        )
      : matches;
  const skipped = Math.min(query.offset, inRange.length);
  const last = query.limit === undefined ? inRange.length : skipped + query.limit;
  return { documents: inRange.slice(skipped, last), skipped };
}

function candidates(store: DocumentStore, query: Query, time: Micros | undefined): Iterable<StoredDocument> {
  const { onlyName, collection } = query;
  if (onlyName !== undefined) {
    const document = time === undefined ? store.get(onlyName) : store.getAt(onlyName, time);
    return document && inScope(query, onlyName) ? [document] : [];
  }
  if (collection !== undefined) return store.inCollection(collection, time);
  return store.inGroup(query.parent, query.collectionId, time);
}

function compareDocuments(order: readonly Order[], a: StoredDocument, b: StoredDocument): number {
  for (const level of order) {
    const compared = level.byName ? compareNames(a.name, b.name) : compareAt(level, a, b);
    if (compared !== 0) return level.descending ? -compared : compared;
  }
  return 0;
}

function compareAt(level: Order, a: StoredDocument, b: StoredDocument): number {
  const left = sortValue(level, a);
  const right = sortValue(level, b);
  return left && right ? compareValues(left, right) : 0;
}

/** Whether a document comes before a position. One that has the position's very values is before it or not, as it says. */
function isBefore(order: readonly Order[], document: StoredDocument, position: Position): boolean {
  for (const [index, value] of position.values.entries()) {
    const level = order[index];
    const own = level && sortValue(level, document);
    if (level === undefined || own === undefined) continue;
    const compared = compareValues(own, value);
    if (compared !== 0) return compared < 0 !== level.descending;
  }
  return !position.before;
}
