import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { localPassword } from '../../../../local/postgres/cloudsql.ts';
import { compareGrants, convergeGrants } from '../../../../shared/postgres/grants/converge.ts';
import type { DesiredGrants, WantedGrant } from '../../../../shared/postgres/grants/model.ts';
import { actingAdmin, adminRole } from '../../../../shared/postgres/names.ts';
import {
  connected,
  desired,
  instance,
  type PreparedCluster,
  run,
  startPrepared,
} from '../../../support/postgres.ts';

// What others do to the same roles while a change of grants is under way, and before it.

let cluster: PreparedCluster;
let epoch = 0;

beforeAll(async () => {
  cluster = await startPrepared();
  await cluster.open('closed');
  await run(cluster.superuserUrl(), 'ALTER DATABASE closed OWNER TO drover_admin');
  for (const schema of ['one', 'two']) {
    await cluster.converge(desired('closed', schema, { lockDatabase: true }));
  }
});

afterAll(() => cluster.remove());

beforeEach(async () => {
  for (const schema of ['one', 'two']) await change(schema, [], { surplus: 'revoke' });
  await asSuperuser(async (client) => {
    for (const name of ['alice', 'bob', 'gone']) {
      await client.query(`DROP ROLE IF EXISTS ${name}`);
      await client.query(`CREATE ROLE ${name} LOGIN PASSWORD '${localPassword}'`);
    }
  });
});

const grant = (principal: string, role: string): WantedGrant => ({ principal, role, present: true });
const noGrant = (principal: string, role: string): WantedGrant => ({ principal, role, present: false });

function wanted(
  schema: string | undefined,
  grants: WantedGrant[],
  more: Partial<DesiredGrants> = {},
): DesiredGrants {
  epoch += 1;
  const fence = { epoch, outstanding: false };
  const rest = { customRoles: [], surplus: 'ignore', undecided: [] } as const;
  return { database: 'closed', schema, grants, ...rest, fence, ...more };
}

const target = () => ({ instance, database: 'closed' });
const options = () => ({ signal: new AbortController().signal, remainingMs: () => 60_000 });

const change = (schema: string, grants: WantedGrant[], more: Partial<DesiredGrants> = {}) =>
  convergeGrants(cluster.pools, target(), [wanted(schema, grants, more)], options());

const asSuperuser = <T>(use: (client: pg.Client) => Promise<T>) =>
  connected(cluster.superuserUrl('closed'), use);

/** Who else than Drover's own roles is a member of a role, by whom. */
const members = (role: string) =>
  asSuperuser(async (client) => {
    const { rows } = await client.query<{ member: string; grantor: string }>(
      `SELECT m.rolname AS member, pg_get_userbyid(a.grantor) AS grantor
         FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member
        WHERE a.roleid = $1::regrole AND m.rolname = ANY ($2) ORDER BY 1`,
      [role, ['alice', 'bob', 'gone']],
    );
    return rows.map(({ member, grantor }) => `${member} by ${grantor}`);
  });

const connects = (user: string) =>
  run(cluster.url(user, localPassword, 'closed'), 'SELECT 1').then(
    () => true,
    () => false,
  );

/** Resolves when a change waits for a lock of this type, or has ended without that. */
async function waitsOrEnds(changing: Promise<unknown>, locktype: 'object' | 'advisory'): Promise<void> {
  let hasEnded = false;
  const end = () => {
    hasEnded = true;
  };
  changing.then(end, end);
  await asSuperuser(async (client) => {
    while (!hasEnded) {
      const { rows } = await client.query('SELECT FROM pg_locks WHERE NOT granted AND locktype = $1', [
        locktype,
      ]);
      if (rows.length > 0) return;
    }
  });
}

/** Lets somebody change a role by hand, and holds who else would until his transaction ends. */
const byHand = <T>(
  statements: readonly string[],
  use: (end: (how: 'COMMIT' | 'ROLLBACK') => Promise<unknown>) => Promise<T>,
) =>
  asSuperuser(async (client) => {
    await client.query('BEGIN');
    for (const statement of statements) await client.query(statement);
    return use((how) => client.query(how));
  });

describe('who owns schemas of a closed database', () => {
  it('connects by a grant of the database’s own admin, whichever schema’s admin made it', async () => {
    expect(actingAdmin('closed', 'one')).not.toBe(actingAdmin('closed', 'two'));
    await change('one', [grant('alice', 'owner')]);
    await change('two', [grant('bob', 'owner'), grant('alice', 'owner')]);
    expect(await members('closed__connect')).toEqual([`alice by ${adminRole}`, `bob by ${adminRole}`]);
    expect(await connects('alice')).toBe(true);

    await change('one', [noGrant('alice', 'owner')]);
    await change('two', [noGrant('alice', 'owner')]);

    expect(await members('closed__connect')).toEqual([`bob by ${adminRole}`]);
    expect(await connects('alice')).toBe(false);
  });

  const takings = [
    { how: 'revoked', take: () => change('one', [noGrant('alice', 'owner')]) },
    { how: 'not on the list', take: () => change('one', [], { surplus: 'revoke' }) },
  ];
  const give = () => change('two', [grant('alice', 'owner')]);

  it.each(takings)('connects on though at once one is $how and another granted', async ({ take }) => {
    for (const [first, second, held] of [
      [take, give, 'closed__one__owner'],
      [give, take, 'closed__two__owner'],
    ] as const) {
      await change('one', [grant('alice', 'owner')]);
      await change('two', [noGrant('alice', 'owner')]);
      await byHand([`GRANT ${held} TO bob`], async (end) => {
        const one = first();
        await waitsOrEnds(one, 'object');
        const other = second();
        await waitsOrEnds(other, 'advisory');
        await end('ROLLBACK');
        await Promise.all([one, other]);
      });

      expect(await members('closed__one__owner')).toEqual([]);
      expect(await members('closed__two__owner')).toEqual([`alice by ${actingAdmin('closed', 'two')}`]);
      expect(await members('closed__connect'), `${held} was held`).toEqual([`alice by ${adminRole}`]);
      expect(await connects('alice')).toBe(true);
    }
  });

  it('connects no more when at once all are revoked', async () => {
    for (const schema of ['one', 'two']) await change(schema, [grant('alice', 'owner')]);
    await byHand(['GRANT closed__one__owner TO bob'], async (end) => {
      const one = change('one', [noGrant('alice', 'owner')]);
      await waitsOrEnds(one, 'object');
      const other = change('two', [noGrant('alice', 'owner')]);
      await waitsOrEnds(other, 'advisory');
      await end('ROLLBACK');
      await Promise.all([one, other]);
    });
    expect(await members('closed__connect')).toEqual([]);
    expect(await connects('alice')).toBe(false);
  });
});

describe('a membership that somebody takes by hand at the same moment', () => {
  it('is no failure: the members are looked at again', async () => {
    await change('one', [grant('alice', 'reader'), grant('bob', 'writer')]);
    const taken = [`SET ROLE ${actingAdmin('closed', 'one')}`, 'REVOKE closed__one__reader FROM alice'];
    const { statements, changes } = await byHand(taken, async (end) => {
      const changing = change('one', [noGrant('alice', 'reader'), noGrant('bob', 'writer')]);
      await waitsOrEnds(changing, 'object');
      await end('COMMIT');
      return changing;
    });
    expect(await members('closed__one__reader')).toEqual([]);
    expect(await members('closed__one__writer')).toEqual([]);
    expect(changes).toMatchObject([{ action: 'revoke', name: 'closed__one__writer', detail: 'from bob' }]);
    expect(statements.map(({ text }) => text).join()).not.toContain('alice');
  });
});

describe('a principal that somebody dropped by hand', () => {
  const scope = () =>
    wanted('one', [grant('gone', 'reader'), grant('alice', 'reader'), grant('gone', 'owner')]);
  const notes = ['reader', 'owner'].map((role) => ({
    code: 'PRINCIPAL_GONE',
    message: expect.stringContaining(`gone should be ${role}`),
  }));

  it.each(['ignore', 'revoke'] as const)('is noted, and all else is done: surplus %s', async (surplus) => {
    await change('one', [grant('gone', 'reader'), grant('bob', 'writer')]);
    await asSuperuser((client) => client.query('DROP ROLE gone'));

    const { notes: told } = await change('one', [...scope().grants], { surplus });

    expect(told).toMatchObject(notes);
    expect(await members('closed__one__reader')).toEqual([`alice by ${actingAdmin('closed', 'one')}`]);
    expect(await members('closed__one__writer')).toHaveLength(surplus === 'revoke' ? 0 : 1);
    const [again] = await compareGrants(cluster.pools, target(), [{ ...scope(), surplus }], options());
    expect(again).toMatchObject({ steps: [], kept: 1, notes });
  });

  it('is told where a database is compared with what it should be, beside what can be mended', async () => {
    await asSuperuser((client) => client.query('DROP ROLE gone'));
    const [plan, other] = await compareGrants(
      cluster.pools,
      target(),
      [scope(), wanted('two', [grant('alice', 'writer')])],
      options(),
    );
    expect(plan?.notes).toMatchObject(notes);
    expect(plan?.steps.flatMap(({ changes }) => changes)).toMatchObject([{ detail: 'to alice' }]);
    expect(other?.notes).toEqual([]);
  });
});
