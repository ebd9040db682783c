import { FieldPath } from '@google-cloud/firestore';
import { afterEach, describe, expect, it } from 'vitest';
import { actingAdmin } from '../../shared/postgres/names.ts';
import { operationDocumentId } from '../../shared/registry/operations.ts';
import { type PostgresProxy, startPostgresProxy } from '../support/postgres-proxy.ts';
import { target } from '../support/stack.ts';
import { isSettled, presentIn } from './members.ts';
import { revocationsOf, useReconciling } from './reconciling.ts';

let proxy: PostgresProxy;

const used = useReconciling(
  ['app', 'app_dropped'],
  `CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN;
   SET ROLE drover_admin_00; CREATE ROLE dora LOGIN`,
  {
    proxyFor: async ({ port }) => {
      proxy = await startPostgresProxy(port);
      return proxy.port;
    },
  },
);
const { createSchema, grant, grantUntilNow, inSeconds, members, reconcile, registry, send } = used;

afterEach(() => {
  proxy.intercept = undefined;
});

/** The identity of a membership: it is another row once it was revoked. */
const rowOf = (role: string, member: string) =>
  used.stack.query(
    'app',
    `SELECT oid FROM pg_auth_members WHERE roleid = '${role}'::regrole AND member = '${member}'::regrole`,
  );

describe('a grant whose time is over', () => {
  it('is taken back when the time comes; one without an end stays', async () => {
    await grant('bob');
    const expiresAt = await inSeconds(5);
    await grant('alice', { expiresAt, reason: 'incident' });
    await used.until(expiresAt);

    const record = await reconcile();

    expect(record).toMatchObject({
      state: 'succeeded',
      changes: [{ action: 'revoke', name: 'app__billing__reader', detail: 'from alice' }],
    });
    expect(await members()).toEqual(['reader bob']);
    const set = await registry();
    expect(presentIn(set)).toEqual(['reader bob']);
    expect(set).toMatchObject({ nextExpiry: null, principals: ['bob'] });
    expect(set.history[0]).toMatchObject({ action: 'expire', principal: 'alice', reason: 'incident' });
    expect(set.grants['reader:bob']?.value.expiresAt).toBeUndefined();
    expect(await reconcile()).toMatchObject({ state: 'succeeded', changes: [], summary: { expiring: 0 } });
  });

  it('is taken back once, however many messages ask for it at once', async () => {
    await createSchema('app', 'hurried');
    await grantUntilNow('alice', { schema: 'hurried' });

    const ids = ['one', 'two', 'three', 'three', 'three'];
    const records = await Promise.all(ids.map((id) => reconcile({}, { id })));
    await used.stack.pubsub?.idle();

    expect(records.map(({ state }) => state)).toEqual(ids.map(() => 'succeeded'));
    expect(
      revocationsOf('alice', [...new Map(records.map((one) => [one.operationId, one])).values()]),
    ).toHaveLength(1);
    const set = await registry('hurried');
    expect(set.history.map(({ action }) => action)).toEqual(['expire', 'grant']);
    expect(await members('hurried')).toEqual([]);
    expect(isSettled(set)).toBe(true);
  });

  it('is left alone in a dry run', async () => {
    await grantUntilNow('alice');
    const before = await registry();
    expect(await reconcile({}, { dryRun: true })).toMatchObject({ state: 'planned', changes: [] });
    expect(await registry()).toEqual(before);
    await reconcile();
    expect(await members()).toEqual(['reader bob']);
  });

  it('that is renewed before was never gone', async () => {
    await createSchema('app', 'renewed');
    const options = { schema: 'renewed', expiresAt: await inSeconds(3600) };
    await grant('alice', options);
    const before = await rowOf('app__renewed__reader', 'alice');
    await used.letEnd('alice', options);

    await grant('alice', { ...options, expiresAt: await inSeconds(7200) });
    expect(await reconcile()).toMatchObject({ state: 'succeeded', changes: [] });

    expect(await rowOf('app__renewed__reader', 'alice')).toEqual(before);
    const { history } = await registry('renewed');
    expect(history.map(({ action }) => action)).toEqual(['renew', 'grant']);
  });

  it('is not kept by a renewal that failed', async () => {
    await createSchema('app', 'failed');
    await grantUntilNow('alice', { schema: 'failed' });
    // Of a worker that died: its deliveries were used up, and its wish is in the registry still.
    const ref = await used.setOf('app', 'failed');
    const { value, ...identity } = (await registry('failed')).grants['reader:alice'] ?? {};
    const wish = {
      ...value,
      operation: 'dead',
      publishedAt: new Date(),
      expiresAt: new Date(Date.now() + 1e7),
    };
    const open = { ...identity, value: wish, before: value, undecided: true };
    await ref.update(new FieldPath('grants', 'reader:alice'), open);
    const dead = used.stack.db.collection('operations').doc('dead');
    await dead.set({ state: 'running' });
    expect(await reconcile(), 'somebody may be at it').toMatchObject({ changes: [] });

    await dead.set({ state: 'failed' });
    expect(await reconcile()).toMatchObject({ changes: [{ action: 'revoke', detail: 'from alice' }] });

    expect(await members('failed')).toEqual([]);
    expect(isSettled(await registry('failed'))).toBe(true);
  });
});

describe('taking back', () => {
  it.each([
    { moment: 'before anything is taken', statement: 'REVOKE', phase: 'before', left: ['reader alice'] },
    { moment: 'when all is taken', statement: 'COMMIT', phase: 'after', left: [] },
  ])('whose connection breaks $moment is taken up by the next tick', async ({ statement, phase, left }) => {
    const schema = `broken_${phase}`;
    await createSchema('app', schema);
    await grantUntilNow('alice', { schema });
    proxy.intercept = (call) => {
      if (call.phase === phase && call.query.startsWith(statement)) throw new Error('the connection breaks');
    };

    const first = await reconcile();
    proxy.intercept = undefined;

    expect(first).toMatchObject({
      state: 'succeeded',
      changes: [],
      notes: [{ code: 'NOT_TAKEN_BACK', message: expect.stringContaining(`app.${schema} `) }],
    });
    expect(await members(schema)).toEqual(left);
    const { operationId } = first;
    expect((await registry(schema)).grants['reader:alice'], 'open, of an operation that ended').toMatchObject(
      {
        undecided: true,
        value: { expired: true, operation: operationDocumentId('reconcile', { operationId, dryRun: false }) },
      },
    );

    await used.tick();

    expect(await members(schema)).toEqual([]);
    const set = await registry(schema);
    expect(set).toMatchObject({ nextExpiry: null, principals: [] });
    expect(set.history.map(({ action }) => action)).toEqual(['expire', 'grant']);
    expect(isSettled(set)).toBe(true);
    expect(await reconcile()).toMatchObject({ summary: { expiring: 0 } });
  });

  it('that is impossible in one schema is done in the others, and tried again', async () => {
    const schemas = ['closed', 'ledger', 'orders'];
    expect(new Set(schemas.map((schema) => actingAdmin('app', schema))).size, 'each has its own').toBe(3);
    for (const schema of schemas) {
      await createSchema('app', schema);
      await grantUntilNow('alice', { schema });
    }
    const admin = await used.withoutAdmin('app', 'closed');

    for (const [index, record] of [await reconcile(), await reconcile()].entries()) {
      expect(record).toMatchObject({
        state: 'succeeded',
        summary: { expiring: 1 },
        notes: [
          {
            code: 'NOT_TAKEN_BACK',
            message: expect.stringMatching(/^Grants on app\.closed are over.*INSTANCE_NOT_PREPARED/),
          },
        ],
      });
      expect(revocationsOf('alice', [record])).toHaveLength(index === 0 ? 2 : 0);
    }
    expect(await members('closed')).toEqual(['reader alice']);
    expect((await registry('closed')).grants['reader:alice']?.value).toMatchObject({ present: true });
    for (const schema of ['ledger', 'orders']) {
      expect(await members(schema)).toEqual([]);
      expect(isSettled(await registry(schema))).toBe(true);
    }
    await admin.again();

    await used.tick();
    expect(await members('closed')).toEqual([]);
    expect(isSettled(await registry('closed'))).toBe(true);
  });
});

describe('what was dropped by hand', () => {
  const places = [
    { database: 'app', schema: 'dropped' },
    { database: 'app_dropped', schema: 'billing' },
  ];

  it('ends the grants on it, and keeps nobody from being offboarded', async () => {
    await createSchema('app', 'dropped');
    await grant('dora', { level: 'writer' });
    for (const place of places) {
      await grant('dora', place);
      await grantUntilNow('alice', place);
    }
    await used.stack.query(
      'app',
      `DROP SCHEMA dropped CASCADE; DROP OWNED BY app__dropped__owner CASCADE;
       DROP ROLE app__dropped__owner, app__dropped__writer, app__dropped__reader, app__dropped__analyst`,
    );
    await used.stack.query('postgres', 'DROP DATABASE app_dropped WITH (FORCE)');

    const record = await reconcile();

    expect(record).toMatchObject({ state: 'succeeded', changes: [], summary: { expiring: 2 } });
    expect(record.notes?.filter(({ code }) => code === 'SCHEMA_GONE').map(({ message }) => message)).toEqual(
      expect.arrayContaining([
        expect.stringContaining('app.dropped '),
        expect.stringContaining('app_dropped.billing '),
      ]),
    );
    for (const { database, schema } of places) {
      const set = await registry(schema, database);
      expect(presentIn(set)).toEqual(['reader dora']);
      expect(set).toMatchObject({ nextExpiry: null, principals: ['dora'] });
      expect(isSettled(set)).toBe(true);
    }
    expect(await reconcile(), 'it is over').toMatchObject({ changes: [], summary: { expiring: 0 } });

    const grants = [{ principal: 'dora', kind: 'login' }];
    const offboarded = await send('grant-roles', { target: target('app'), mode: 'offboard', grants });

    expect(offboarded).toMatchObject({ state: 'succeeded' });
    expect(offboarded.partial).toBeUndefined();
    expect(offboarded.notes?.map(({ code }) => code)).toEqual(['SCHEMA_GONE', 'SCHEMA_GONE']);
    for (const { database, schema } of [...places, { database: 'app', schema: 'billing' }]) {
      expect(presentIn(await registry(schema, database))).not.toContainEqual(expect.stringContaining('dora'));
      expect(isSettled(await registry(schema, database))).toBe(true);
    }
    expect(await used.stack.query('app', `SELECT FROM pg_roles WHERE rolname = 'dora'`)).toEqual([]);
  });
});

describe('a grant that runs out while its message is under way', () => {
  it('is not given any more, and goes out of the registry with the next tick; the others are given', async () => {
    await createSchema('app', 'late');
    const expiresAt = await inSeconds(4);
    const again = Promise.withResolvers<void>();
    const later = Promise.withResolvers<void>();
    let begun = 0;
    proxy.intercept = ({ query, phase }) => {
      if (phase !== 'before') return undefined;
      if (query.startsWith('GRANT')) throw new Error('the connection breaks');
      if (query.includes('BEGIN ISOLATION LEVEL')) begun += 1;
      if (begun < 2) return undefined;
      proxy.intercept = undefined;
      again.resolve();
      return later.promise;
    };
    const login = (principal: string, more = {}) => ({ principal, kind: 'login', level: 'reader', ...more });
    const grants = [login('alice', { expiresAt }), login('bob')];
    const sending = send('grant-roles', { target: target('app'), schema: 'late', mode: 'add', grants });
    await again.promise;
    await used.until(expiresAt);
    later.resolve();

    expect(await sending).toMatchObject({
      state: 'succeeded',
      epoch: 2,
      changes: [{ action: 'grant', detail: 'to bob' }],
    });
    expect(await members('late')).toEqual(['reader bob']);
    expect(presentIn(await registry('late'))).toEqual(['reader alice', 'reader bob']);

    await used.tick();

    expect(await members('late')).toEqual(['reader bob']);
    const set = await registry('late');
    expect(presentIn(set)).toEqual(['reader bob']);
    expect(set.history.map(({ action, principal }) => `${action} ${principal}`)).toEqual([
      'expire alice',
      'grant alice',
      'grant bob',
    ]);
    expect(isSettled(set)).toBe(true);
  });
});
