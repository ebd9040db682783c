import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { BigQuery } from '@google-cloud/bigquery';
import { Firestore } from '@google-cloud/firestore';
import { KeyManagementServiceClient } from '@google-cloud/kms';
import { PubSub, v1 } from '@google-cloud/pubsub';
import { Storage } from '@google-cloud/storage';
import { PassThroughClient } from 'google-auth-library';
import pg from 'pg';
import { emulatorOptions } from '../../../shared/gcp/grpc-emulator.ts';
import { secretManager } from '../../../shared/gcp/secretmanager.ts';
import { maintenanceDatabase } from '../../../shared/postgres/databases/database.ts';
import { type BootstrapEquipment, performBootstrap } from './bootstrap.ts';
import { readDocuments, readRecord } from './documents.ts';
import { type Equipment, performCalls, WarmConnections } from './operation.ts';
import { Playback } from './playback.ts';
import type { Equip, Example, FloorSecret, FloorTenant, Order, Ready } from './process.ts';
import type { Recording } from './recording.ts';
import { performRotation, type RotationEquipment } from './rotation.ts';
import { productConnection, type Statements } from './statements.ts';

/**
 * The floor: a process of its own, as a function is, whose bare HTTP server is pushed to and makes the calls of each
 * message's operation. Its parent sends what to say to PostgreSQL beforehand.
 */
const statements = new Map<string, Statements>();
const secrets = new Map<string, FloorSecret>();
const tenants = new Map<string, { readonly made: FloorTenant; readonly play: Playback }>();
const project = process.env['GOOGLE_CLOUD_PROJECT'] ?? '';
const db = new Firestore();
let equipment: Equipment | undefined;
let rotating: RotationEquipment | undefined;
let bootstrapping: BootstrapEquipment | undefined;

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
  const { schema, secret, tenant } = JSON.parse(Buffer.from(message.data, 'base64').toString());
  const id = message.attributes['operation-id'];
  const rotated = secrets.get(secret);
  if (rotating && rotated) return performRotation(rotating, id, rotated);
  const wanted = tenants.get(tenant);
  if (bootstrapping && wanted) return performBootstrap(bootstrapping, id, wanted.made, wanted.play);
  const prepared = statements.get(schema);
  if (equipment && prepared) return performCalls(equipment, id, schema, prepared);
  throw new Error(`nothing is prepared for ${schema ?? secret ?? tenant}`);
}

async function equip({ example, ...wanted }: Order['equip'] & object): Promise<Equipment> {
  const documents = await readDocuments(db, example);
  return {
    ...(await common(wanted, 'create-schema')),
    result: resultOf(example, 'create-schema'),
    documents,
  };
}

async function equipForSecrets({ example, ...wanted }: Order['equipForSecrets'] & object) {
  const documents = await readRecord(db, example.record);
  return {
    ...(await common(wanted, 'rotate-secret')),
    result: resultOf(example, 'rotate-secret'),
    documents,
    secrets: await secretManager(),
    project: `projects/${project}`,
    login: productConnection(wanted.port, wanted.database, 'rotate-secret'),
  };
}

async function equipForTenants(wanted: Order['equipForTenants'] & object): Promise<BootstrapEquipment> {
  const equipped = await common(wanted, 'bootstrap-tenant');
  const login = productConnection(wanted.port, wanted.database, 'bootstrap-tenant');
  const maintenance = { ...login, database: maintenanceDatabase };
  const bigquery = new BigQuery({ projectId: project, authClient: new PassThroughClient() });
  return {
    ...equipped,
    secrets: await secretManager(),
    bigquery,
    kms: new KeyManagementServiceClient({
      projectId: project,
      ...(await emulatorOptions('KMS_EMULATOR_HOST')),
    }),
    storage: new Storage({ projectId: project }),
    login,
    warm: new Map([
      [wanted.database, equipped.connections],
      [maintenanceDatabase, await connect(maintenance, wanted.connections)],
    ]),
  };
}

/** What all need. */
async function common({ port, database, connections }: Equip, functionName: string) {
  const options = await new PubSub({ projectId: project }).getClientConfig();
  const publisher = new v1.PublisherClient(options as ConstructorParameters<typeof v1.PublisherClient>[0]);
  return {
    db,
    publisher,
    results: publisher.projectTopicsPath(project, 'operation-results'),
    connections: await connect(productConnection(port, database, functionName), connections),
  };
}

async function connect(connection: pg.ClientConfig, count: number): Promise<WarmConnections> {
  const clients = Array.from({ length: count }, () => new pg.Client(connection));
  await Promise.all(clients.map((client) => client.connect()));
  return new WarmConnections(clients);
}

function resultOf({ result, id }: Example, functionName: string): Equipment['result'] {
  return { text: result, exampleId: id, function: functionName };
}

process.on('message', async (order: Order) => {
  if (order.equip) equipment = await equip(order.equip);
  if (order.equipForSecrets) rotating = await equipForSecrets(order.equipForSecrets);
  if (order.equipForTenants) bootstrapping = await equipForTenants(order.equipForTenants);
  for (const [schema, texts] of order.statements ?? []) statements.set(schema, texts);
  for (const one of order.secrets ?? []) secrets.set(one.secret, one);
  for (const made of order.tenants ?? []) {
    const play = new Playback(db, made.record, JSON.parse(made.recording) as Recording);
    tenants.set(made.tenant, { made, play });
  }
  process.send?.({ ready: true } satisfies Ready);
});
server.on('listening', () => process.send?.({ ready: true } satisfies Ready));
