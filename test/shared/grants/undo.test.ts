import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import grantRoles from '../../../functions/grant-roles/index.ts';
import reconcile from '../../../functions/reconcile/index.ts';
import { localPassword } from '../../../local/postgres/cloudsql.ts';
import { firestore } from '../../../shared/gcp/firestore.ts';
import { actingAdmin } from '../../../shared/postgres/names.ts';
import { grantsCollection } from '../../../shared/registry/grants/model.ts';
import { readSet } from '../../../shared/registry/grants/store.ts';
import {
  type OperationRecord,
  operationDocumentId,
  operationsCollection,
} from '../../../shared/registry/operations.ts';
import { presentIn } from '../../e2e/members.ts';
import {
  connected,
  desired,
  instance,
  type PreparedCluster,
  run,
  startPrepared,
} from '../../support/postgres.ts';
import { type PostgresProxy, startPostgresProxy } from '../../support/postgres-proxy.ts';
import { push, reachPostgresAt, useWorker } from '../operation/worker.ts';

let cluster: PreparedCluster;
let proxy: PostgresProxy;

// Before the worker, which reads where the cluster is.
beforeAll(async () => {
  cluster = await startPrepared();
  proxy = await startPostgresProxy(cluster.port);
  await cluster.open('app');
  await cluster.converge(desired('app', 'billing'));
  reachPostgresAt(proxy.port);
});

const rule = {
  functions: ['grant-roles'],
  targets: [`${instance}/app`],
  levels: ['*', 'custom:*'],
  principals: ['*'],
  actions: ['exact', 'customRoles'],
};
useWorker({ DROVER_POLICY: JSON.stringify({ rules: [rule] }) });

afterAll(async () => {
  await proxy.close();
  await cluster.remove();
});

const people = ['alice', 'bob', 'carol'];

beforeEach(async () => {
  proxy.intercept = undefined;
  await run(
    cluster.superuserUrl('app'),
    ...people.map((name) => `DROP ROLE IF EXISTS ${name}`),
    'SET ROLE drover_admin_07',
    ...people.map((name) => `CREATE ROLE ${name} LOGIN PASSWORD '${localPassword}'`),
    'RESET ROLE',
  );
});

const login = (principal: string, level = 'reader') => ({ principal, kind: 'login', level });

let minute = 0;
/** A message; each time that it comes is one attempt. */
function message(id: string, content: object) {
  minute += 1;
  const data = { target: { instance, database: 'app' }, schema: 'billing', ...content };
  const delivery = push(id, data, {}, minute);
  return {
    comes: () => grantRoles(delivery),
    async record(): Promise<OperationRecord> {
      const db = await firestore();
      const document = operationDocumentId('grant-roles', { operationId: id, dryRun: false });
      return (await db.collection(operationsCollection).doc(document).get()).data() as OperationRecord;
    },
  };
}

async function done(id: string, content: object) {
  const sent = message(id, content);
  await sent.comes();
  expect(await sent.record()).toMatchObject({ state: 'succeeded' });
}

/** Breaks the connection that comes so far for the nth time from now on: what became of it nobody learns. */
function breakAt(start: string, phase: 'before' | 'after', nth = 1) {
  let met = 0;
  proxy.intercept = (call) => {
    if (call.phase !== phase || !call.query.trimStart().startsWith(start)) return;
    met += 1;
    if (met === nth) throw new Error('broken by the test');
  };
}

const members = () =>
  connected(cluster.superuserUrl('app'), async (client) => {
    const { rows } = await client.query<{ pair: string }>(
      `SELECT replace(g.rolname, 'app__billing__', '') || ' ' || m.rolname AS pair
         FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
        WHERE m.rolname = ANY ($1) ORDER BY 1`,
      [people],
    );
    return rows.map(({ pair }) => pair);
  });

const ask = <T extends object>(text: string) =>
  connected(cluster.superuserUrl('app'), async (client) => (await client.query(text)).rows as T[]);

/** Who is granted what, and who is about to be. */
async function registered() {
  const db = await firestore();
  const { docs } = await db.collection(grantsCollection).get();
  const set = readSet(docs[0], { instance, database: 'app', schema: 'billing' });
  const open = [set.exact, ...Object.values(set.grants)].filter((register) => register?.undecided);
  return { present: presentIn(set), open };
}

const drop = (name: string) => run(cluster.superuserUrl('app'), `DROP ROLE ${name}`);

/** Lets a message come as far as the catalog, and no farther. */
async function reachCatalog(sent: ReturnType<typeof message>) {
  breakAt('COMMIT', 'after');
  await expect(sent.comes()).rejects.toThrow('CONNECTION_LOST');
  proxy.intercept = undefined;
}

const impossible = { state: 'failed', error: { code: 'PRINCIPAL_NOT_FOUND' } };

describe('what reached the catalog, and is impossible when the message comes again,', () => {
  it('is taken back out of it where nothing was decided before', async () => {
    const changing = message('changing', { mode: 'add', grants: [login('bob', 'writer'), login('carol')] });
    await reachCatalog(changing);
    expect(await members()).toEqual(['reader carol', 'writer bob']);

    await drop('carol');
    await changing.comes();

    expect(await changing.record()).toMatchObject(impossible);
    expect(await members()).toEqual([]);
    expect(await registered()).toEqual({ present: [], open: [] });
  });

  it('gives way to what was decided before, of those too whom it took a grant from', async () => {
    await done('before', { mode: 'exact', grants: [login('alice'), login('bob', 'analyst')] });
    const changing = message('changing', {
      mode: 'exact',
      grants: [login('bob', 'writer'), login('carol')],
    });
    await reachCatalog(changing);
    expect(await members()).toEqual(['reader carol', 'writer bob']);

    await drop('carol');
    await changing.comes();

    expect(await changing.record()).toMatchObject(impossible);
    const before = ['analyst bob', 'reader alice'];
    expect(await members()).toEqual(before);
    expect(await registered()).toEqual({ present: before, open: [] });
  });

  it('stays where a newer message wants it, too', async () => {
    const bob = login('bob', 'writer');
    const changing = message('changing', { mode: 'add', grants: [bob, login('carol')] });
    await reachCatalog(changing);
    await done('newer', { mode: 'add', grants: [bob] });

    await drop('carol');
    await changing.comes();

    expect(await changing.record()).toMatchObject(impossible);
    expect(await members()).toEqual(['writer bob']);
    expect(await registered()).toEqual({ present: ['writer bob'], open: [] });
  });

  it('is not forgotten by the registry before it is out of the catalog', async () => {
    await done('before', { mode: 'exact', grants: [login('alice')] });
    const changing = message('changing', { mode: 'exact', grants: [login('bob'), login('carol')] });
    await reachCatalog(changing);
    await drop('carol');

    // The first one finds out that it is impossible.
    breakAt('BEGIN', 'before', 2);
    await expect(changing.comes()).rejects.toThrow('CONNECTION_LOST');
    proxy.intercept = undefined;
    expect(await members()).toEqual(['reader bob']);
    expect((await registered()).open).toHaveLength(4);
    await changing.comes();

    expect(await changing.record()).toMatchObject(impossible);
    expect(await members()).toEqual(['reader alice']);
    expect(await registered()).toEqual({ present: ['reader alice'], open: [] });
  });

  it('defines no custom role otherwise than it was decided before', async () => {
    const role = { name: 'support', version: 1, privileges: { tables: ['SELECT'] } };
    const member = (principal: string) => ({ principal, kind: 'login', customRole: 'support' });
    await done('before', { mode: 'add', grants: [member('alice')], customRoles: [role] });
    await run(cluster.superuserUrl('app'), 'SET ROLE app__billing__owner; CREATE TABLE billing.invoices ()');
    const changing = message('changing', {
      mode: 'add',
      grants: [member('carol')],
      customRoles: [{ ...role, version: 2, privileges: { tables: ['SELECT', 'DELETE'] } }],
    });
    await reachCatalog(changing);

    await drop('carol');
    await changing.comes();

    expect(await changing.record()).toMatchObject(impossible);
    const [found] = await ask<{ marker: string; deletes: boolean }>(
      `SELECT shobj_description('app__billing__support'::regrole, 'pg_authid') AS marker,
              has_table_privilege('alice', 'billing.invoices', 'DELETE') AS deletes`,
    );
    expect(found?.deletes).toBe(false);
    expect(found?.marker).toContain('"version":1');
  });

  it('leaves no session that acts by it', async () => {
    const changing = message('changing', { mode: 'add', grants: [login('bob', 'owner'), login('carol')] });
    await reachCatalog(changing);
    const client = new pg.Client({ connectionString: cluster.url('bob', localPassword, 'app') });
    client.on('error', () => undefined);
    await client.connect();
    await client.query('SET ROLE app__billing__owner');

    await drop('carol');
    await changing.comes();

    expect(await changing.record()).toMatchObject(impossible);
    await expect(client.query('CREATE TABLE billing.still ()')).rejects.toThrow();
    await client.end();
  });
});

describe('a message that fails', () => {
  it('takes nothing away that it never gave, however often it was tried', async () => {
    await run(
      cluster.superuserUrl('app'),
      `GRANT app__billing__owner TO alice WITH INHERIT FALSE, SET TRUE GRANTED BY ${actingAdmin('app', 'billing')}`,
    );
    const failing = message('failing', { mode: 'add', grants: [login('alice', 'owner'), login('nobody')] });
    breakAt('BEGIN', 'before');
    await expect(failing.comes()).rejects.toThrow('CONNECTION_LOST');
    proxy.intercept = undefined;
    await failing.comes();

    expect(await failing.record()).toMatchObject(impossible);
    expect(await members()).toEqual(['owner alice']);
    expect(await registered()).toEqual({ present: [], open: [] });
  });
});

describe('what an operation gave that ended without settling it', () => {
  /** Its deliveries ran out, say. */
  async function abandon(sent: ReturnType<typeof message>, id: string) {
    await reachCatalog(sent);
    const db = await firestore();
    const document = operationDocumentId('grant-roles', { operationId: id, dryRun: false });
    await db.collection(operationsCollection).doc(document).update({ state: 'failed' });
  }

  it('is taken back when its time is over, once and for all', async () => {
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const sent = message('abandoned', { mode: 'add', grants: [{ ...login('alice'), expiresAt }] });
    await abandon(sent, 'abandoned');
    expect(await members()).toEqual(['reader alice']);
    const db = await firestore();
    const { docs } = await db.collection(grantsCollection).get();
    for (const { ref } of docs) await ref.update({ nextExpiry: new Date(Date.now() - 1000) });

    await reconcile(push('tick', { instance }));

    expect(await members()).toEqual([]);
    expect(await registered()).toEqual({ present: [], open: [] });
    const [set] = (await db.collection(grantsCollection).get()).docs;
    expect(set?.get('nextExpiry')).toBeNull();
  });

  it('is out of the way of an older message, and out of the catalog', async () => {
    const older = message('older', { mode: 'add', grants: [login('alice')] });
    const sent = message('newer', { mode: 'exact', grants: [login('bob', 'writer')] });
    await abandon(sent, 'newer');
    expect(await members()).toEqual(['writer bob']);

    await older.comes();

    expect(await older.record()).toMatchObject({ state: 'succeeded' });
    expect(await members()).toEqual(['reader alice']);
    expect(await registered()).toEqual({ present: ['reader alice'], open: [] });
  });

  it('is not forgotten where it is sent again while somebody undoes it', async () => {
    const older = message('older', { mode: 'add', grants: [login('alice')] });
    const sent = message('newer', { mode: 'exact', grants: [login('bob', 'writer')] });
    await abandon(sent, 'newer');
    const db = await firestore();
    const document = operationDocumentId('grant-roles', { operationId: 'newer', dryRun: false });
    const record = db.collection(operationsCollection).doc(document);
    proxy.intercept = async ({ phase, query }) => {
      if (phase !== 'before' || !query.trimStart().startsWith('BEGIN')) return;
      proxy.intercept = undefined;
      await record.update({ state: 'running', renewedAt: new Date() });
    };

    await expect(older.comes()).rejects.toThrow('NEWER_UNDECIDED');

    expect((await registered()).open).not.toEqual([]);
  });
});
