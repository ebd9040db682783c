import { FieldPath, FieldValue } from '@google-cloud/firestore';
import { describe, expect, it } from 'vitest';
import { localInstance } from '../../local/stack.ts';
import { parseMarker } from '../../shared/postgres/marker.ts';
import { actingAdmin } from '../../shared/postgres/names.ts';
import { grantsCollection } from '../../shared/registry/grants/model.ts';
import type { OperationRecord } from '../../shared/registry/operations.ts';
import { permissivePolicy, target } from '../support/stack.ts';
import { snapshot } from './catalog.ts';
import { useReconciling } from './reconciling.ts';

const policy = {
  rules: [
    ...permissivePolicy.rules,
    { functions: ['reconcile'], targets: [`${localInstance}/app_mended`], actions: ['mend'] },
  ],
};

const used = useReconciling(
  ['app_drift', 'app_mended'],
  'CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE carol LOGIN; CREATE ROLE olga LOGIN',
  { policy },
);
const { byHand, compared, createSchema, grant, members, reconcile, registry, send } = used;

const eventsOf = async (database: string) => {
  await used.stack.pubsub?.idle();
  return used.stack.events.filter(({ subject }) => subject === `${localInstance}/${database}`);
};
const driftOf = ({ notes = [] }: OperationRecord, database: string) =>
  notes.filter(({ code, message }) => code === 'DRIFT' && message.startsWith(`${database}.`));
const spoil = (database: string) =>
  byHand(
    database,
    `REVOKE ${database}__billing__reader FROM alice;
     GRANT ${database}__billing__writer TO bob;
     RESET ROLE;
     DROP ROLE ${database}__billing__analyst;
     REVOKE USAGE ON SCHEMA billing FROM ${database}__billing__reader`,
  );

describe('what differs from the registry', () => {
  it('is told once, with the plan that mends it, and not touched where the policy does not say so', async () => {
    const database = 'app_drift';
    await grant('alice', { database });
    expect(driftOf(await reconcile({ all: true }), database)).toEqual([]);
    await spoil(database);
    const before = await snapshot(used.stack, database);

    const record = await reconcile({ all: true });

    expect(record).toMatchObject({ state: 'succeeded', changes: [] });
    expect(driftOf(record, database)).toHaveLength(2);
    const [event, ...others] = await eventsOf(database);
    expect(others).toEqual([]);
    expect(event).toMatchObject({
      type: 'drover.drift.detected',
      data: {
        target: `${localInstance}/${database}`,
        mends: false,
        differences: [
          {
            schema: 'billing',
            changes: expect.arrayContaining([
              { action: 'create', kind: 'role', name: `${database}__billing__analyst`, detail: 'analyst' },
            ]),
            statements: expect.arrayContaining([
              `GRANT USAGE ON SCHEMA "billing" TO "${database}__billing__reader"`,
            ]),
          },
          {
            schema: 'billing',
            statements: [
              `GRANT "${database}__billing__reader" TO "alice" WITH INHERIT TRUE, SET FALSE`,
              `REVOKE "${database}__billing__writer" FROM "bob" GRANTED BY "${actingAdmin(database, 'billing')}" CASCADE`,
              expect.stringMatching(/^COMMENT ON ROLE/),
            ],
          },
        ],
      },
    });
    expect(await snapshot(used.stack, database)).toEqual(before);
    expect(await compared(database)).toMatchObject({ drift: expect.any(String), problem: null });

    expect(driftOf(await reconcile({ all: true }), database)).toHaveLength(2);
    await grant('carol', { database });
    await reconcile({ all: true });
    expect(await eventsOf(database), 'the same finding').toHaveLength(1);
    await byHand(database, `GRANT ${database}__billing__writer TO carol`);
    await reconcile({ all: true });
    expect(await eventsOf(database), 'another finding').toHaveLength(2);
    expect(new Set((await eventsOf(database)).map(({ id }) => id)).size).toBe(2);
  });

  it('is mended where the policy says so', async () => {
    const database = 'app_mended';
    await grant('alice', { database });
    const before = await snapshot(used.stack, database);
    await spoil(database);

    const record = await reconcile({ all: true });

    expect(await members('billing', database)).toEqual(['reader alice']);
    expect(record.changes).toEqual(
      expect.arrayContaining([
        { action: 'grant', kind: 'membership', name: `${database}__billing__reader`, detail: 'to alice' },
        { action: 'revoke', kind: 'membership', name: `${database}__billing__writer`, detail: 'from bob' },
        expect.objectContaining({
          action: 'create',
          kind: 'role',
          name: `${database}__billing__analyst`,
          detail: 'analyst',
        }),
      ]),
    );
    expect(comparable(await snapshot(used.stack, database))).toEqual(comparable(before));
    expect(await eventsOf(database)).toMatchObject([{ data: { mends: true } }]);
    expect(driftOf(await reconcile({ all: true }), database)).toEqual([]);

    await spoil(database);
    await reconcile({ all: true });
    const events = await eventsOf(database);
    expect(events, 'it happened again').toHaveLength(2);
    expect(new Set(events.map(({ id }) => id)).size, 'and is not taken for a duplicate').toBe(2);
  });

  it('and can not be mended is told once, too', async () => {
    const database = 'app_mended';
    const known = (await eventsOf(database)).length;
    await used.stack.query(database, `GRANT ${database}__billing__writer TO carol`);

    const records = [await reconcile({ all: true }), await reconcile({ all: true })];

    for (const record of records) {
      expect(driftOf(record, database)).toMatchObject([
        {
          statements: expect.arrayContaining([
            `REVOKE "${database}__billing__writer" FROM "carol" GRANTED BY "cloudsqladmin"`,
          ]),
        },
      ]);
    }
    expect((await eventsOf(database)).length).toBe(known + 1);
    expect(await members('billing', database)).toEqual(['reader alice', 'writer carol']);
    await used.stack.query(database, `REVOKE ${database}__billing__writer FROM carol`);
  });

  it('is left alone where somebody is about to change it', async () => {
    const database = 'app_mended';
    await reconcile({ all: true });
    const ref = await used.setOf(database, 'billing');
    const wish = { present: true, operation: 'under-way', publishedAt: new Date() };
    const open = { principal: 'bob', kind: 'login', role: 'writer', value: wish, undecided: true };
    await ref.update(new FieldPath('grants', 'writer:bob'), open);
    await used.stack.db.collection('operations').doc('under-way').set({ state: 'running' });
    await byHand(database, `GRANT ${database}__billing__writer TO bob`);

    const record = await reconcile({ all: true });
    expect(driftOf(record, database)).toEqual([]);
    expect(await members('billing', database)).toEqual(['reader alice', 'writer bob']);

    await used.stack.db.collection('operations').doc('under-way').set({ state: 'failed' });
    await reconcile({ all: true });
    expect(await members('billing', database)).toEqual(['reader alice']);
  });
});

/** Without numbers of attempts, which rise, and those of roles, of which one was made anew. */
function comparable(found: Awaited<ReturnType<typeof snapshot>>) {
  return { ...found, roles: found.roles.map(({ comment: _, ...role }) => ({ ...role, oid: undefined })) };
}

async function commentOn(role: string): Promise<string> {
  const text = `SELECT shobj_description('${role}'::regrole, 'pg_authid') AS comment`;
  const [found] = await used.stack.query('postgres', text);
  return String(found?.['comment']);
}

describe('mending', () => {
  const database = 'app_mended';
  const schemas = ['billing', 'ledger', 'orders'];
  const takeAway = (schema: string) =>
    byHand(database, `REVOKE ${database}__${schema}__reader FROM alice`, schema);

  /** Three schemas whose reader alice is, and then by hand is no more. */
  async function takeAll() {
    for (const schema of schemas) {
      await createSchema(database, schema);
      await grant('alice', { database, schema, mode: 'exact' });
      await takeAway(schema);
    }
  }

  it('what can’t be mended leaves the others to be mended, one by one', async () => {
    expect(new Set(schemas.map((schema) => actingAdmin(database, schema))).size, 'each has its own').toBe(3);
    await takeAll();
    const admin = await used.withoutAdmin(database, 'ledger');

    const record = await reconcile({ all: true });
    await admin.again();

    expect(record.state).toBe('succeeded');
    expect(record.notes?.filter(({ code }) => code === 'NOT_MENDED')).toMatchObject([
      { message: expect.stringContaining(actingAdmin(database, 'ledger')) },
    ]);
    expect(await members('billing', database)).toEqual(['reader alice']);
    expect(await members('ledger', database)).toEqual([]);
    expect(await members('orders', database)).toEqual(['reader alice']);

    expect(driftOf(await reconcile({ all: true }), database), 'and then that').toHaveLength(1);
    expect(await members('ledger', database)).toEqual(['reader alice']);
    expect(driftOf(await reconcile({ all: true }), database)).toEqual([]);
  });

  it('leaves what somebody has begun to change since to him, and mends the others', async () => {
    await takeAll();
    const found = used.whenDriftIsFound();
    const mending = reconcile({ all: true });
    await found.held;
    const { docs } = await used.stack.db
      .collection(grantsCollection)
      .where('database', '==', database)
      .where('schema', '==', 'ledger')
      .get();
    for (const { ref } of docs) await ref.update({ epoch: FieldValue.increment(1) });
    found.letGo();

    expect((await mending).notes?.map(({ code }) => code)).not.toContain('NOT_MENDED');
    expect(await members('billing', database)).toEqual(['reader alice']);
    expect(await members('ledger', database)).toEqual([]);
    expect(await members('orders', database)).toEqual(['reader alice']);
    await reconcile({ all: true });
    expect(await members('ledger', database)).toEqual(['reader alice']);
  });

  it('goes above the number of a database whose registry was restored from a backup', async () => {
    await takeAll();
    const owner = `${database}__ledger__owner`;
    const ahead = { ...parseMarker(await commentOn(owner)), epoch: 500, grants: 700 };
    await used.stack.query(database, `COMMENT ON ROLE ${owner} IS '${JSON.stringify(ahead)}'`);

    await reconcile({ all: true });

    expect(await members('ledger', database)).toEqual(['reader alice']);
    expect(parseMarker(await commentOn(owner))?.grants).toBeGreaterThan(700);
    expect((await registry('ledger', database)).epoch).toBeGreaterThan(700);
  });

  it('brings no definition of a custom role back that was replaced meanwhile', async () => {
    const schema = 'defined';
    await createSchema(database, schema);
    const define = async (version: number, tables: string[], principal: string) => {
      const customRoles = [{ name: 'auditor', version, privileges: { tables } }];
      const grants = [{ principal, kind: 'login', customRole: 'auditor' }];
      const message = { target: target(database), schema, mode: 'add', grants, customRoles };
      expect(await send('grant-roles', message)).toMatchObject({ state: 'succeeded' });
    };
    await define(1, ['SELECT'], 'alice');
    await used.stack.query(database, `DROP ROLE ${database}__${schema}__analyst`);
    const found = used.whenDriftIsFound();
    const mending = reconcile({ all: true });
    await found.held;
    await define(2, ['SELECT', 'UPDATE'], 'bob');
    found.letGo();
    await mending;

    const version = async () => parseMarker(await commentOn(`${database}__${schema}__auditor`))?.version;
    expect(await version()).toBe(2);

    const { changes } = await reconcile({ all: true });
    expect(changes, 'the analyst is mended by the next one').toContainEqual(
      expect.objectContaining({ action: 'create', name: `${database}__${schema}__analyst` }),
    );
    expect(await version()).toBe(2);
    expect(driftOf(await reconcile({ all: true }), database)).toEqual([]);
  });
});

describe('the owner that create-schema was given', () => {
  const database = 'app_mended';
  const owns = () => members('owned', database);

  it('is no stranger, and is not given back once he was taken away', async () => {
    await createSchema(database, 'owned', { owner: 'olga' });
    await grant('alice', { database, schema: 'owned' });

    expect(driftOf(await reconcile({ all: true }), database)).toEqual([]);
    expect(await owns()).toEqual(['owner olga', 'reader alice']);

    await byHand(database, `REVOKE ${database}__owned__owner FROM olga`, 'owned');
    expect(driftOf(await reconcile({ all: true }), database), 'by hand').toEqual([]);
    expect(await owns()).toEqual(['reader alice']);
  });

  it('is one like any other, once grants say something about him', async () => {
    await grant('olga', { database, schema: 'owned', level: 'owner' });
    await byHand(database, `REVOKE ${database}__owned__owner FROM olga`, 'owned');
    await reconcile({ all: true });
    expect(await owns(), 'granted').toEqual(['owner olga', 'reader alice']);

    await grant('olga', { database, schema: 'owned', level: 'owner', mode: 'revoke' });
    expect(driftOf(await reconcile({ all: true }), database)).toEqual([]);
    expect(await owns(), 'revoked').toEqual(['reader alice']);

    await byHand(database, `GRANT ${database}__owned__owner TO olga WITH INHERIT FALSE, SET TRUE`, 'owned');
    await reconcile({ all: true });
    expect(await owns(), 'revoked, and given by hand').toEqual(['reader alice']);
  });
});
