import { clientProtos } from '../grpc/client-protos.ts';
import { type Interceptor, startGrpcServer } from '../grpc/server.ts';
import { Database } from './database.ts';
import { batchGetDocuments, documentCalls } from './document-calls.ts';
import { listCalls } from './list-calls.ts';
import { runAggregationQuery, runQuery } from './query-calls.ts';
import { type Clock, systemClock } from './time.ts';
import { transactionCalls } from './transaction-calls.ts';

/** A running Firestore of this machine. */
export interface ServedFirestore {
  /** Value for FIRESTORE_EMULATOR_HOST, such as `127.0.0.1:8080`. */
  readonly host: string;
  /** Tests put faults in here, at any time; see `local/grpc/server.ts`. */
  intercept: Interceptor | undefined;
  /** Removes all documents of all databases and forgets all transactions. */
  clear(): void;
  close(): Promise<void>;
}

/** Serves Firestore with a clock of the caller's, so that a test can let transactions expire. */
export async function serveFirestore(
  options: { port?: number; clock?: Clock } = {},
): Promise<ServedFirestore> {
  const database = new Database(options.clock ?? systemClock);
  const served: { intercept: Interceptor | undefined } = { intercept: undefined };
  const server = await startGrpcServer({
    protoJson: clientProtos('@google-cloud/firestore', 'v1.json'),
    services: {
      'google.firestore.v1.Firestore': {
        unary: { ...transactionCalls(database), ...documentCalls(database), ...listCalls(database) },
        serverStream: {
          BatchGetDocuments: (request) => batchGetDocuments(database, request),
          RunQuery: (request) => runQuery(database, request),
          RunAggregationQuery: (request) => runAggregationQuery(database, request),
        },
      },
    },
    port: options.port ?? 0,
    intercept: () => served.intercept,
  });
  return Object.assign(served, {
    host: `127.0.0.1:${server.port}`,
    clear: () => database.clear(),
    close: () => server.close(),
  });
}
