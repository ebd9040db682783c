import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { localPassword } from '../../../../local/postgres/cloudsql.ts';
import { convergeGrants } from '../../../../shared/postgres/grants/converge.ts';
import type { DesiredGrants, WantedGrant } from '../../../../shared/postgres/grants/model.ts';
import { actingAdmin } from '../../../../shared/postgres/names.ts';
import {
  connected,
  desired,
  instance,
  type PreparedCluster,
  run,
  startPrepared,
} from '../../../support/postgres.ts';

let cluster: PreparedCluster;
let epoch = 0;
const hostile = `o'brien "the" 🐘; DROP ROLE alice`;

beforeAll(async () => {
  cluster = await startPrepared();
  for (const database of ['app', 'locked']) await cluster.open(database);
  for (const name of ['alice', 'bob', 'carol', hostile]) await cluster.createLogin(name, 'iam');
  await run(cluster.superuserUrl(), 'ALTER DATABASE locked OWNER TO drover_admin');
  for (const schema of ['a_b', 'a_bc']) {
    await cluster.converge(desired('app', schema));
    await cluster.converge(desired('locked', schema, { lockDatabase: true }));
  }
});

afterAll(() => cluster.remove());

beforeEach(async () => {
  for (const database of ['app', 'locked']) {
    for (const schema of ['a_b', 'a_bc']) await converge(wanted(schema, [], { database, surplus: 'revoke' }));
  }
});

const grant = (principal: string, role: string, present = true): WantedGrant => ({
  principal,
  role,
  present,
});

function wanted(
  schema: string | undefined,
  grants: WantedGrant[],
  more: Partial<DesiredGrants> = {},
): DesiredGrants {
  epoch += 1;
  return {
    database: 'app',
    schema,
    grants,
    customRoles: [],
    surplus: 'ignore',
    undecided: [],
    fence: { epoch, outstanding: false },
    ...more,
  };
}

const converge = (...scopes: DesiredGrants[]) =>
  convergeGrants(cluster.pools, { instance, database: scopes[0]?.database ?? 'app' }, scopes, {
    signal: new AbortController().signal,
    remainingMs: () => 60_000,
  });

/** People among the members of a role. */
async function members(role: string): Promise<string[]> {
  return connected(cluster.superuserUrl('app'), async (client) => {
    const { rows } = await client.query(
      `SELECT m.rolname AS name FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member
        WHERE a.roleid = $1::regrole AND m.rolname = ANY ($2) ORDER BY 1`,
      [role, ['alice', 'bob', 'carol', hostile]],
    );
    return rows.map(({ name }) => name);
  });
}

const connects = (user: string) =>
  run(cluster.url(user, localPassword, 'locked'), 'SELECT 1').then(
    () => true,
    () => false,
  );

describe('a change of grants', () => {
  it('grants, keeps and takes back, and finds nothing to do after that', async () => {
    const both = [grant('alice', 'reader'), grant(hostile, 'writer')];
    const first = await converge(wanted('a_b', both));
    expect(first.changes.map(({ action, detail }) => `${action} ${detail}`)).toEqual([
      'grant to alice',
      `grant to ${hostile}`,
    ]);
    expect(await converge(wanted('a_b', both))).toMatchObject({ statements: [], plans: [{ kept: 2 }] });

    await converge(wanted('a_b', [grant('carol', 'reader')], { surplus: 'revoke' }));

    expect(await members('app__a_b__reader')).toEqual(['carol']);
    expect(await members('app__a_b__writer')).toEqual([]);
  });

  it('touches nobody of a schema whose name begins the same', async () => {
    await converge(wanted('a_bc', [grant('alice', 'reader'), grant('bob', 'owner')]));
    await converge(wanted('a_b', [grant('alice', 'reader'), grant('bob', 'owner')]));
    await converge(wanted('a_b', [grant('alice', 'reader', false)], { surplus: 'revoke' }));
    expect(await members('app__a_b__reader')).toEqual([]);
    expect(await members('app__a_bc__reader')).toEqual(['alice']);
    expect(await members('app__a_bc__owner')).toEqual(['bob']);
  });

  it('lets who acts as owner connect to a locked database, as long as he does anywhere in it', async () => {
    const at = (schema: string, present: boolean) =>
      converge(wanted(schema, [grant('alice', 'owner', present)], { database: 'locked' }));
    expect(await connects('alice')).toBe(false);
    await at('a_b', true);
    await at('a_bc', true);
    expect(await connects('alice')).toBe(true);
    await at('a_b', false);
    expect(await connects('alice')).toBe(true);
    await at('a_bc', false);
    expect(await connects('alice')).toBe(false);
  });

  it('is made in several schemas at once, each by its own admin', async () => {
    const both = () => ['a_b', 'a_bc'].map((schema) => wanted(schema, [grant('alice', 'reader')]));
    await converge(...both());
    expect((await converge(...both())).statements).toEqual([]);
    const grantors = await connected(cluster.superuserUrl('app'), async (client) => {
      const { rows } = await client.query(
        `SELECT pg_get_userbyid(grantor) AS name FROM pg_auth_members WHERE member = 'alice'::regrole
            AND roleid::regrole::text LIKE 'app%' ORDER BY roleid::regrole::text`,
      );
      return rows.map(({ name }) => name);
    });
    expect(grantors).toEqual([actingAdmin('app', 'a_b'), actingAdmin('app', 'a_bc')]);
  });

  it('waits for its time by the database’s clock', async () => {
    await converge(wanted('a_b', [grant('alice', 'reader')]));
    const ending = (notBefore: Date) =>
      converge(wanted('a_b', [{ ...grant('alice', 'reader', false), notBefore }]));
    const early = await ending(new Date(Date.now() + 3_600_000));
    expect(early.plans[0]?.early).toEqual([{ role: 'reader', principal: 'alice' }]);
    expect(early.statements).toEqual([]);
    await ending(new Date(Date.now() - 3_600_000));
    expect(await members('app__a_b__reader')).toEqual([]);
  });

  it('is refused to whoever comes after a newer one', async () => {
    const old = wanted('a_b', [grant('alice', 'reader')]);
    await converge(wanted('a_b', [], { fence: { epoch: epoch + 1, outstanding: true } }));
    epoch += 1;
    await expect(converge(old)).rejects.toMatchObject({ code: 'FENCED', retryable: true });
    expect(await members('app__a_b__reader')).toEqual([]);
  });

  it('in a dry run is told, and not made', async () => {
    const dry = await converge(wanted('a_b', [grant('alice', 'reader')], { fence: undefined }));
    expect(dry.planned).toEqual(['GRANT "app__a_b__reader" TO "alice" WITH INHERIT TRUE, SET FALSE']);
    expect(dry.statements).toEqual([]);
    expect(await members('app__a_b__reader')).toEqual([]);
  });

  it('finds whom something was taken from before, for his sessions may still be open', async () => {
    await converge(wanted('a_b', [grant('alice', 'owner')]));
    await converge(wanted('a_b', [grant('alice', 'owner', false)]));
    const again = await converge(wanted('a_b', [grant('alice', 'owner', false)]));
    expect(again).toMatchObject({
      statements: [],
      plans: [{ revoked: [{ role: 'owner', principal: 'alice' }] }],
    });
  });
});
