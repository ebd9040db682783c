import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { Firestore } from '@google-cloud/firestore';
import { PubSub, v1 } from '@google-cloud/pubsub';
import pg from 'pg';
import { readDocuments } from './documents.ts';
import { type Equipment, performCalls, WarmConnections } from './operation.ts';
import type { Order, Ready } from './process.ts';
import { productConnection, type Statements } from './statements.ts';

/**
 * The floor: a process of its own, as a function is, whose bare HTTP server is pushed to and makes the calls of each
 * message's operation. Its parent sends what to say to PostgreSQL beforehand.
 */
const statements = new Map<string, Statements>();
const project = process.env['GOOGLE_CLOUD_PROJECT'] ?? '';
const db = new Firestore();
let equipment: Equipment | undefined;

const server = createServer((request, response) => {
  handle(request).then(
    () => response.writeHead(204).end(),
    (error: unknown) => {
      console.error(error);
      response.writeHead(500).end();
    },
  );
}).listen(Number(process.env['PORT']), '127.0.0.1');

async function handle(request: IncomingMessage): Promise<void> {
  const { message } = JSON.parse(await text(request));
  const { schema } = JSON.parse(Buffer.from(message.data, 'base64').toString());
  const prepared = statements.get(schema);
  if (equipment === undefined || prepared === undefined) throw new Error(`nothing is prepared for ${schema}`);
  await performCalls(equipment, message.attributes['operation-id'], schema, prepared);
}

async function equip({ port, database, connections, example }: Order['equip'] & object): Promise<Equipment> {
  const clients = Array.from({ length: connections }, () => new pg.Client(productConnection(port, database)));
  await Promise.all(clients.map((client) => client.connect()));
  const options = await new PubSub({ projectId: project }).getClientConfig();
  const publisher = new v1.PublisherClient(options as ConstructorParameters<typeof v1.PublisherClient>[0]);
  return {
    db,
    publisher,
    results: publisher.projectTopicsPath(project, 'operation-results'),
    connections: new WarmConnections(clients),
    documents: await readDocuments(db, example),
    result: { text: example.result, exampleId: example.id },
  };
}

process.on('message', async ({ equip: wanted, statements: given }: Order) => {
  if (wanted) equipment = await equip(wanted);
  for (const [schema, texts] of given ?? []) statements.set(schema, texts);
  process.send?.({ ready: true } satisfies Ready);
});
server.on('listening', () => process.send?.({ ready: true } satisfies Ready));
