import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CustomRole } from '../../../../shared/postgres/custom-role.ts';
import { convergeGrants } from '../../../../shared/postgres/grants/converge.ts';
import type { DesiredGrants, InspectedGrants } from '../../../../shared/postgres/grants/model.ts';
import { examineGrants, refusedGrants } from '../../../../shared/postgres/grants/refusals.ts';
import { desired, instance, type PreparedCluster, run, startPrepared } from '../../../support/postgres.ts';

let cluster: PreparedCluster;
let epoch = 0;
const scope = { database: 'app', schema: 's' };

beforeAll(async () => {
  cluster = await startPrepared();
  await cluster.open('app');
  await run(cluster.superuserUrl(), 'CREATE ROLE alice LOGIN', 'CREATE ROLE eve LOGIN', 'CREATE ROLE team');
  await run(cluster.superuserUrl(), 'ALTER DATABASE app OWNER TO drover_admin');
  await cluster.converge(desired('app', 's', { lockDatabase: true }));
});

afterAll(() => cluster.remove());

afterEach(() =>
  run(
    cluster.superuserUrl(),
    `DELETE FROM pg_auth_members WHERE 'eve'::regrole IN (roleid, member) OR member = 'alice'::regrole
        OR 'team'::regrole IN (roleid, member)`,
  ),
);

const does = (...statements: string[]) => run(cluster.superuserUrl(), ...statements);
const options = { signal: new AbortController().signal, remainingMs: () => 60_000 };

/** Grants a role to both, as a message does that is examined before. */
async function grant(role: string, define: CustomRole[] = [], check = true) {
  epoch += 1;
  const principals = ['alice', 'eve'];
  const wanted: DesiredGrants = {
    ...scope,
    grants: principals.map((principal) => ({ role, principal, present: true })),
    customRoles: [],
    define,
    surplus: 'ignore',
    undecided: [],
    fence: { epoch, outstanding: false },
  };
  const examine = (found: InspectedGrants) => {
    const grants = principals.map((principal) => ({
      principal,
      kind: 'login' as const,
      role,
      present: true,
    }));
    const refused = refusedGrants(examineGrants(scope, grants, found, define));
    if (refused) throw refused;
  };
  return convergeGrants(cluster.pools, { instance, database: 'app' }, [wanted], {
    ...options,
    ...(check ? { examine } : {}),
  });
}

const refusal = {
  code: 'MEMBERSHIP_CYCLE',
  retryable: false,
  details: { problems: [{ path: 'data.grants[1].principal', code: 'MEMBERSHIP_CYCLE' }] },
};

describe('a principal of whom one of the roles became a member', () => {
  it.each([
    ['directly', 'reader', ['GRANT eve TO app__s__reader']],
    ['through another level', 'writer', ['GRANT eve TO app__s__reader']],
    ['through a role of somebody else’s', 'reader', ['GRANT eve TO team', 'GRANT team TO app__s__reader']],
    ['through the right to connect', 'owner', ['GRANT eve TO app__connect']],
  ])('is refused with its place: %s', async (_, role, statements) => {
    await does(...statements);
    const error = await grant(role).catch((error: unknown) => error);
    expect(error).toMatchObject(refusal);

    await does(...(error as { details: { statements: string[] } }).details.statements);
    expect((await grant(role)).changes.map(({ detail }) => detail)).toContain('to eve');
  });

  it('is refused a role that is only defined now, and has the other one’s rights', async () => {
    await does('GRANT eve TO app__s__reader');
    const auditor: CustomRole = {
      ...{ name: 'auditor', version: 1, inherits: ['reader'], native: [] },
      privileges: { tables: [], sequences: [], routines: [] },
    };
    await expect(grant('auditor', [auditor])).rejects.toMatchObject(refusal);
  });

  it('keeps nobody else from getting his, where nobody examines: that is noted', async () => {
    await does('GRANT eve TO app__s__reader');
    const { changes, notes } = await grant('reader', [], false);
    expect(changes.map(({ action, detail }) => `${action} ${detail}`)).toEqual(['grant to alice']);
    expect(notes).toMatchObject([{ code: 'MEMBERSHIP_CYCLE', statements: expect.any(Array) }]);
  });

  it('can be given another role, of which it has no members', async () => {
    await does('GRANT eve TO app__s__analyst');
    expect((await grant('reader')).changes.map(({ detail }) => detail)).toEqual(['to alice', 'to eve']);
  });
});
