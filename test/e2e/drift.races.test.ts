import { describe, expect, it } from 'vitest';
import { localInstance } from '../../local/stack.ts';
import { permissivePolicy } from '../support/stack.ts';
import { presentIn } from './members.ts';
import { useReconciling } from './reconciling.ts';

const policy = {
  rules: [
    ...permissivePolicy.rules,
    { functions: ['reconcile'], targets: [`${localInstance}/app_mended`], actions: ['mend'] },
  ],
};
const database = 'app_mended';
const used = useReconciling(
  [database],
  'CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE olga LOGIN',
  {
    policy,
  },
);
const { byHand, createSchema, grant, grantUntilNow, members, reconcile, registry } = used;

describe('mending while messages come', () => {
  it('takes nothing back that was made by hand and then asked for, since that was found', async () => {
    const schema = 'asked';
    await createSchema(database, schema);
    await grant('bob', { database, schema });
    await reconcile({ all: true });
    await byHand(
      database,
      `GRANT ${database}__${schema}__reader TO alice WITH INHERIT TRUE, SET FALSE`,
      schema,
    );
    const found = used.whenDriftIsFound();
    const mending = reconcile({ all: true });
    await found.held;
    await grant('alice', { database, schema });
    found.letGo();
    await mending;

    expect(presentIn(await registry(schema, database))).toEqual(['reader alice', 'reader bob']);
    expect(await members(schema, database)).toEqual(['reader alice', 'reader bob']);
  });

  it('lets an owner be whom create-schema was given since that was found', async () => {
    const schema = 'given';
    await createSchema(database, schema);
    await grant('bob', { database, schema });
    await reconcile({ all: true });
    await byHand(database, `REVOKE ${database}__${schema}__reader FROM bob`, schema);
    const found = used.whenDriftIsFound();
    const mending = reconcile({ all: true });
    await found.held;
    await createSchema(database, schema, { owner: 'olga' });
    found.letGo();
    await mending;

    expect(await members(schema, database)).toContain('owner olga');
    await reconcile({ all: true });
    expect(await members(schema, database)).toEqual(['owner olga', 'reader bob']);
  });

  it('lets an owner be while create-schema is under way', async () => {
    await createSchema(database, 'owned', { owner: 'olga' });
    await grant('alice', { database, schema: 'owned' });
    const { docs } = await used.stack.db
      .collection('schemas')
      .where('database', '==', database)
      .where('schema', '==', 'owned')
      .get();
    const [document] = docs;
    const desired: unknown = document?.get('applied.desired');
    // Sent again, and between two attempts.
    const intents = [{ operation: 'under-way', publishedAt: new Date(), desired }];
    await document?.ref.update({ epoch: 2, intents });
    await used.stack.db.collection('operations').doc('under-way').set({ state: 'pending' });

    const record = await reconcile({ all: true });
    await document?.ref.update({ intents: [] });

    expect(record.notes).toEqual([]);
    expect(record.changes).toEqual([]);
    expect(await members('owned', database)).toEqual(['owner olga', 'reader alice']);
  });

  it('doesn’t fight with create-schema about an owner: the later word counts', async () => {
    const schema = 'fought';
    await createSchema(database, schema, { owner: 'olga' });
    await grant('olga', { database, schema, level: 'owner', mode: 'revoke' });
    expect(await members(schema, database)).toEqual([]);
    await createSchema(database, schema, { owner: 'olga' });
    expect(await members(schema, database)).toEqual(['owner olga']);

    await reconcile({ all: true });

    expect(await members(schema, database)).toEqual(['owner olga']);
  });
});

describe('expiry', () => {
  it.each(['owner', 'reader'])('is not told to be done where the %s has lost its marker', async (role) => {
    const schema = `marked_${role}`;
    const name = `${database}__${schema}__${role}`;
    await createSchema(database, schema);
    await grantUntilNow('alice', { database, schema });
    const [row] = await used.stack.query(
      database,
      `SELECT shobj_description('${name}'::regrole, 'pg_authid') AS marker`,
    );
    await used.stack.query(database, `COMMENT ON ROLE ${name} IS 'ours'`);

    const { notes } = await reconcile();

    expect(notes?.filter(({ code }) => code === 'NOT_TAKEN_BACK')).toMatchObject([
      { message: expect.stringContaining('MARKER_LOST') },
    ]);
    expect(await members(schema, database)).toEqual(['reader alice']);
    expect(presentIn(await registry(schema, database))).toEqual(['reader alice']);
    await used.stack.query(database, `COMMENT ON ROLE ${name} IS '${row?.['marker']}'`);
    await reconcile();
    expect(await members(schema, database)).toEqual([]);
    expect(presentIn(await registry(schema, database))).toEqual([]);
  });
});
