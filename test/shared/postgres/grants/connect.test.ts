import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compareGrants, convergeGrants } from '../../../../shared/postgres/grants/converge.ts';
import type { DesiredGrants, WantedGrant } from '../../../../shared/postgres/grants/model.ts';
import { actingAdmin } from '../../../../shared/postgres/names.ts';
import { desired, instance, type PreparedCluster, run, startPrepared } from '../../../support/postgres.ts';

const database = 'locked';
const schemas = ['s1', 's2', 's3'] as const;
const people = ['alice', 'bob', 'carol'] as const;
type Schema = (typeof schemas)[number];
type Person = (typeof people)[number];

let cluster: PreparedCluster;
let client: pg.Client;
let epoch = 0;

beforeAll(async () => {
  cluster = await startPrepared();
  await cluster.open(database);
  for (const name of people) await cluster.createLogin(name, 'iam');
  await run(cluster.superuserUrl(), `ALTER DATABASE ${database} OWNER TO drover_admin`);
  for (const schema of schemas) await cluster.converge(desired(database, schema, { lockDatabase: true }));
  client = new pg.Client({ connectionString: cluster.superuserUrl(database) });
  await client.connect();
});

afterAll(async () => {
  await client.end();
  await cluster.remove();
});

const wipe = () =>
  client.query('DELETE FROM pg_auth_members WHERE member = ANY ($1::regrole[])', [`{${people.join()}}`]);

beforeEach(wipe);

/** Somebody's own memberships: the schemas of which he may act as the owner, and whether he may connect. */
interface Memberships {
  readonly owns: readonly { readonly schema: Schema; readonly by: string }[];
  readonly connects: readonly string[];
}

async function membershipsOf(person: Person): Promise<Memberships> {
  const { rows } = await client.query<{ role: string; by: string; inherit: boolean }>(
    `SELECT roleid::regrole::text AS role, pg_get_userbyid(grantor) AS by, inherit_option AS inherit
       FROM pg_auth_members WHERE member = $1::regrole ORDER BY 1, 2`,
    [person],
  );
  return {
    owns: schemas.flatMap((schema) =>
      rows.filter(({ role }) => role === `locked__${schema}__owner`).map(({ by }) => ({ schema, by })),
    ),
    connects: rows.filter(({ role, inherit }) => role === 'locked__connect' && inherit).map(({ by }) => by),
  };
}

async function everybodys(): Promise<Memberships[]> {
  const all: Memberships[] = [];
  for (const person of people) all.push(await membershipsOf(person));
  return all;
}

const isOurs = (by: string) => by.startsWith('drover_admin');

function scopeOf(
  schema: Schema,
  grants: readonly WantedGrant[],
  more: Partial<DesiredGrants> = {},
): DesiredGrants {
  const fence = { epoch, outstanding: false };
  return {
    ...{ database, schema, grants, customRoles: [], surplus: 'ignore', undecided: [], fence },
    ...more,
  };
}

const options = { signal: new AbortController().signal, remainingMs: () => 60_000 };

function converge(...scopes: DesiredGrants[]) {
  epoch += 1;
  const numbered = scopes.map((scope) => ({ ...scope, fence: { epoch, outstanding: false } }));
  return convergeGrants(cluster.pools, { instance, database }, numbered, options);
}

const owner = (principal: Person, present: boolean): WantedGrant => ({ role: 'owner', principal, present });

describe('who may connect to a closed database, where several schemas change at once', () => {
  it('is nobody whom both of them take the owner from', async () => {
    await converge(scopeOf('s1', [owner('alice', true)]), scopeOf('s2', [owner('alice', true)]));
    expect((await membershipsOf('alice')).connects).toEqual(['drover_admin']);

    await converge(scopeOf('s1', [owner('alice', false)]), scopeOf('s2', [owner('alice', false)]));

    expect(await membershipsOf('alice')).toEqual({ owns: [], connects: [] });
  });

  it.each([
    ['s1', 's2'],
    ['s2', 's1'],
  ] as const)('is who goes from %s to %s, all the time', async (from, to) => {
    await converge(scopeOf(from, [owner('alice', true)]));

    const { planned } = await converge(
      ...(['s1', 's2'] as const).map((schema) => scopeOf(schema, [owner('alice', schema === to)])),
    );

    expect((await membershipsOf('alice')).connects).toEqual(['drover_admin']);
    expect(planned.join()).not.toContain('locked__connect');
    expect((await membershipsOf('alice')).owns.map(({ schema }) => schema)).toEqual([to]);
  });

  it('is who still acts as an owner by a grant of somebody else’s', async () => {
    await converge(scopeOf('s1', [owner('alice', true)]));
    await client.query('GRANT locked__s1__owner TO alice WITH INHERIT FALSE, SET TRUE');

    const { notes } = await converge(scopeOf('s1', [owner('alice', false)]));

    expect(notes.map(({ code }) => code)).toEqual(['FOREIGN_MEMBERSHIP']);
    expect((await membershipsOf('alice')).connects).toEqual(['drover_admin']);
  });

  it('is noticed to be who shouldn’t, and who can’t and should', async () => {
    await client.query('GRANT locked__connect TO alice WITH INHERIT TRUE, SET FALSE GRANTED BY drover_admin');
    await client.query(
      `GRANT locked__s2__owner TO bob WITH INHERIT FALSE, SET TRUE GRANTED BY ${actingAdmin(database, 's2')}`,
    );
    const wanted = [scopeOf('s1', [owner('alice', false)]), scopeOf('s2', [owner('bob', true)])];

    const differences = await compareGrants(cluster.pools, { instance, database }, wanted, options);

    const statements = [
      ['REVOKE "locked__connect" FROM "alice" GRANTED BY "drover_admin" CASCADE'],
      ['GRANT "locked__connect" TO "bob" WITH INHERIT TRUE, SET FALSE GRANTED BY "drover_admin"'],
    ];
    expect(
      differences.map((plan) =>
        plan?.steps.filter(({ changes }) => changes.length > 0).map((step) => step.sql.text),
      ),
    ).toEqual(statements);
    await converge(...wanted);
    expect((await membershipsOf('alice')).connects).toEqual([]);
    expect((await membershipsOf('bob')).connects).toEqual(['drover_admin']);
  });

  const held = fc.constantFrom('no', 'no', 'ours', 'foreign', 'both');
  const past = fc.record({
    s1: held,
    s2: held,
    s3: fc.constantFrom('no', 'no', 'no', 'ours'),
    connect: held,
  });
  const asked = fc.constantFrom('not', 'present', 'absent', 'absent', 'undecided');
  const wish = fc.record({ alice: asked, bob: asked, carol: asked });
  const surplus = fc.constantFrom('ignore', 'ignore', 'revoke');
  type Past = typeof past extends fc.Arbitrary<infer T> ? T : never;
  type Wish = typeof wish extends fc.Arbitrary<infer T> ? T : never;

  async function grantBefore(person: Person, before: Past): Promise<void> {
    const grant = (role: string, how: string, by: string) =>
      client.query(`GRANT ${role} TO ${person} WITH ${how}${by === '' ? '' : ` GRANTED BY ${by}`}`);
    for (const place of [...schemas, 'connect'] as const) {
      const isConnect = place === 'connect';
      const role = isConnect ? 'locked__connect' : `locked__${place}__owner`;
      const how = isConnect ? 'INHERIT TRUE, SET FALSE' : 'INHERIT FALSE, SET TRUE';
      const us = isConnect ? 'drover_admin' : actingAdmin(database, place);
      if (['ours', 'both'].includes(before[place])) await grant(role, how, us);
      if (['foreign', 'both'].includes(before[place])) await grant(role, how, '');
    }
  }

  function wishedOf(schema: Schema, wished: Wish, more: DesiredGrants['surplus']): DesiredGrants {
    const named = (...what: string[]) => people.filter((person) => what.includes(wished[person]));
    return scopeOf(
      schema,
      named('present', 'absent').map((person) => owner(person, wished[person] === 'present')),
      {
        surplus: more,
        undecided: named('undecided').map((principal) => ({ role: 'owner', principal })),
      },
    );
  }

  it('is whoever acts as an owner when all is done, whatever was so before and is asked for', async () => {
    const everybody = fc.record({ alice: past, bob: past, carol: past });
    await fc.assert(
      fc.asyncProperty(everybody, wish, wish, surplus, surplus, async (all, first, second, one, other) => {
        await wipe();
        for (const person of people) await grantBefore(person, all[person]);
        const scopes = [wishedOf('s1', first, one), wishedOf('s2', second, other)];
        const before = await everybodys();

        await converge(...scopes);

        const after = await everybodys();
        people.forEach((person, index) => {
          const [was, is] = [before[index], after[index]];
          if (was === undefined || is === undefined) throw new Error('nobody');
          const wanted = [first, second].some((wished) => wished[person] === 'present');
          const taken = [
            { wished: first, surplus: one, schema: 's1' },
            { wished: second, surplus: other, schema: 's2' },
          ].some(
            ({ wished, surplus, schema }) =>
              wished[person] === 'absent' ||
              (wished[person] === 'not' &&
                surplus === 'revoke' &&
                was.owns.some((place) => place.schema === schema)),
          );
          if (wanted) expect(is.connects, `${person} connects`).not.toEqual([]);
          else if (taken && is.owns.length === 0) {
            expect(is.connects.filter(isOurs), `${person} connects no more`).toEqual([]);
          } else expect(is.connects, `${person} connects as before`).toEqual(was.connects);
        });
        expect((await converge(...scopes)).planned, 'nothing is left to do').toEqual([]);
      }),
      { numRuns: 80 },
    );
  });
});
