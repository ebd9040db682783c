import type { DocumentReference, Firestore } from '@google-cloud/firestore';
import type { v1 } from '@google-cloud/pubsub';
import type pg from 'pg';
import type { Documents, RecordDocuments } from './documents.ts';
import type { Statements } from './statements.ts';

/** Everything that is at hand before the first operation begins. */
export interface Equipment<D extends RecordDocuments = Documents> {
  readonly db: Firestore;
  readonly publisher: v1.PublisherClient;
  /** The topic's full name. */
  readonly results: string;
  readonly connections: WarmConnections;
  readonly documents: D;
  /** The text of a result event; `exampleId` in it is another operation's id. */
  readonly result: { readonly text: string; readonly exampleId: string; readonly function: string };
}

/** Connections that are open already, each for one at a time. */
export class WarmConnections {
  readonly #idle: pg.Client[];
  readonly #waiting: ((client: pg.Client) => void)[] = [];

  constructor(clients: readonly pg.Client[]) {
    this.#idle = [...clients];
  }

  async take(): Promise<pg.Client> {
    return this.#idle.pop() ?? new Promise((resolve) => this.#waiting.push(resolve));
  }

  give(client: pg.Client): void {
    const next = this.#waiting.shift();
    if (next) next(client);
    else this.#idle.push(client);
  }
}

/**
 * The calls of one operation and nothing else: what the product asks of Firestore, PostgreSQL and Pub/Sub, in the
 * same order, with what it would send already at hand. No validation, policy, lease, planning, log or error handling.
 */
export async function performCalls(
  equipment: Equipment,
  id: string,
  schema: string,
  statements: Statements,
): Promise<void> {
  const { db, documents } = equipment;
  const record = db.collection('floor-operations').doc(id);
  const registered = db.collection('floor-schemas').doc(schema);

  await record.create(documents.claimed);
  await db.runTransaction(async (transaction) => {
    await transaction.getAll(record, registered);
    transaction.set(registered, documents.intended, { merge: true });
  });
  await change(equipment.connections, statements);
  await db.runTransaction(async (transaction) => {
    await transaction.getAll(record, registered);
    transaction.update(record, documents.completed);
    transaction.update(registered, documents.applied);
  });
  await report(equipment, id, record);
}

/** One transaction, sent as the product sends it. */
export async function change(connections: WarmConnections, { prologue, changes }: Statements): Promise<void> {
  const client = await connections.take();
  await client.query(prologue);
  await Promise.all(changes.map((text) => client.query(text)));
  await client.query('COMMIT');
  connections.give(client);
}

type Reporting = Pick<Equipment, 'db' | 'publisher' | 'results' | 'result'>;

/** The result event, and that it was published. */
export async function report(equipment: Reporting, id: string, record: DocumentReference): Promise<void> {
  await publishResult(equipment, id);
  await markReported(equipment.db, record);
}

export async function publishResult(
  { publisher, results, result }: Omit<Reporting, 'db'>,
  id: string,
): Promise<void> {
  const data = Buffer.from(result.text.replaceAll(result.exampleId, id));
  const attributes = { 'operation-id': id, state: 'succeeded', function: result.function };
  await publisher.publish({ topic: results, messages: [{ data, attributes }] });
}

async function markReported(db: Firestore, record: DocumentReference): Promise<void> {
  await db.runTransaction(async (transaction) => {
    await transaction.get(record);
    transaction.update(record, { reported: true });
  });
}
