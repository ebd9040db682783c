import { describe, expect, it } from 'vitest';
import { localInstance } from '../../local/stack.ts';
import { actingAdmin } from '../../shared/postgres/names.ts';
import { mostHistory } from '../../shared/registry/grants/model.ts';
import { at, login, useGrants, user } from './grants.ts';
import { isSettled, presentIn } from './members.ts';

const { send, begin, members, registry, everything, query } = useGrants(
  {},
  async ({ query, createSchema }) => {
    await query(
      `DO $$ DECLARE name text;
     BEGIN
       FOREACH name IN ARRAY '{alice,bob,carol,dave,erin,a_b,a_bc,axb}'::text[] LOOP
         EXECUTE format('CREATE ROLE %I LOGIN', name);
       END LOOP;
       FOR n IN 1..100 LOOP EXECUTE format('CREATE ROLE %I LOGIN', 'crowd_' || n); END LOOP;
     END $$`,
    );
    const schemas = ['billing', 'a_b', 'a_bc', 'shared', 'crowded', 'ordered', 'missed'];
    await Promise.all(schemas.map((schema) => createSchema('app', schema)));
  },
);

describe('grant-roles', () => {
  it('adds, makes exact and revokes, and touches only what differs', async () => {
    await begin([login('alice', 'reader')]);
    const rows = () => query(`SELECT oid FROM pg_auth_members WHERE member = 'alice'::regrole`);
    const before = await rows();

    const added = await send({ mode: 'add', grants: [login('alice', 'reader'), login('bob', 'writer')] });
    expect(added).toMatchObject({
      state: 'succeeded',
      changes: [{ action: 'grant', kind: 'membership', name: 'app__billing__writer', detail: 'to bob' }],
      summary: { granted: 1, revoked: 0, kept: 1 },
    });
    const exact = await send({
      mode: 'exact',
      grants: [login('alice', 'reader'), login('carol', 'analyst'), login('dave', 'owner')],
    });
    expect(exact).toMatchObject({ state: 'succeeded', summary: { granted: 2, revoked: 1, kept: 1 } });
    expect(await members()).toEqual(['analyst carol', 'owner dave', 'reader alice']);
    expect(await rows(), 'the same membership all along').toEqual(before);

    const revoked = await send({
      mode: 'revoke',
      grants: [login('carol', 'analyst'), login('bob', 'writer'), login('dropped_long_ago', 'reader')],
    });
    expect(revoked).toMatchObject({ state: 'succeeded', summary: { granted: 0, revoked: 1, kept: 0 } });
    expect(await members()).toEqual(['owner dave', 'reader alice']);
    expect(presentIn(await registry())).toEqual(['owner dave', 'reader alice']);
    expect(isSettled(await registry())).toBe(true);
  });

  it('executes nothing where everything is as it should be', async () => {
    await begin([login('alice', 'reader')]);
    const before = await everything();
    const again = await send({ mode: 'exact', grants: [login('alice', 'reader')] });

    expect(again).toMatchObject({
      state: 'succeeded',
      changes: [],
      summary: { granted: 0, revoked: 0, kept: 1 },
    });
    expect((await everything()).catalog).toEqual(before.catalog);
  });

  it('takes all away with an empty list where that is meant', async () => {
    await begin([login('alice', 'reader'), login('bob', 'writer')]);
    expect(await send({ mode: 'exact', grants: [], allowEmpty: true })).toMatchObject({
      state: 'succeeded',
      summary: { granted: 0, revoked: 2, kept: 0 },
    });
    expect(await members()).toEqual([]);
  });

  it('grants the database’s own roles where no schema is named', async () => {
    const record = await send({ schema: undefined, mode: 'add', grants: [login('erin', 'monitor')] });
    expect(record).toMatchObject({ state: 'succeeded', summary: { granted: 1, revoked: 0, kept: 0 } });
    expect(await members(null)).toEqual(['monitor erin']);
    expect(presentIn(await registry(null))).toEqual(['monitor erin']);
  });

  it('never takes a name for the beginning of another', async () => {
    const all = ['a_b', 'a_bc', 'axb'].map((name) => login(name, 'reader'));
    await begin(all, 'a_b');
    await begin(all, 'a_bc');

    await send({ schema: 'a_b', mode: 'revoke', grants: [login('a_b', 'reader')] });

    expect(await members('a_b')).toEqual(['reader a_bc', 'reader axb']);
    expect(await members('a_bc')).toEqual(['reader a_b', 'reader a_bc', 'reader axb']);
    await send({ schema: 'a_b', mode: 'exact', allowEmpty: true, grants: [] });
    expect(await members('a_bc')).toEqual(['reader a_b', 'reader a_bc', 'reader axb']);
  });

  it('says in a dry run what it would do, and does nothing', async () => {
    await begin([login('alice', 'reader'), login('bob', 'writer')]);
    const message = {
      mode: 'exact',
      createMissing: true,
      grants: [login('alice', 'reader'), login('carol', 'owner'), user('planned@acme.com')],
    };
    const before = await everything();
    const planned = await send(message, { dryRun: true });
    expect(await everything()).toEqual(before);

    expect(planned).toMatchObject({ state: 'planned', summary: { granted: 2, revoked: 1, kept: 1 } });
    const acting = actingAdmin('app', 'billing');
    expect(planned.statements).toEqual([
      'GRANT "app__billing__owner" TO "carol" WITH INHERIT FALSE, SET TRUE',
      'GRANT "app__billing__reader" TO "planned@acme.com" WITH INHERIT TRUE, SET FALSE',
      `REVOKE "app__billing__writer" FROM "bob" GRANTED BY "${acting}" CASCADE`,
    ]);
    const done = await send(message);
    expect(done.changes).toEqual(planned.changes);
    expect(await members()).toEqual(['owner carol', 'reader alice', 'reader planned@acme.com']);
  });
});

describe('grants made by hand', () => {
  it('by another grantor are reported with the statements that take them back', async () => {
    await begin([login('alice', 'reader')], 'shared');
    await query('GRANT app__shared__reader TO bob; GRANT app__shared__writer TO carol');
    const before = await members('shared');

    const added = await send({ schema: 'shared', ...{ mode: 'add', grants: [login('alice', 'reader')] } });
    expect(added, 'adding is not about others').toMatchObject({ state: 'succeeded', notes: [], changes: [] });
    const record = await send({ schema: 'shared', mode: 'exact', grants: [login('alice', 'reader')] });

    expect(record).toMatchObject({ state: 'succeeded', partial: true, changes: [] });
    expect(record.notes).toMatchObject([
      { code: 'FOREIGN_MEMBERSHIP', message: expect.stringContaining('cloudsqladmin') },
      { code: 'FOREIGN_MEMBERSHIP' },
    ]);
    expect(await members('shared')).toEqual(before);
    const revoked = await send({ schema: 'shared', mode: 'revoke', grants: [login('bob', 'reader')] });
    expect(revoked).toMatchObject({
      state: 'succeeded',
      partial: true,
      notes: [{ code: 'FOREIGN_MEMBERSHIP' }],
    });

    for (const { statements = [] } of record.notes ?? []) await query(statements.join(';\n'));
    expect(await members('shared')).toEqual(['reader alice']);
    const again = await send({ schema: 'shared', mode: 'exact', grants: [login('alice', 'reader')] });
    expect(again).toMatchObject({ state: 'succeeded', notes: [], changes: [] });
    expect(again.partial).toBeUndefined();
  });

  it('by a member who was given the right to go when a message says exactly who', async () => {
    await begin([login('alice', 'reader')], 'shared');
    await query(
      `SET ROLE ${actingAdmin('app', 'shared')};
       GRANT app__shared__reader TO alice WITH ADMIN OPTION;
       SET ROLE alice;
       GRANT app__shared__reader TO bob;
       GRANT app__shared__reader TO carol`,
    );
    const added = await send({ schema: 'shared', mode: 'add', grants: [login('alice', 'reader')] });
    expect(added).toMatchObject({ notes: [{ code: 'GRANT_PASSED_ON' }], changes: [] });
    expect(await members('shared')).toEqual(['reader alice', 'reader bob', 'reader carol']);

    const exact = await send({
      schema: 'shared',
      mode: 'exact',
      grants: [login('alice', 'reader'), login('carol', 'reader')],
    });

    expect(exact).toMatchObject({ state: 'succeeded', notes: [] });
    expect(await members('shared')).toEqual(['reader alice', 'reader carol']);
    expect(
      await query(
        `SELECT member FROM pg_auth_members WHERE admin_option AND member IN ('alice'::regrole, 'carol'::regrole)`,
      ),
    ).toEqual([]);
  });
});

describe('a principal that is no longer what it was', () => {
  it('can be taken a right from, though it could not be given one any more', async () => {
    await query('CREATE ROLE rex LOGIN; CREATE ROLE gone LOGIN');
    const grants = [login('rex', 'owner'), login('rex', 'reader'), login('gone', 'reader')];
    await begin([...grants, login('alice', 'reader')]);
    await query('ALTER ROLE rex SUPERUSER; DROP ROLE gone');
    expect(await send({ mode: 'add', grants })).toMatchObject({ error: { code: 'PRINCIPAL_NOT_ALLOWED' } });

    const record = await send({ mode: 'revoke', grants });

    expect(record).toMatchObject({ state: 'succeeded', notes: [], summary: { granted: 0, revoked: 2 } });
    expect(await members()).toEqual(['reader alice']);
    expect(presentIn(await registry())).toEqual(['reader alice']);
    expect(isSettled(await registry())).toBe(true);
  });

  it('is noted where it should have a right, and stands in nobody’s way', async () => {
    const schema = 'missed';
    await query('CREATE ROLE passing LOGIN');
    await send({ schema, mode: 'add', grants: [login('passing', 'reader')] }, at(2));
    await query('DROP ROLE passing');

    // Older than that grant, which therefore stays.
    const record = await send({ schema, mode: 'exact', grants: [login('bob', 'writer')] }, at(1));

    expect(record).toMatchObject({ state: 'succeeded', summary: { granted: 1 } });
    expect(record.notes).toMatchObject([
      { code: 'PRINCIPAL_GONE', message: expect.stringContaining('passing should be reader') },
    ]);
    expect(await members(schema)).toEqual(['writer bob']);
    const other = await send({ schema, mode: 'add', grants: [login('carol', 'reader')] }, at(3));
    expect(other, 'about somebody else').toMatchObject({ state: 'succeeded', notes: [] });
    const exact = await send({ schema, mode: 'exact', grants: [login('bob', 'writer')] }, at(4));
    expect(exact, 'which takes it back').toMatchObject({ state: 'succeeded', notes: [] });
    expect(presentIn(await registry(schema))).toEqual(['writer bob']);
  });
});

describe('messages about the same grants', () => {
  it('are superseded where something newer was decided, grant by grant', async () => {
    const schema = 'ordered';
    await send({ schema, mode: 'add', grants: [login('alice', 'reader'), login('bob', 'reader')] }, at(1));
    await send({ schema, mode: 'revoke', grants: [login('alice', 'reader')] }, at(5));

    const part = await send(
      { schema, mode: 'add', grants: [login('alice', 'reader'), login('carol', 'reader')] },
      at(3),
    );
    expect(part).toMatchObject({
      state: 'succeeded',
      summary: { granted: 1 },
      notes: [{ code: 'SUPERSEDED', message: expect.stringContaining('reader:alice') }],
    });
    const whole = await send({ schema, mode: 'add', grants: [login('alice', 'reader')] }, at(4));
    expect(whole).toMatchObject({ state: 'succeeded', changes: [], notes: [{ code: 'SUPERSEDED' }] });
    expect(await members(schema)).toEqual(['reader bob', 'reader carol']);

    await send({ schema, mode: 'exact', grants: [login('dave', 'reader')] }, at(10));
    const older = await send({ schema, mode: 'exact', grants: [login('erin', 'reader')] }, at(9));
    expect(older).toMatchObject({ state: 'succeeded', changes: [], notes: [{ code: 'SUPERSEDED' }] });
    const unknown = await send({ schema, mode: 'add', grants: [login('axb', 'writer')] }, at(9));
    expect(unknown, 'not on the newer list').toMatchObject({ changes: [], notes: [{ code: 'SUPERSEDED' }] });
    expect(await members(schema)).toEqual(['reader dave']);
    expect(presentIn(await registry(schema))).toEqual(['reader dave']);
  });
});

describe('the registry', () => {
  it('knows who asked, when, why and until when', async () => {
    await begin([]);
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const later = new Date(Date.now() + 7_200_000).toISOString();
    const attributes = { 'claimed-actor': 'pat@acme.com' };
    const grant = { reason: 'incident 42', expiresAt };
    const added = await send({ mode: 'add', grants: [login('alice', 'reader', grant)] }, { attributes });

    const set = await registry();
    expect(set.grants['reader:alice']).toEqual({
      principal: 'alice',
      kind: 'login',
      role: 'reader',
      value: {
        present: true,
        expiresAt: new Date(expiresAt),
        reason: 'incident 42',
        actor: 'pat@acme.com',
        operation: expect.stringMatching(/^[0-9a-f]{40}$/),
        publishedAt: added.publishedAt.toDate(),
      },
    });
    expect(set).toMatchObject({
      instance: localInstance,
      principals: ['alice'],
      nextExpiry: new Date(expiresAt),
    });

    await send({ mode: 'add', grants: [login('alice', 'reader', { expiresAt: later })] });
    expect(await registry()).toMatchObject({ nextExpiry: new Date(later) });
    await send({ mode: 'revoke', grants: [login('alice', 'reader')] });
    const revoked = await registry();
    expect(revoked).toMatchObject({ principals: [], nextExpiry: null });
    expect(revoked.history.slice(0, 3)).toMatchObject([
      { action: 'revoke', principal: 'alice', role: 'reader', at: expect.any(Date) },
      { action: 'renew', expiresAt: new Date(later) },
      { action: 'grant', expiresAt: new Date(expiresAt), actor: 'pat@acme.com', reason: 'incident 42' },
    ]);
  });

  it('remembers so much and no more', async () => {
    const grants = Array.from({ length: 100 }, (_, index) => login(`crowd_${index + 1}`, 'reader'));
    for (const mode of ['add', 'revoke', 'add']) {
      const record = await send({ schema: 'crowded', mode, grants });
      expect(record).toMatchObject({ state: 'succeeded' });
      expect(record.changes).toHaveLength(100);
    }
    const { history } = await registry('crowded');
    expect(history).toHaveLength(mostHistory);
    expect(mostHistory).toBeLessThan(300);
    expect(history.slice(0, 100).map(({ action }) => action)).toEqual(Array(100).fill('grant'));
    expect(await members('crowded')).toHaveLength(100);
  });
});
