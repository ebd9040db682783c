import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { localPassword } from '../../../local/postgres/cloudsql.ts';
import { endActingSessions } from '../../../shared/grants/sessions.ts';
import { convergeGrants } from '../../../shared/postgres/grants/converge.ts';
import { closePrincipal } from '../../../shared/postgres/offboard/close.ts';
import { identifier } from '../../../shared/postgres/sql.ts';
import { desired, functionLogin, instance, type PreparedCluster, run } from '../../support/postgres.ts';

const target = { instance, database: 'app' };
const options = { signal: new AbortController().signal, remainingMs: () => 60_000, dryRun: false };

const devs = 'devs@acme.com';
/** Whose sessions Drover may end, of whoever is told here: it made them. */
const [uma, sam, wim, bystander] = ['uma@acme.com', 'sam@acme.com', 'wim@acme.com', 'eve@acme.com'];
/** Made by the Admin API, and so out of reach from 16 on. */
const vera = 'vera@acme.com';
const root = 'root@acme.com';

interface Session {
  readonly pid: number;
  readonly client: pg.Client;
}

const quoted = (name: string) => identifier(name).text;

const alive = ({ client }: Session) =>
  client.query('SELECT 1').then(
    () => true,
    () => false,
  );

/**
 * Proves on one major version whose sessions end with a group's right to act as a role, in tests of the file that calls
 * it.
 */
export function proveActing(major: number, start: () => Promise<PreparedCluster>): void {
  let cluster: PreparedCluster;
  let epoch = 0;
  const sessions: Session[] = [];

  async function logIn(user: string, ...statements: string[]): Promise<Session> {
    const client = new pg.Client({
      connectionString: cluster.url(user, localPassword, 'app'),
      application_name: `app of ${user}`,
    });
    client.on('error', () => undefined);
    await client.connect();
    for (const statement of statements) await client.query(statement);
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const session = { pid: rows[0]?.pid ?? 0, client };
    sessions.push(session);
    return session;
  }

  const grant = (role: string, principal: string, present: boolean) => {
    epoch += 1;
    return convergeGrants(
      cluster.pools,
      target,
      [
        {
          database: 'app',
          schema: 'billing',
          grants: [{ role, principal, present }],
          customRoles: [],
          surplus: 'ignore',
          undecided: [],
          fence: { epoch, outstanding: false },
        },
      ],
      options,
    );
  };

  /** As a message does, or drift. */
  async function revoke(role: string, principal: string) {
    const { found, plans } = await grant(role, principal, false);
    const taken = [{ scope: { database: 'app', schema: 'billing' }, plan: plans[0] }];
    return endActingSessions({ pools: cluster.pools, ...options }, target, found, taken);
  }

  const login = (name: string) => `CREATE ROLE ${quoted(name)} LOGIN PASSWORD '${localPassword}'`;

  describe(`on PostgreSQL ${major}`, () => {
    beforeAll(async () => {
      cluster = await start();
      await cluster.open('app');
      await cluster.converge(desired('app', 'billing'));
    });

    afterAll(() => cluster.remove());

    beforeEach(async () => {
      const everybody = [devs, 'juniors', uma, sam, wim, vera, root, bystander].map(quoted);
      await run(
        cluster.superuserUrl('app'),
        ...everybody.map((name) => `DROP ROLE IF EXISTS ${name}`),
        'SET ROLE drover_admin_03',
        `CREATE ROLE ${quoted(devs)}`,
        'CREATE ROLE juniors',
        ...[uma, sam, wim, bystander].map(login),
        `GRANT ${quoted(devs)} TO ${[uma, wim, 'juniors'].map(quoted).join()}`,
        `GRANT juniors TO ${quoted(sam)}`,
        'RESET ROLE',
        ...[vera, root].map(login),
        `ALTER ROLE ${quoted(root)} SUPERUSER`,
        'SET ROLE drover_admin_03',
        `GRANT ${quoted(devs)} TO ${[vera, root].map(quoted).join()}`,
      );
    });

    afterEach(async () => {
      for (const { client } of sessions.splice(0)) await client.end().catch(() => undefined);
    });

    test('a group that is no owner any more has no member left that acts as the owner by it', async () => {
      await grant('owner', devs, true);
      await grant('owner', wim, true);
      const actAs = 'SET ROLE app__billing__owner';
      const acting = [await logIn(uma, actAs, 'CREATE TABLE billing.proof ()'), await logIn(sam, actAs)];
      const foreign = await logIn(vera, actAs);
      const others = [await logIn(wim, actAs), await logIn(root, actAs), await logIn(bystander)];

      const ended = await revoke('owner', devs);

      expect(await Promise.all(acting.map(alive))).toEqual([false, false]);
      await expect(acting[0]?.client.query('DROP TABLE billing.proof')).rejects.toThrow();
      expect(await Promise.all(others.map(alive))).toEqual([true, true, true]);
      const told = acting.map(({ pid }, at) => `ended ${pid} (app of ${[uma, sam][at]})`);
      expect(ended.changes.map(({ detail }) => detail)).toEqual(expect.arrayContaining(told));
      if (major < 16) {
        expect(ended).toMatchObject({ notes: [], remaining: false });
        expect(await alive(foreign)).toBe(false);
        return;
      }
      expect(ended.changes).toHaveLength(told.length);
      expect(ended).toMatchObject({ remaining: true, notes: [{ code: 'SESSIONS_OPEN' }] });
      const [note] = ended.notes;
      expect(note?.message).toContain(`${foreign.pid} of ${vera} in app (app of ${vera})`);
      await run(cluster.superuserUrl('app'), ...(note?.statements ?? []));
      expect(await alive(foreign)).toBe(false);
      expect(await Promise.all(others.map(alive))).toEqual([true, true, true]);
    });

    test(`a group that is no writer any more ${major < 16 ? 'has none, either' : 'leaves its members alone, who could not act as it'}`, async () => {
      await grant('writer', devs, true);
      const session = await logIn(uma);

      const ended = await revoke('writer', devs);

      expect(ended).toMatchObject({ notes: [] });
      expect(await alive(session)).toBe(major >= 16);
    });

    test('who can act as the owner by another group stays, and goes with that', async () => {
      await grant('owner', devs, true);
      await grant('owner', 'juniors', true);
      const session = await logIn(sam, 'SET ROLE app__billing__owner');

      expect(await revoke('owner', devs)).toMatchObject({ changes: [], notes: [] });
      expect(await alive(session)).toBe(true);
      expect(await revoke('owner', 'juniors')).toMatchObject({ notes: [] });
      expect(await alive(session)).toBe(false);
    });

    test.each(['cloudsql-team@acme.com', 'google_docs@acme.com', 'drover_tester'])(
      'the sessions of %s end as anybody’s do, whatever the name is like',
      async (name) => {
        await run(cluster.superuserUrl('app'), 'SET ROLE drover_admin_03', login(name));
        await grant('owner', name, true);
        const session = await logIn(name, 'SET ROLE app__billing__owner');

        expect(await revoke('owner', name)).toMatchObject({ changes: [{ kind: 'session' }], notes: [] });
        expect(await alive(session)).toBe(false);
      },
    );

    test('a login of Drover’s own loses no session with a membership that it doesn’t need', async () => {
      await grant('owner', functionLogin, true);
      const session = await logIn(functionLogin);

      expect(await revoke('owner', functionLogin)).toMatchObject({ changes: [], notes: [] });
      expect(await alive(session)).toBe(true);
    });

    test('a group that is offboarded has no member left that acts as it, or by it as anybody', async () => {
      await grant('owner', devs, true);
      await grant('owner', wim, true);
      const acting = [
        await logIn(uma, 'SET ROLE app__billing__owner'),
        await logIn(sam, `SET ROLE ${quoted(devs)}`),
      ];
      const others = [await logIn(root), await logIn(bystander)];
      const planned = await closePrincipal(cluster.pools, target, devs, { ...options, dryRun: true });
      expect(await Promise.all(acting.map(alive)), 'after a dry run').toEqual([true, true]);

      const closed = await closePrincipal(cluster.pools, target, devs, options);

      expect(closed.notes).toEqual([]);
      expect(await Promise.all(acting.map(alive))).toEqual([false, false]);
      expect(await Promise.all(others.map(alive))).toEqual([true, true]);
      const ended = closed.changes.filter(({ kind }) => kind === 'session');
      expect(ended).toHaveLength(2);
      expect(planned.changes.filter(({ kind }) => kind === 'session')).toEqual(ended);
    });
  });
}
