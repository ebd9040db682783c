import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, dropDatabase, findDatabase } from '../../shared/postgres/databases/database.ts';
import { dropRolesOf } from '../../shared/postgres/databases/roles.ts';
import type { LoginScope } from '../../shared/postgres/logins/change.ts';
import { ensureLogins } from '../../shared/postgres/logins/ensure.ts';
import { dropLogins } from '../../shared/postgres/logins/remove.ts';
import { convergeSchema } from '../../shared/postgres/schema/converge.ts';
import { dropSchema, schemaExists } from '../../shared/postgres/schema/drop.ts';
import { connected, desired, instance, type PreparedCluster } from '../support/postgres.ts';
import { otherMajors, startMajor } from './majors.ts';

describe.each(otherMajors)('what a tenant has in PostgreSQL %i', (major) => {
  let cluster: PreparedCluster;
  const own = { instance, database: 'tenant_own' };
  const scope: LoginScope = { ...own, schema: 'app', secret: 'tenant-own-database' };
  const logins = ['tenant_own_a', 'tenant_own_b'];
  const options = () => ({
    pools: cluster.pools,
    signal: new AbortController().signal,
    remainingMs: () => 60_000,
  });
  const roles = () =>
    connected(cluster.superuserUrl(), async (client) => {
      const { rowCount } = await client.query(`SELECT FROM pg_roles WHERE rolname ~ 'tenant_own'`);
      return rowCount;
    });

  beforeAll(async () => {
    cluster = await startMajor(major);
  });
  afterAll(() => cluster.remove());

  it('is made and taken away: a database, a schema, its roles and logins', async () => {
    await createDatabase(own, 'own', false, options());
    const { steps } = await convergeSchema(cluster.pools, own, desired('tenant_own', 'app'), {
      ...options(),
      fence: { epoch: 1, outstanding: false },
    });
    expect(steps.length).toBeGreaterThan(0);
    const limits = { connections: 3, statementTimeoutSeconds: 60 };
    await ensureLogins(
      { scope, logins, adopted: undefined, actAs: 'tenant_own__app__owner', limits, epoch: 1 },
      options(),
    );

    await dropLogins(scope, logins, options());
    await dropSchema(own, 'app', { ...options(), epoch: 1 });
    expect(await schemaExists(own, 'app', options())).toBe(false);
    await dropDatabase(own, 'own', false, options());
    await dropRolesOf(own, options());
    expect(await findDatabase(own, options())).toBeUndefined();
    expect(await roles()).toBe(0);
  });
});
