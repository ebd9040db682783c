import type pg from 'pg';
import { describe, expect, it } from 'vitest';
import { localPassword } from '../../local/postgres/cloudsql.ts';
import { checksumOf, customRoleDefinition } from '../../shared/postgres/custom-role.ts';
import { parseMarker } from '../../shared/postgres/marker.ts';
import { connected } from '../support/postgres.ts';
import { login, member, useGrants } from './grants.ts';
import { isSettled, presentIn } from './members.ts';

const cloud = useGrants({}, async ({ query, createSchema }) => {
  await query(
    `CREATE ROLE ann LOGIN PASSWORD '${localPassword}';
     CREATE ROLE pia LOGIN PASSWORD '${localPassword}';
     CREATE ROLE rex LOGIN PASSWORD '${localPassword}';
     GRANT pg_signal_backend TO drover_admin WITH ADMIN OPTION`,
  );
  await createSchema('app', 'billing');
  await query(
    `SET ROLE app__billing__owner;
     CREATE TABLE billing.invoices (id serial);
     CREATE TABLE billing.payments ()`,
  );
});
const { send, begin, members, registry, everything, query } = cloud;

/** The first version of a role. */
const first = (name: string) => ({
  name,
  version: 1,
  inherits: ['reader'],
  privileges: { tables: ['SELECT', 'UPDATE'] },
  native: ['pg_signal_backend'],
});

/** Another one, of which some is in the first, too. */
const second = (name: string) => ({ name, version: 2, privileges: { tables: ['SELECT', 'DELETE'] } });

const define = (definition: object, grants: object[] = [], options = {}) =>
  send({ mode: 'add', grants, customRoles: [definition] }, options);

const as = <T>(user: string, use: (client: pg.Client) => Promise<T>) =>
  connected(cloud.stack.cluster.url(user, localPassword, 'app'), use);

/** What a member of a role can do, by doing it. */
const deedsOf = (user: string, role: string, table = 'invoices') =>
  as('rex', async (other) => {
    const { rows } = await other.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const deeds = {
      read: `SELECT FROM billing.${table}`,
      change: `UPDATE billing.${table} SET id = id`,
      delete: `DELETE FROM billing.${table}`,
      add: `INSERT INTO billing.${table} DEFAULT VALUES`,
      'read a sequence': 'SELECT last_value FROM billing.invoices_id_seq',
      'signal others': `SELECT pg_cancel_backend(${rows[0]?.pid})`,
      'act as it': `SET ROLE app__billing__${role}`,
    };
    return as(user, async (client) => {
      const able: string[] = [];
      for (const [deed, statement] of Object.entries(deeds)) {
        await client.query(statement).then(
          () => able.push(deed),
          (error: pg.DatabaseError) => expect(error.code, error.message).toBe('42501'),
        );
      }
      return able;
    });
  });

async function markerOf(name: string) {
  const role = `app__billing__${name}`;
  const [row] = await query(`SELECT shobj_description('${role}'::regrole, 'pg_authid') AS comment`);
  return parseMarker(String(row?.['comment']));
}

const signed = (definition: { name: string; version: number }) => ({
  managedBy: 'drover',
  database: 'app',
  schema: 'billing',
  level: definition.name,
  version: definition.version,
  checksum: checksumOf(customRoleDefinition.parse(definition)),
});

describe('a custom role', () => {
  it('gives its members what its definition says, and no more', async () => {
    const definition = first('support');
    const grants = [member('pia', 'support')];
    const before = await everything();
    const planned = await define(definition, grants, { dryRun: true });
    expect(planned).toMatchObject({ state: 'planned', error: null, notes: [] });
    expect(planned.statements).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^CREATE ROLE "app__billing__support"/),
        'GRANT SELECT, UPDATE ON TABLE billing.invoices, billing.payments TO "app__billing__support"',
        'GRANT "pg_signal_backend" TO "app__billing__support" WITH INHERIT TRUE',
        'GRANT "app__billing__support" TO "pia" WITH INHERIT TRUE, SET FALSE',
      ]),
    );
    expect(await everything()).toEqual(before);

    const record = await define(definition, grants);

    expect(record).toMatchObject({ state: 'succeeded', notes: [], changes: planned.changes });
    expect(await deedsOf('pia', 'support')).toEqual(['read', 'change', 'read a sequence', 'signal others']);
    expect(await deedsOf('ann', 'support')).toEqual([]);
    expect(await markerOf('support')).toEqual(signed(definition));
    const set = await registry();
    expect(presentIn(set)).toContain('support pia');
    expect(set.customRoles['support']?.value).toMatchObject({
      definition,
      checksum: signed(definition).checksum,
    });
    expect(isSettled(set)).toBe(true);
    expect(await define(definition, grants), 'and again').toMatchObject({ state: 'succeeded', changes: [] });
  });

  it('loses what a new version no longer has, and keeps its members', async () => {
    await define(first('changing'), [member('ann', 'changing')]);
    const rows = () => query(`SELECT oid FROM pg_auth_members WHERE member = 'ann'::regrole`);
    const before = await rows();

    const definition = second('changing');
    expect(await define(definition)).toMatchObject({ state: 'succeeded', notes: [] });

    expect(await deedsOf('ann', 'changing')).toEqual(['read', 'delete']);
    await query('SET ROLE app__billing__owner; CREATE TABLE billing.later (id int)');
    expect(await deedsOf('ann', 'changing', 'later'), 'of what comes later, too').toEqual(['read', 'delete']);
    expect(await rows()).toEqual(before);
    expect(await markerOf('changing')).toEqual(signed(definition));
    await define({ name: 'changing', version: 3 });
    expect(await deedsOf('ann', 'changing')).toEqual([]);
  });

  it('has one definition of a version', async () => {
    const definition = second('settled');
    await define(definition);
    const before = await everything();
    for (const dryRun of [true, false]) {
      const other = { ...definition, inherits: ['reader'] };
      const record = await define(other, [member('pia', 'settled')], { dryRun });
      expect(record).toMatchObject({
        state: 'failed',
        error: { code: 'ROLE_VERSION_CONFLICT', details: { customRole: 'settled', version: 2 } },
      });
    }
    expect(await everything()).toEqual(before);

    const same = { ...definition, privileges: { tables: ['DELETE', 'SELECT'] }, native: [] };
    expect(await define(same), 'in other words').toMatchObject({ state: 'succeeded', changes: [] });
    expect(await markerOf('settled')).toEqual(signed(definition));
  });

  it('is not set back by a lower version that comes later, which may have new members all the same', async () => {
    await define(second('kept'), [member('rex', 'kept')]);
    const late = await define(first('kept'));
    expect(late).toMatchObject({ state: 'succeeded', changes: [], notes: [{ code: 'SUPERSEDED' }] });

    const record = await define(first('kept'), [member('ann', 'kept')]);

    expect(record).toMatchObject({
      state: 'succeeded',
      changes: [{ name: 'app__billing__kept', detail: 'to ann' }],
      notes: [{ code: 'SUPERSEDED', message: expect.stringContaining('about kept ') }],
    });
    expect(await deedsOf('ann', 'kept')).toEqual(['read', 'delete']);
    expect(await markerOf('kept')).toEqual(signed(second('kept')));
    expect((await registry()).customRoles['kept']?.value.definition.version).toBe(2);
  });

  it('has exactly the members that a message names', async () => {
    await define(first('exact'));
    await begin([member('ann', 'exact'), member('rex', 'exact'), login('pia', 'reader')]);
    await begin([member('rex', 'exact')]);

    expect(await members()).toEqual(['exact rex']);
    expect(await deedsOf('ann', 'exact')).toEqual([]);
    expect(presentIn(await registry())).toEqual(['exact rex']);
    await begin([]);
    expect(await markerOf('exact'), 'it stays, with nobody in it').toEqual(signed(first('exact')));
  });
});
