import fc from 'fast-check';
import pg from 'pg';
import { convergeGrants } from '../../../../shared/postgres/grants/converge.ts';
import { foundEpoch } from '../../../../shared/postgres/grants/found.ts';
import { identifier } from '../../../../shared/postgres/sql.ts';
import { isServerError } from '../../../../shared/postgres/sqlstate.ts';
import { desired as desiredSchema, instance, type PreparedCluster } from '../../../support/postgres.ts';
import { type Row, wrongs } from './judge.ts';
import {
  actorNameOf,
  auditor,
  type Deed,
  deeds,
  desiredOf,
  type Place,
  people,
  places,
  roleNameOf,
  superuser,
  type Wish,
  wish,
} from './states.ts';

/** Cases run one after the other in the same few databases, whose memberships are as they were before each. */
export interface Laboratory {
  check(place: Place, past: readonly Deed[], wished: Wish): Promise<void>;
  close(): Promise<void>;
}

export async function openLaboratory(cluster: PreparedCluster): Promise<Laboratory> {
  const clients = new Map<Place, pg.Client>();
  for (const name of people) await cluster.createLogin(name, 'iam');
  for (const place of places) {
    await cluster.open(place.database);
    const client = new pg.Client({ connectionString: cluster.superuserUrl(place.database) });
    await client.connect();
    clients.set(place, client);
    const name = identifier(place.database).text;
    if (place.closed) await client.query(`ALTER DATABASE ${name} OWNER TO drover_admin`);
    for (const of of [place.first, 'schema', 'other'] as const) {
      const schema = place[of];
      const more = { customRoles: [auditor], lockDatabase: place.closed };
      await cluster.converge(desiredSchema(place.database, schema, more));
    }
  }
  for (const client of clients.values()) {
    await client.query('CREATE TEMPORARY TABLE prepared AS SELECT * FROM pg_auth_members');
  }
  let epoch = 0;
  return {
    async check(place, past, wished) {
      const client = clients.get(place);
      if (client === undefined) throw new Error('there is no such place');
      epoch += 1;
      try {
        await observe(cluster, client, place, past, wished, epoch);
      } finally {
        await client.query(restore);
      }
    },
    async close() {
      for (const client of clients.values()) await client.end();
    },
  };
}

async function observe(
  cluster: PreparedCluster,
  client: pg.Client,
  place: Place,
  past: readonly Deed[],
  wished: Wish,
  epoch: number,
): Promise<void> {
  const { rows } = await client.query(
    `SELECT current_setting('server_version_num')::int >= 160000 AS options`,
  );
  const { options } = rows[0] as { options: boolean };
  for (const deed of past) await attempt(client, deed, place, options);
  const before = await readRows(client, place);
  const desired = desiredOf(place, wished, epoch);
  const converge = (outstanding: boolean) =>
    convergeGrants(
      cluster.pools,
      { instance, database: place.database },
      [{ ...desired, fence: { epoch, outstanding } }],
      { signal: new AbortController().signal, remainingMs: () => 60_000 },
    );

  const first = await converge(wished.outstanding);

  const after = await readRows(client, place);
  const [plan] = first.plans;
  if (plan === undefined) throw new Error('there is no plan');
  const found = wrongs({ place, desired, plan, options, before, after });
  if (found.length > 0) throw new Error([...found, ...first.planned].join('\n'));
  const again = await converge(false);
  if (again.planned.length > 0) throw new Error(`more to do:\n${again.planned.join('\n')}`);
  const marked = first.statements.length > 0 || wished.outstanding;
  if (marked && foundEpoch(desired, again.found) !== epoch) throw new Error('the mark is missing');
}

/** Does it, if it can be done. */
async function attempt(client: pg.Client, deed: Deed, place: Place, options: boolean): Promise<void> {
  const [role, member, by] = [
    roleNameOf(deed.role, place),
    actorNameOf(deed.member, place),
    actorNameOf(deed.by, place),
  ].map((name) => identifier(name).text);
  const how = options
    ? ` WITH ADMIN ${deed.admin}, INHERIT ${deed.inherit}, SET ${deed.set}`
    : deed.admin
      ? ' WITH ADMIN OPTION'
      : '';
  try {
    await client.query(`SET ROLE ${deed.by === superuser ? 'NONE' : by}`);
    await client.query(`GRANT ${role} TO ${member}${how}`);
  } catch (error) {
    if (!isServerError(error)) throw error;
  }
  await client.query('RESET ROLE');
}

/** Everybody's memberships in the place's roles but those of the acting admins, by which Drover does what it does. */
async function readRows(client: pg.Client, place: Place): Promise<Row[]> {
  const { rows } = await client.query(
    `SELECT g.rolname AS role, m.rolname AS member, pg_get_userbyid(a.grantor) AS grantor, a.admin_option AS admin,
            coalesce((to_jsonb(a) ->> 'inherit_option')::boolean, m.rolinherit) AS inherit,
            coalesce((to_jsonb(a) ->> 'set_option')::boolean, true) AS set
       FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
      WHERE g.rolname = ANY ($1) AND m.rolname !~ '^drover_admin_'`,
    [
      (['owner', 'reader', 'auditor', 'other owner', 'other reader', 'connect'] as const).map((role) =>
        roleNameOf(role, place),
      ),
    ],
  );
  return rows as Row[];
}

const restore = `
  DELETE FROM pg_auth_members a WHERE to_jsonb(a) NOT IN (SELECT to_jsonb(b) FROM prepared b);
  INSERT INTO pg_auth_members
  SELECT * FROM prepared p WHERE to_jsonb(p) NOT IN (SELECT to_jsonb(a) FROM pg_auth_members a);`;

/** Checks that many cases; fast-check prints the seed and the smallest case that it finds wrong. */
export async function proveConvergence(laboratory: Laboratory, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...places), deeds, wish, (place, past, wished) =>
      laboratory.check(place, past, wished),
    ),
    {
      numRuns,
      examples: [
        [firstPlace, lostRight, { surplus: 'revoke', outstanding: false, grants: [], undecided: [] }],
      ],
    },
  );
}

const [firstPlace] = places as [Place];

/** Who lost the right to pass a role on, by a grant without it, may have left a grant to himself behind. */
const lostRight: Deed[] = (
  [
    ['alice', 'acting', true],
    ['alice', 'alice', false],
    [`o'brien "the" 🐘; DROP ROLE alice`, 'acting', true],
    ['alice', `o'brien "the" 🐘; DROP ROLE alice`, false],
    ['alice', 'acting', false],
  ] as const
).map(([member, by, admin]) => ({ role: 'owner', member, by, admin, inherit: false, set: false }));
