import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localPassword } from '../../local/postgres/cloudsql.ts';
import { schemaRoles } from '../../shared/postgres/schema/inspect.ts';
import { type OperationRecord, operationDocumentId } from '../../shared/registry/operations.ts';
import { reopenOperation } from '../../shared/registry/replay.ts';
import { startTestStack, type TestStack, target } from '../support/stack.ts';
import { snapshot, withoutEpochs } from './catalog.ts';

let stack: TestStack;

beforeAll(async () => {
  stack = await startTestStack({
    databases: { open: ['app', 'app_planned', 'app_locked'], closed: ['closed'] },
  });
  await stack.cluster.createLogin('alice', 'password');
  await stack.query('postgres', 'CREATE ROLE stranger LOGIN');
});

afterAll(() => stack.stop());

const send = async (data: unknown, id: string, dryRun = false) => {
  await stack.send('create-schema', data, { id, dryRun });
  return stack.ended('create-schema', id, dryRun);
};

/** Runs statements as the instance's admin, as somebody does who read the error. */
async function asAdmin(database: string, statements: unknown): Promise<void> {
  const client = new pg.Client({ connectionString: stack.cluster.adminUrl(database) });
  await client.connect();
  try {
    for (const statement of statements as string[]) await client.query(statement);
  } finally {
    await client.end();
  }
}

async function replay(id: string): Promise<OperationRecord | undefined> {
  const { topic, data, attributes } = await reopenOperation(
    stack.db,
    operationDocumentId('create-schema', { operationId: id, dryRun: false }),
  );
  await stack.messaging.topic(topic).publishMessage({ data, attributes });
  await stack.pubsub?.idle();
  return stack.record('create-schema', id);
}

describe('create-schema', () => {
  it('makes the schema with its roles, and says so in the record, the registry and an event', async () => {
    const record = await send({ target: target('app'), schema: 'billing', comment: 'Invoices' }, 'first');

    expect(record).toMatchObject({ state: 'succeeded', epoch: 1 });
    expect(
      await stack.query(
        'app',
        `SELECT nspowner::regrole::text AS owner FROM pg_namespace WHERE nspname = 'billing'`,
      ),
    ).toEqual([{ owner: 'app__billing__owner' }]);
    const [registered] = (await stack.db.collection('schemas').where('schema', '==', 'billing').get()).docs;
    expect(registered?.data()).toMatchObject({
      epoch: 1,
      appliedEpoch: 1,
      applied: {
        levels: ['owner', 'writer', 'reader', 'analyst'],
        roles: { reader: 'app__billing__reader' },
      },
    });
    const id = operationDocumentId('create-schema', { operationId: 'first', dryRun: false });
    expect(stack.results.get(id)).toMatchObject([
      {
        id: `${id}.1.succeeded`,
        type: 'drover.operation.succeeded',
        data: { operationId: 'first', changes: record.changes },
      },
    ]);
  });

  it('changes nothing where everything is as it should be', async () => {
    const message = { target: target('app'), schema: 'steady', comment: 'Stays' };
    await send(message, 'steady');
    const before = await snapshot(stack, 'app');
    const again = await send(message, 'steady-again');

    expect(again).toMatchObject({ state: 'succeeded', changes: [] });
    expect(await snapshot(stack, 'app')).toEqual(before);
  });

  it('makes no more levels than it is asked for, and keeps those that are there', async () => {
    const levelsOf = async () =>
      (
        await stack.query(
          'app',
          `SELECT rolname FROM pg_roles WHERE starts_with(rolname, 'app__lean__') ORDER BY 1`,
        )
      ).map(({ rolname }) => rolname);
    await send({ target: target('app'), schema: 'lean', levels: ['reader'] }, 'lean');
    expect(await levelsOf()).toEqual(['app__lean__owner', 'app__lean__reader']);
    await send({ target: target('app'), schema: 'lean', levels: ['writer'] }, 'lean-writer');
    expect(await levelsOf()).toEqual(['app__lean__owner', 'app__lean__reader', 'app__lean__writer']);
  });

  it('lets the owner make objects as the schema’s owner, and only so', async () => {
    const record = await send({ target: target('app'), schema: 'owned', owner: 'alice' }, 'owned');
    expect(record).toMatchObject({ state: 'succeeded' });

    const alice = new pg.Client({ connectionString: stack.cluster.url('alice', localPassword, 'app') });
    await alice.connect();
    try {
      await expect(alice.query('CREATE TABLE owned.mine ()')).rejects.toMatchObject({ code: '42501' });
      await alice.query('SET ROLE app__owned__owner; CREATE TABLE owned.mine (); RESET ROLE');
    } finally {
      await alice.end();
    }
    expect(await stack.query('app', `SELECT tableowner FROM pg_tables WHERE tablename = 'mine'`)).toEqual([
      { tableowner: 'app__owned__owner' },
    ]);
  });

  it('takes over what exists, once it is asked to and its owner has handed it over', async () => {
    await asAdmin('app', ['CREATE SCHEMA legacy', 'CREATE TABLE legacy.orders (id int)']);
    const message = { target: target('app'), schema: 'legacy' };
    expect(await send(message, 'legacy')).toMatchObject({ error: { code: 'SCHEMA_NOT_MANAGED' } });
    const refused = await send({ ...message, adopt: true }, 'legacy-adopt');
    expect(refused).toMatchObject({ state: 'failed', error: { code: 'ADOPTION_NEEDS_OWNER' } });

    await asAdmin('app', refused.error?.details['statements']);
    const replayed = await replay('legacy-adopt');

    expect(replayed).toMatchObject({ state: 'succeeded', reported: true, error: null, payload: null });
    expect(replayed?.publishedAt).toEqual(refused.publishedAt);
    expect(await stack.query('app', `SELECT tableowner FROM pg_tables WHERE schemaname = 'legacy'`)).toEqual([
      { tableowner: 'app__legacy__owner' },
    ]);
  });

  it('takes the rights of PUBLIC in a database away, once it may', async () => {
    const message = { target: target('app_locked'), schema: 'inner', lockDatabase: true };
    const refused = await send(message, 'locked');
    expect(refused).toMatchObject({ state: 'failed', error: { code: 'CANNOT_LOCK_DATABASE' } });

    await asAdmin('app_locked', refused.error?.details['statements']);
    expect(await replay('locked')).toMatchObject({ state: 'succeeded' });

    const may = (role: string) =>
      stack.query('postgres', `SELECT has_database_privilege('${role}', 'app_locked', 'CONNECT') AS may`);
    expect(await may('stranger')).toEqual([{ may: false }]);
    expect(await may('app_locked__inner__reader')).toEqual([{ may: true }]);
  });

  it.each([
    { cause: 'CREATE is granted', database: 'closed', code: 'CANNOT_CREATE_IN_DATABASE' },
    { cause: 'the database is there', database: 'missing', code: 'DATABASE_NOT_FOUND' },
  ])('succeeds when it is replayed after $cause', async ({ database, code }) => {
    const id = `replayed-${database}`;
    const refused = await send({ target: target(database), schema: 'late' }, id);
    expect(refused).toMatchObject({ state: 'failed', reason: 'permanent', error: { code } });

    if (database === 'missing') {
      await stack.cluster.createDatabase(database);
      await stack.cluster.allowCreating(database);
    } else {
      await asAdmin(database, refused.error?.details['statements']);
    }
    const replayed = await replay(id);

    expect(replayed).toMatchObject({
      state: 'succeeded',
      epoch: 2,
      error: null,
      reason: null,
      payload: null,
    });
    expect(replayed?.publishedAt).toEqual(refused.publishedAt);
    const record = operationDocumentId('create-schema', { operationId: id, dryRun: false });
    expect(stack.results.get(record)?.map(({ data }) => data.state)).toEqual(['failed', 'succeeded']);
  });

  it('plans in a dry run exactly what it would do, and does none of it', async () => {
    const message = { target: target('app_planned'), schema: 'someday', owner: 'alice', comment: 'Plans' };
    const before = await snapshot(stack, 'app_planned');
    const planned = await send(message, 'someday', true);

    expect(planned).toMatchObject({ state: 'planned', dryRun: true });
    expect(await snapshot(stack, 'app_planned')).toEqual(before);
    expect((await stack.db.collection('schemas').where('schema', '==', 'someday').get()).empty).toBe(true);

    const { acting } = schemaRoles('app_planned', 'someday');
    const statements = [`BEGIN; SET LOCAL ROLE ${acting}`, ...(planned.statements ?? []), 'COMMIT'];
    const client = new pg.Client({ connectionString: stack.cluster.superuserUrl('app_planned') });
    await client.connect();
    for (const statement of statements) await client.query(statement);
    await client.end();
    const byHand = await snapshot(stack, 'app_planned');
    expect(byHand).not.toEqual(before);
    const real = await send(message, 'someday');

    expect(real).toMatchObject({ state: 'succeeded', changes: [] });
    expect(withoutEpochs(await snapshot(stack, 'app_planned'))).toEqual(withoutEpochs(byHand));
  });
});
