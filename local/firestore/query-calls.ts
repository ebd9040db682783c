import { status } from '@grpc/grpc-js';
import { GrpcError, type Message } from '../grpc/server.ts';
import { aggregate, parseAggregations } from './aggregation.ts';
import type { Database } from './database.ts';
import { toWire } from './document-calls.ts';
import { isDocumentName } from './field-path.ts';
import { checkParent, databaseOf } from './names.ts';
import { parseQuery, type Query } from './query.ts';
import { queryDocuments } from './query-result.ts';
import { toTimestamp } from './time.ts';
import type { Aggregation, ConsistencySelector, StructuredQuery } from './wire.ts';

/** RunQuery: one answer per document; one without a document if there are none or some were skipped. */
export function* runQuery(database: Database, message: Message): Iterable<Message> {
  const request: {
    parent?: string;
    structuredQuery?: StructuredQuery;
    explainOptions?: unknown;
  } & ConsistencySelector = message;
  refuseExplain(request);
  const parent = checkParent(request.parent);
  const query = parseQuery(parent, request.structuredQuery ?? {});
  const view = database.view(databaseOf(parent), request);
  database.lockQuery(view, query.covers);
  const { documents, skipped } = queryDocuments(database.store, query, view.time);
  const readTime = toTimestamp(database.readTime(view));
  const mask = query.select?.filter((path) => !isDocumentName(path));
  if (view.begun || skipped > 0 || documents.length === 0) {
    yield {
      readTime,
      ...(view.begun && { transaction: view.begun }),
      ...(skipped > 0 && { skippedResults: skipped }),
    };
  }
  for (const document of documents) yield { document: toWire(document, mask), readTime };
}

/** RunAggregationQuery: one answer. */
export function* runAggregationQuery(database: Database, message: Message): Iterable<Message> {
  const request: {
    parent?: string;
    structuredAggregationQuery?: { structuredQuery?: StructuredQuery; aggregations?: Aggregation[] };
    explainOptions?: unknown;
  } & ConsistencySelector = message;
  refuseExplain(request);
  const parent = checkParent(request.parent);
  const { structuredQuery = {}, aggregations } = request.structuredAggregationQuery ?? {};
  const query: Query = parseQuery(parent, structuredQuery);
  const checked = parseAggregations(aggregations);
  const view = database.view(databaseOf(parent), request);
  database.lockQuery(view, query.covers);
  const { documents } = queryDocuments(database.store, query, view.time);
  yield {
    result: { aggregateFields: aggregate(checked, documents) },
    readTime: toTimestamp(database.readTime(view)),
    ...(view.begun && { transaction: view.begun }),
  };
}

function refuseExplain({ explainOptions }: { explainOptions?: unknown }): void {
  if (explainOptions) throw new GrpcError(status.UNIMPLEMENTED, 'Query explain is not supported.');
}
