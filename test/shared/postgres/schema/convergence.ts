import fc from 'fast-check';
import pg from 'pg';
import { OperationError } from '../../../../shared/operation/errors.ts';
import type { Converged } from '../../../../shared/postgres/schema/converge.ts';
import { schemaRoles } from '../../../../shared/postgres/schema/inspect.ts';
import { identifier, sql } from '../../../../shared/postgres/sql.ts';
import { isServerError } from '../../../../shared/postgres/sqlstate.ts';
import { desired, functionLogin, type PreparedCluster, run } from '../../../support/postgres.ts';
import { difference, type Fact, readCatalog } from './catalog.ts';
import { type Deed, managed, type World } from './deeds.ts';
import { anonymous, isOthers, namesIn, wrongRights } from './expectations.ts';
import { nativeRoles, places, type StartingState, startingState, type Wish, wish } from './starting-state.ts';

/** What became of a case, for counting. */
export type Ending = 'changed' | 'unchanged' | string;

/** Cases run one after the other in the same few databases, each of which is wiped before. */
export interface Laboratory {
  check(state: StartingState, wished: Wish): Promise<Ending>;
  close(): Promise<void>;
}

interface Bench {
  readonly world: World;
  readonly client: pg.Client;
}

/** What there is beside the schema. The function can connect whatever becomes of PUBLIC's right to. */
const surroundings = (database: string) => `
    GRANT CONNECT ON DATABASE ${identifier(database).text} TO ${identifier(functionLogin).text};
    CREATE SCHEMA outside AUTHORIZATION alice;
    GRANT USAGE ON SCHEMA outside TO PUBLIC;`;
const outsiders = ['alice', 'bob', 'team'];

export async function openLaboratory(cluster: PreparedCluster): Promise<Laboratory> {
  const benches: Bench[] = [];
  await run(
    cluster.adminUrl(),
    'CREATE ROLE alice LOGIN',
    'CREATE ROLE bob LOGIN NOINHERIT',
    'CREATE ROLE team NOLOGIN',
  );
  for (const { database, schema } of places) {
    await cluster.open(database);
    const client = new pg.Client({ connectionString: cluster.superuserUrl(database) });
    await client.connect();
    await client.query('CREATE TEMPORARY TABLE prepared AS SELECT * FROM pg_auth_members');
    await client.query(surroundings(database));
    benches.push({ world: { database, schema, role: namesIn(database, schema) }, client });
  }
  return {
    async check(state, wished) {
      const bench = benches[state.place];
      if (bench === undefined) throw new Error('there is no such place');
      try {
        return await observe(cluster, bench, state, wished);
      } finally {
        await wipe(bench.client, bench.world);
      }
    },
    async close() {
      for (const { client } of benches) await client.end();
    },
  };
}

async function observe(
  cluster: PreparedCluster,
  { world, client }: Bench,
  state: StartingState,
  wished: Wish,
): Promise<Ending> {
  const converge = ({ principal, ...rest }: Wish) =>
    cluster.converge(
      desired(world.database, world.schema, {
        ...rest,
        ...(principal === undefined ? {} : { owner: world.role(principal) }),
      }),
    );
  if (state.passesOn) await client.query(passOn(world));
  if (state.before) await outcomeOf(converge(state.before));
  for (const deed of state.deeds) await attempt(client, deed, world);

  const before = await readCatalog(client);
  const first = await outcomeOf(converge(wished));
  const after = await readCatalog(client);

  if (first instanceof OperationError) {
    nothing('a refusal changed the catalog', difference(before, after));
    if (first.retryable) throw first;
    return first.code;
  }
  const custom = wished.customRoles?.map(({ name }) => name);
  const roles = schemaRoles(world.database, world.schema, custom);
  const theirs = (facts: readonly Fact[]) =>
    facts.filter((fact) => isOthers(fact, before, world, roles, wished)).map(anonymous(world));
  nothing('what is not ours was touched', difference(theirs(before), theirs(after)));
  nothing('a role has not what it should', wrongRights(after, world, roles, wished, first));
  const { steps } = await converge(wished);
  const again = steps.map((step) => step.sql.text);
  nothing('converging again found something to do', again);
  return first.steps.length > 0 ? 'changed' : 'unchanged';
}

/** What an instance's admin may have done, so that the acting admin can pass these on. */
function passOn({ role }: World): string {
  const some = nativeRoles.map((name) => identifier(name).text).join(', ');
  return `GRANT ${some} TO ${identifier(role('acting')).text} WITH ADMIN OPTION`;
}

/** Does it, if it can be done. */
async function attempt(client: pg.Client, { as, text }: Deed, world: World): Promise<void> {
  const role = as === undefined ? '' : `SET ROLE ${identifier(world.role(as)).text};`;
  try {
    await client.query(`${role}${text(world)}`);
  } catch (error) {
    if (!isServerError(error)) throw error;
  }
  await client.query('RESET ROLE');
}

async function outcomeOf(converging: Promise<Converged>): Promise<Converged | OperationError> {
  try {
    return await converging;
  } catch (error) {
    if (error instanceof OperationError) return error;
    throw error;
  }
}

function nothing(what: string, found: readonly string[]): void {
  if (found.length > 0) throw new Error(`${what}:\n${found.join('\n')}`);
}

/** Takes a database back to what it was when it was created. */
async function wipe(client: pg.Client, { database, role }: World): Promise<void> {
  const roles = [...managed.map(role), ...outsiders];
  const made = managed.map((actor) => identifier(role(actor)).text);
  const name = identifier(database);
  await client.query(`
    DO $$ DECLARE gone text; BEGIN
      FOR gone IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$|public$)' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', gone);
      END LOOP;
      FOR gone IN SELECT rolname FROM pg_roles WHERE rolname IN (${sql`${roles}`.text}) LOOP
        EXECUTE format('ALTER DATABASE %I OWNER TO cloudsqlsuperuser', current_database());
        EXECUTE format('DROP OWNED BY %I CASCADE', gone);
      END LOOP;
    END $$;
    ALTER DATABASE ${name.text} OWNER TO cloudsqlsuperuser;
    REVOKE ALL ON DATABASE ${name.text} FROM drover_admin, drover_writers CASCADE;
    GRANT CONNECT, TEMPORARY ON DATABASE ${name.text} TO PUBLIC;
    GRANT CREATE ON DATABASE ${name.text} TO drover_admin;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    DROP ROLE IF EXISTS ${made.join(', ')};
    DELETE FROM pg_auth_members a WHERE to_jsonb(a) NOT IN (SELECT to_jsonb(b) FROM prepared b);
    INSERT INTO pg_auth_members
    SELECT * FROM prepared p WHERE to_jsonb(p) NOT IN (SELECT to_jsonb(a) FROM pg_auth_members a);
    ${surroundings(database)}`);
}

/** Checks that many cases that fast-check makes up; it prints the seed and the smallest case it finds that fails. */
export async function proveConvergence(laboratory: Laboratory, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(startingState, wish, async (state, wished) => {
      await laboratory.check(state, wished);
    }),
    { numRuns },
  );
}
