import { status } from '@grpc/grpc-js';
import { GrpcError, type Message } from '../grpc/server.ts';
import { checkRequestSize } from './commit.ts';
import type { Database } from './database.ts';
import { documentSize } from './document-size.ts';
import { checkDatabase } from './names.ts';
import type { TransactionOptions, WireWrite } from './wire.ts';
import { type DocumentWrite, parseWrite } from './writes.ts';

/** The calls that begin and end transactions, and those that write several documents. */
export function transactionCalls(database: Database): Record<string, (request: Message) => Promise<Message>> {
  return {
    BeginTransaction: async (request: { database?: string; options?: TransactionOptions }) => ({
      transaction: database.begin(checkDatabase(request.database), request.options).id,
    }),

    Commit: async (request: { database?: string; writes?: WireWrite[]; transaction?: Buffer }) => {
      const name = checkDatabase(request.database);
      const writes = parseWrites(request.writes ?? [], name);
      return { ...(await database.commit(name, writes, request.transaction)) };
    },

    Rollback: async (request: { database?: string; transaction?: Buffer }) => {
      if (!request.transaction?.length) throw new GrpcError(status.INVALID_ARGUMENT, 'Invalid transaction.');
      database.rollback(checkDatabase(request.database), request.transaction);
      return {};
    },

    BatchWrite: async (request: { database?: string; writes?: WireWrite[] }) => {
      const name = checkDatabase(request.database);
      const writes = parseWrites(request.writes ?? [], name);
      if (new Set(writes.map((write) => write.name)).size < writes.length) {
        throw new GrpcError(
          status.INVALID_ARGUMENT,
          'Cannot write to the same document more than once in a batch of independent writes.',
        );
      }
      const results = await Promise.all(writes.map((write) => writeAlone(database, name, write)));
      return {
        writeResults: results.map(({ result }) => result),
        status: results.map((each) => each.status),
      };
    },
  };
}

function parseWrites(writes: readonly WireWrite[], database: string): DocumentWrite[] {
  const parsed = writes.map((write) => parseWrite(write, database));
  // One document alone is refused for its own size.
  if (parsed.length > 1) {
    checkRequestSize(
      parsed.reduce(
        (bytes, { name, change }) =>
          bytes + (change.kind === 'update' ? documentSize(name, change.fields) : name.length),
        0,
      ),
    );
  }
  return parsed;
}

async function writeAlone(
  database: Database,
  name: string,
  write: DocumentWrite,
): Promise<{ result: object; status: object }> {
  try {
    const { writeResults } = await database.commit(name, [write]);
    return { result: writeResults[0] ?? {}, status: { code: status.OK } };
  } catch (error) {
    if (!(error instanceof GrpcError)) throw error;
    return { result: {}, status: { code: error.code, message: error.message } };
  }
}
