import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localPassword } from '../../local/postgres/cloudsql.ts';
import { customRoleDefinition } from '../../shared/postgres/custom-role.ts';
import { type Laboratory, openLaboratory, proveConvergence } from '../shared/postgres/schema/convergence.ts';
import { connected, desired, type PreparedCluster, run } from '../support/postgres.ts';
import { otherMajors, startMajor } from './majors.ts';

describe.each(otherMajors)('on PostgreSQL %i', (major) => {
  let cluster: PreparedCluster;
  let laboratory: Laboratory;

  beforeAll(async () => {
    cluster = await startMajor(major);
    laboratory = await openLaboratory(cluster);
  });

  afterAll(async () => {
    await laboratory.close();
    await cluster.remove();
  });

  test('whatever is found in a catalog, what was applied needs not be applied again, or is refused', async () => {
    await proveConvergence(laboratory, 60);
  }, 180_000);

  test('every role that is made has an admin, who is there after an upgrade too', async () => {
    await cluster.open('upgraded');
    const customRoles = [customRoleDefinition.parse({ name: 'support', version: 1 })];
    const { roles } = await cluster.converge(desired('upgraded', 'billing', { customRoles }));
    const { acting, connect, monitor, custom, ...ofLevels } = roles;

    const admins = await connected(cluster.superuserUrl(), async (client) => {
      const { rows } = await client.query(
        `SELECT roleid::regrole::text AS role, member::regrole::text AS member
           FROM pg_auth_members WHERE admin_option AND roleid::regrole::text LIKE 'upgraded\\_\\_%'`,
      );
      return new Set(rows.map(({ role, member }) => `${role} ${member}`));
    });

    const ofSchema = Object.values({ ...ofLevels, ...custom });
    expect(ofSchema).toHaveLength(5);
    for (const role of ofSchema) expect(admins).toContain(`${role} ${acting}`);
    expect(admins).toContain(`${monitor} drover_admin`);
    expect([...admins].some((one) => one.startsWith(connect))).toBe(false);
  });

  test('a login that inherits nothing can connect to a locked database where it acts as owner', async () => {
    await cluster.open('locked');
    await cluster.createLogin('norah', 'iam');
    await run(
      cluster.superuserUrl(),
      'ALTER ROLE norah NOINHERIT',
      'ALTER DATABASE locked OWNER TO drover_admin',
    );
    const wished = desired('locked', 'billing', { lockDatabase: true, owner: 'norah' });

    await cluster.converge(wished);

    expect((await cluster.converge(wished)).steps).toEqual([]);
    await run(cluster.url('norah', localPassword, 'locked'), 'SELECT 1');
  });
});
