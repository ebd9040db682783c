import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { Firestore } from '@google-cloud/firestore';
import { PubSub, v1 } from '@google-cloud/pubsub';
import pg from 'pg';
import { secretManager } from '../../../shared/gcp/secretmanager.ts';
import { readDocuments, readRecord } from './documents.ts';
import { type Equipment, performCalls, WarmConnections } from './operation.ts';
import type { Example, FloorSecret, Order, Ready } from './process.ts';
import { performRotation, type RotationEquipment } from './rotation.ts';
import { productConnection, type Statements } from './statements.ts';

/**
 * The floor: a process of its own, as a function is, whose bare HTTP server is pushed to and makes the calls of each
 * message's operation. Its parent sends what to say to PostgreSQL beforehand.
 */
const statements = new Map<string, Statements>();
const secrets = new Map<string, FloorSecret>();
const project = process.env['GOOGLE_CLOUD_PROJECT'] ?? '';
const db = new Firestore();
let equipment: Equipment | undefined;
let rotating: RotationEquipment | undefined;

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
  const { schema, secret } = JSON.parse(Buffer.from(message.data, 'base64').toString());
  const id = message.attributes['operation-id'];
  const rotated = secrets.get(secret);
  if (rotating && rotated) return performRotation(rotating, id, rotated);
  const prepared = statements.get(schema);
  if (equipment && prepared) return performCalls(equipment, id, schema, prepared);
  throw new Error(`nothing is prepared for ${schema ?? secret}`);
}

async function equip({ example, ...wanted }: Order['equip'] & object): Promise<Equipment> {
  const documents = await readDocuments(db, example);
  return { ...(await common(wanted, example, 'create-schema')), documents };
}

async function equipForSecrets({ example, ...wanted }: Order['equipForSecrets'] & object) {
  const documents = await readRecord(db, example.record);
  return {
    ...(await common(wanted, example, 'rotate-secret')),
    documents,
    secrets: await secretManager(),
    project: `projects/${project}`,
    login: productConnection(wanted.port, wanted.database, 'rotate-secret'),
  };
}

/** What either needs. */
async function common(
  { port, database, connections }: Omit<Order['equip'] & object, 'example'>,
  example: Example,
  functionName: string,
): Promise<Omit<Equipment, 'documents'>> {
  const connection = productConnection(port, database, functionName);
  const clients = Array.from({ length: connections }, () => new pg.Client(connection));
  await Promise.all(clients.map((client) => client.connect()));
  const options = await new PubSub({ projectId: project }).getClientConfig();
  const publisher = new v1.PublisherClient(options as ConstructorParameters<typeof v1.PublisherClient>[0]);
  return {
    db,
    publisher,
    results: publisher.projectTopicsPath(project, 'operation-results'),
    connections: new WarmConnections(clients),
    result: { text: example.result, exampleId: example.id, function: functionName },
  };
}

process.on('message', async (order: Order) => {
  if (order.equip) equipment = await equip(order.equip);
  if (order.equipForSecrets) rotating = await equipForSecrets(order.equipForSecrets);
  for (const [schema, texts] of order.statements ?? []) statements.set(schema, texts);
  for (const one of order.secrets ?? []) secrets.set(one.secret, one);
  process.send?.({ ready: true } satisfies Ready);
});
server.on('listening', () => process.send?.({ ready: true } satisfies Ready));
