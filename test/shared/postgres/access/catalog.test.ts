import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localPassword } from '../../../../local/postgres/cloudsql.ts';
import { accessReport } from '../../../../shared/postgres/access/access.ts';
import { graphOf, type How, howOf, hows, pathsFrom } from '../../../../shared/postgres/access/paths.ts';
import { listQuery, whoQuery } from '../../../../shared/postgres/access/query.ts';
import { connected, desired, type PreparedCluster, run, startPrepared } from '../../../support/postgres.ts';
import { database, lines, list, oddName, populate, roles, rowsOf, who } from './fixture.ts';

let cluster: PreparedCluster;
const { owner, reader, writer, acting } = roles('billing');
const asSuperuser = (...statements: readonly string[]) => run(cluster.superuserUrl(database), ...statements);

beforeAll(async () => {
  cluster = await startPrepared();
  await populate(cluster);
  await asSuperuser(
    // The options that came with PostgreSQL 16.
    ...['tia', 'uma', 'vic'].map((name) => `CREATE ROLE ${name} LOGIN PASSWORD '${localPassword}'`),
    `SET ROLE ${acting}`,
    `GRANT ${reader} TO tia WITH INHERIT FALSE, SET FALSE, ADMIN TRUE`,
    `GRANT ${reader} TO uma WITH INHERIT FALSE, SET FALSE`,
    `GRANT ${reader} TO vic WITH INHERIT FALSE, SET TRUE`,
    'SET ROLE adam',
    `GRANT ${reader} TO vic WITH INHERIT TRUE, SET FALSE`,
    'RESET ROLE',
  );
});

afterAll(() => cluster.remove());

describe('who has access to a schema', () => {
  test('is told by what way: directly, by groups, by SET ROLE, by a custom role', async () => {
    const { managed } = await who(cluster, 'billing');
    expect(lines(managed, 'alice@acme.com')).toEqual([`reader: read, execute | inherit | ${reader}`]);
    expect(lines(managed, 'bob')).toEqual([
      `writer+reader: read, write, execute | inherit | team_x > ${writer} > ${reader}`,
    ]);
    expect(lines(managed, 'team_x')).toEqual([
      `writer+reader: read, write, execute | inherit | ${writer} > ${reader}`,
    ]);
    expect(lines(managed, 'dora')).toEqual([`owner: read, write, create, own | set ${owner} | ${owner}`]);
    expect(lines(managed, 'carol')).toEqual([
      `auditor+reader: read, write, execute | inherit | app__billing__auditor > ${reader}`,
    ]);
    expect(lines(managed, 'norah')).toEqual([
      `writer+reader: read, write, execute | set ${writer} | ${writer} > ${reader}`,
    ]);
  });

  test('is told with ADMIN, and with every grantor and what it gave', async () => {
    const { managed } = await who(cluster, 'billing');
    expect(lines(managed, 'adam')).toEqual([`reader: read, execute | inherit | admin | ${reader}`]);
    expect(lines(managed, 'tia')).toEqual([`reader:  | admin | admin | ${reader}`]);
    expect(lines(managed, 'uma')).toEqual([`reader:  | none | ${reader}`]);
    expect(lines(managed, 'vic')).toEqual([`reader: read, execute | inherit | ${reader}`]);
    const vic = managed.find(({ principal }) => principal === 'vic');
    expect(vic?.memberships.flatMap(({ grants }) => grants)).toEqual([
      { role: reader, member: 'vic', grantor: 'adam', inherit: true, set: false, admin: false },
      { role: reader, member: 'vic', grantor: acting, inherit: false, set: true, admin: false },
    ]);
  });

  test('is never one of Drover’s roles, but a login is, whatever the comment on it says', async () => {
    const { managed, direct, asDrover } = await who(cluster);
    const names = [...managed, ...direct].map(({ principal }) => principal);
    expect(names.filter((name) => /^(drover_|app__|pg_|create-schema)/.test(name))).toEqual([]);
    expect(names).toContain('ghost');
    expect(asDrover.map(({ principal }) => principal)).toEqual(['create-schema@acme-dev.iam', 'postgres']);
    // They are members of everything: thousands of them would be sent for nothing.
    const { memberships } = await rowsOf(cluster, whoQuery());
    expect(memberships.filter(({ member }) => member.startsWith('drover_'))).toEqual([]);
  });

  test('has rights past Drover’s roles: granted to it, to its groups and to PUBLIC; its own', async () => {
    const { direct, superusers } = await who(cluster, 'billing');
    const told = direct.map(({ principal, by, can, privileges, objects, grantable, path }) =>
      [
        principal,
        by,
        can.join(', '),
        [...privileges, grantable && '*'].filter(Boolean).join(' '),
        objects && `${objects.class} ${objects.names.join(', ')}`,
        path.slice(1).join(' > '),
      ].join(' | '),
    );
    expect(told.sort()).toEqual(
      [
        'PUBLIC | privileges | execute | EXECUTE | ROUTINE answer | ',
        'PUBLIC | privileges | read | SELECT | TABLE open | ',
        'carol | privileges | read, write | INSERT SELECT | TABLE invoice, open | team_y',
        'carol | privileges | use | USAGE | SCHEMA billing | team_y',
        `${oddName} | privileges | read | SELECT * | TABLE "odd ""one"" 🐘" | `,
        `${oddName} | privileges | write | UPDATE | COLUMN invoice.amount | `,
        'mallory | ownership | execute, own |  | ROUTINE answer | ',
        'mallory | ownership | read, write, own |  | SEQUENCE stray_id_seq | ',
        'mallory | ownership | read, write, own |  | TABLE stray | ',
        'rita | predefined role | read |  |  | pg_read_all_data',
        'sam | superuser | everything |  |  | cloudsqladmin',
        'team_y | privileges | read, write | INSERT SELECT | TABLE invoice, open | ',
        'team_y | privileges | use | USAGE | SCHEMA billing | ',
      ].sort(),
    );
    expect(superusers).toEqual(['cloudsqladmin']);
  });

  test('is told for all managed schemas, and for none that is not', async () => {
    const { managed } = await who(cluster);
    expect(new Set(managed.map(({ schema }) => schema))).toEqual(new Set(['billing']));
    await asSuperuser(`SET ROLE ${roles('shop').acting}`, `GRANT ${roles('shop').reader} TO bob`);
    expect(lines((await who(cluster)).managed, 'bob')).toContain(
      `reader: read, execute | inherit | ${roles('shop').reader}`,
    );
    expect(lines((await who(cluster, 'billing')).managed, 'bob')).toHaveLength(1);
  });

  test('cannot use it without CONNECT', async () => {
    await cluster.open('locked');
    await cluster.converge(desired('locked', 'vault'));
    await run(
      cluster.superuserUrl('locked'),
      'REVOKE CONNECT ON DATABASE locked FROM PUBLIC',
      'GRANT CONNECT ON DATABASE locked TO nobody_special, bob',
      'GRANT locked__vault__reader TO "alice@acme.com", bob',
    );
    const { cannotConnect } = accessReport(await rowsOf(cluster, whoQuery(), 'locked'));
    expect(cannotConnect).toContain('alice@acme.com');
    expect(cannotConnect).not.toContain('bob');
  });
});

describe('what a principal may do', () => {
  test('is what is told of it where everybody is told of', async () => {
    const everybody = await who(cluster);
    for (const principal of ['alice@acme.com', 'bob', 'carol', 'dora', 'norah', 'mallory', oddName, 'sam']) {
      const own = await list(cluster, principal);
      const its = <T extends { principal: string }>(all: readonly T[]) =>
        all.filter((one) => one.principal === principal);
      expect(own.managed).toEqual(its(everybody.managed));
      expect(its(own.direct)).toEqual(expect.arrayContaining(its(everybody.direct)));
    }
  });

  test('includes what it may do outside of managed schemas, and in the database', async () => {
    await asSuperuser(
      'CREATE SCHEMA attic AUTHORIZATION team_y',
      'GRANT CREATE ON SCHEMA attic TO mallory',
      `GRANT CREATE ON DATABASE ${database} TO mallory`,
    );
    const told = (principal: string) =>
      list(cluster, principal).then(({ direct }) =>
        direct
          .filter((one) => one.principal === principal && one.schema !== 'billing')
          .map(({ schema, can, path }) => [schema, can, path.slice(1)]),
      );
    expect(await told('mallory')).toEqual([
      [null, ['create'], []],
      ['attic', ['create'], []],
    ]);
    expect(await told('carol')).toEqual([['attic', ['create', 'own'], ['team_y']]]);
  });

  test('includes what PUBLIC may do in managed schemas, and in no others', async () => {
    await asSuperuser('CREATE SCHEMA IF NOT EXISTS lobby', 'GRANT CREATE ON SCHEMA lobby TO PUBLIC');
    const { direct } = await list(cluster, 'alice@acme.com');
    expect(direct.map(({ principal, kind, schema, can }) => [principal, kind, schema, can])).toEqual([
      ['PUBLIC', 'public', 'billing', ['execute']],
      ['PUBLIC', 'public', 'billing', ['read']],
    ]);
  });

  test('names the principal under the first of its names that there is', async () => {
    const principal = async (...names: string[]) => (await rowsOf(cluster, listQuery(names))).principal;
    expect(await principal('ALICE@acme.com', 'alice@acme.com', 'bob')).toBe('alice@acme.com');
    expect(await principal(oddName)).toBe(oddName);
    expect(await principal('nobody there')).toBe(null);
  });
});

/** Everything that PostgreSQL says about two roles, by asking it; of ADMIN it doesn't say what it is good for. */
async function asPostgresSees(names: readonly string[]): Promise<Map<string, How>> {
  return connected(cluster.superuserUrl(), async (client) => {
    const { rows } = await client.query(
      `SELECT m AS member, r AS role, CASE
                WHEN pg_has_role(m, r, 'USAGE') THEN 'inherit'
                WHEN EXISTS (SELECT FROM unnest($1::name[]) x
                              WHERE pg_has_role(m, x, 'SET') AND pg_has_role(x, r, 'USAGE')) THEN 'set'
                WHEN pg_has_role(m, r, 'MEMBER') THEN 'none' END AS how
         FROM unnest($1::name[]) m, unnest($1::name[]) r
        WHERE m <> r AND pg_has_role(m, r, 'MEMBER')`,
      [names],
    );
    return new Map(rows.map(({ member, role, how }) => [`${member} ${role}`, how]));
  });
}

test('what memberships are good for is what PostgreSQL says, whatever their options are', async () => {
  const names = Array.from({ length: 12 }, (_, index) => `random_${index}`);
  const options = fc.record({ inherit: fc.boolean(), set: fc.boolean() });
  const pairs = names.flatMap((member, index) => names.slice(index + 1).map((role) => ({ member, role })));
  const edges = fc.sample(fc.option(options, { freq: 2 }), { numRuns: pairs.length, seed: 20 });
  await asSuperuser(
    ...names.map((name) => `CREATE ROLE ${name}`),
    ...pairs.flatMap(({ member, role }, index) => {
      const edge = edges[index];
      return edge ? [`GRANT ${role} TO ${member} WITH INHERIT ${edge.inherit}, SET ${edge.set}`] : [];
    }),
  );
  const found = new Map<string, How>();
  for (const name of names) {
    const { memberships } = await rowsOf(cluster, listQuery([name]));
    for (const path of pathsFrom(name, graphOf(memberships), () => true).paths) {
      if (path.steps.length === 0) continue;
      const pair = `${name} ${path.roles.at(-1)}`;
      const [best] = [found.get(pair) ?? 'none', howOf(path)].sort(
        (a, b) => hows.indexOf(a) - hows.indexOf(b),
      );
      found.set(pair, best ?? 'none');
    }
  }
  const expected = await asPostgresSees(names);
  expect(new Set(expected.values())).toEqual(new Set(['inherit', 'set', 'none']));
  expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
});

test('who is told to be able to give itself a role is', async () => {
  const url = cluster.url('tia', localPassword, database);
  const read = 'SELECT 1 FROM billing.invoice';
  await expect(run(url, read)).rejects.toThrow(/permission denied/);
  await run(url, `GRANT ${reader} TO tia WITH INHERIT TRUE, SET TRUE`);
  await run(url, read);
  expect(lines((await who(cluster, 'billing')).managed, 'tia')).toEqual([
    `reader: read, execute | inherit | admin | ${reader}`,
  ]);
});
