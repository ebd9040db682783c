import pg from 'pg';
import { tenantDocumentId } from '../../shared/registry/tenants/document-id.ts';
import { localProject, type Stack } from '../stack.ts';
import { secretManagerOf } from './secret-manager.ts';
import { type Step, target } from './step.ts';

const bootstrap = (id: string, message: object): string[] => [
  'send',
  'bootstrap-tenant',
  '--id',
  id,
  '--data',
  JSON.stringify(message),
];

const tenant = (name: string, more: object = {}) => ({
  scope: 'tenant',
  tenant: name,
  displayName: name,
  contact: `ops@${name}.example`,
  plan: 'STARTER',
  target: target('app'),
  ...more,
});

const acme = tenant('acme');

/** Longer than a worker may be silent. */
const leaseSeconds = 61;

/** The platform's own dataset, tenants, what they see of each other, and one whose bootstrap is killed. */
export const tenantSteps: readonly Step[] = [
  {
    title: 'The platform’s own dataset in BigQuery, with its tables and views',
    does: bootstrap('tour-27', { scope: 'system' }),
    expected: { state: 'succeeded' },
  },
  {
    title: 'A tenant from one message: schema, roles, login, dataset, storage, API key, quotas',
    does: bootstrap('tour-28', acme),
    expected: { state: 'succeeded' },
  },
  {
    title: 'Another one in the same database: neither sees the other',
    does: bootstrap('tour-29', tenant('globex')),
    expected: { state: 'succeeded' },
    after: showIsolation,
  },
  {
    title: 'The first one’s message again: nothing is left to do',
    does: bootstrap('tour-30', acme),
    expected: { state: 'succeeded', changes: 0 },
  },
  {
    title:
      'One with a database of its own, whose bootstrap is killed in the middle, and finished by the next delivery',
    does: bootstrap(
      'tour-31',
      tenant('initech', { isolation: 'database', target: { instance: acme.target.instance } }),
    ),
    before: killInTheMiddle,
    expected: { state: 'succeeded' },
    after: showAttempts,
  },
];

/** Each makes a table, and tries to read, change and use the other's. */
async function showIsolation(stack: Stack): Promise<boolean> {
  const schemas: Record<string, string> = { acme: 'tenant_acme', globex: 'tenant_globex' };
  const clients = await Promise.all(Object.keys(schemas).map((name) => connectAs(stack, name)));
  const names = Object.keys(schemas);
  let asExpected = true;
  try {
    for (const [index, client] of clients.entries()) {
      await client.query(`CREATE TABLE ${schemas[names[index] ?? '']}.orders (id int)`);
    }
    for (const [index, client] of clients.entries()) {
      const [own = '', other = ''] = index === 0 ? names : names.toReversed();
      const can = await tries(client, String(schemas[own]));
      const may = await tries(client, String(schemas[other]));
      asExpected &&= can.length === 4 && may.length === 0;
      console.log(
        `      ${own.padEnd(7)} can ${can.join(', ')} its own; of ${other}’s: ${may.join(', ') || 'nothing'}`,
      );
    }
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
  return asExpected;
}

async function tries(client: pg.Client, schema: string): Promise<string[]> {
  const attempts = {
    read: `SELECT * FROM ${schema}.orders`,
    write: `INSERT INTO ${schema}.orders VALUES (1)`,
    create: `CREATE TABLE ${schema}.scratch (id int)`,
    drop: `DROP TABLE ${schema}.orders`,
  };
  const can: string[] = [];
  for (const [name, statement] of Object.entries(attempts)) {
    await client.query('BEGIN');
    const done = await client.query(statement).then(
      () => true,
      () => false,
    );
    if (done) can.push(name);
    await client.query('ROLLBACK');
  }
  return can;
}

/** Connects as a tenant’s application does: with what its secret says. */
async function connectAs(stack: Stack, name: string): Promise<pg.Client> {
  const secrets = secretManagerOf(stack);
  const version = `projects/${localProject}/secrets/tenant-${name}-database/versions/current`;
  const [{ payload }] = await secrets.accessSecretVersion({ name: version });
  await secrets.close();
  const credential = JSON.parse(Buffer.from(payload?.data as Uint8Array).toString()) as Record<
    string,
    string
  >;
  const { host = '', port, database = '', username = '', password = '' } = credential;
  const client = new pg.Client({ host, port: Number(port), database, user: username, password, ssl: false });
  await client.connect();
  return client;
}

/** The function is killed when its first credential is in Secret Manager, and before it knows that it is. */
async function killInTheMiddle({ secretmanager, firestore, functions }: Stack): Promise<void> {
  const worker = functions.get('bootstrap-tenant');
  if (!worker || !secretmanager || !firestore) return;
  secretmanager.intercept = async ({ method, phase }) => {
    if (method !== 'AddSecretVersion' || phase !== 'after') return;
    secretmanager.intercept = undefined;
    const gone = worker.exited();
    process.kill(worker.pid(), 'SIGKILL');
    await gone;
    // Whoever is dead says nothing: its lease ends, which takes a minute by any other clock.
    firestore.advance(leaseSeconds);
  };
}

async function showAttempts(stack: Stack): Promise<boolean> {
  const { Firestore } = await import('@google-cloud/firestore');
  const { hostname, port } = new URL(`http://${stack.environment['FIRESTORE_EMULATOR_HOST']}`);
  const db = new Firestore({
    projectId: localProject,
    servicePath: hostname,
    port: Number(port),
    ssl: false,
  });
  const steps = await db.collection('tenants').doc(tenantDocumentId('initech')).collection('steps').get();
  await db.terminate();
  const attempts = steps.docs
    .map((one) => one.data() as { step: string; position: number; state: string; attempts: number })
    .sort((a, b) => a.position - b.position);
  for (const { step, state, attempts: count } of attempts) {
    console.log(`      ${step.padEnd(9)} ${state}, ${count === 1 ? 'at once' : `at attempt ${count}`}`);
  }
  const wasKilled = stack.secretmanager === undefined || attempts.some(({ attempts: count }) => count > 1);
  return wasKilled && attempts.every(({ state }) => state === 'done');
}
