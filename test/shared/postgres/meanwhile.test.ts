import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatMarker } from '../../../shared/postgres/marker.ts';
import { schemaRoles } from '../../../shared/postgres/schema/inspect.ts';
import { identifier, sql } from '../../../shared/postgres/sql.ts';
import { changeInTransaction } from '../../../shared/postgres/transaction.ts';
import {
  connected,
  desired,
  instance,
  type PreparedCluster,
  run,
  startPrepared,
} from '../../support/postgres.ts';

// What others commit while a change waits for them.

const database = 'app';
const roles = schemaRoles(database, 'billing');
let cluster: PreparedCluster;

beforeAll(async () => {
  cluster = await startPrepared();
  await cluster.open(database);
  await run(
    cluster.superuserUrl(),
    `ALTER DATABASE ${database} SET default_transaction_isolation = 'repeatable read'`,
  );
  await cluster.converge(desired(database, 'billing'));
});

afterAll(() => cluster.remove());

const asSuperuser = <T>(use: (client: pg.Client) => Promise<T>) =>
  connected(cluster.superuserUrl(database), use);

/** Resolves when so many sessions wait for locks of this type. */
async function waiting(locktype: string, sessions: number): Promise<void> {
  await asSuperuser(async (client) => {
    for (;;) {
      const { rows } = await client.query(
        'SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted AND locktype = $1',
        [locktype],
      );
      if (rows[0]?.n >= sessions) return;
    }
  });
}

test('the change sees an epoch that came while it waited, though the database’s default is repeatable read', async () => {
  const marker = { managedBy: 'drover', database, schema: 'billing', level: 'owner', epoch: 3 } as const;
  await asSuperuser(async (gate) => {
    await gate.query('SELECT pg_advisory_lock(42)');
    const newer = cluster.pools.withConnection(
      { instance, database },
      { signal: new AbortController().signal },
      (client) =>
        changeInTransaction(
          client,
          { acting: roles.acting, lock: 'billing', timeoutMs: 30_000, inspection: sql`SELECT 1` },
          () => ({
            statements: [
              sql`SELECT pg_advisory_xact_lock(42)`,
              sql`COMMENT ON ROLE ${identifier(roles.owner)} IS ${formatMarker(marker)}`,
            ],
          }),
        ),
    );
    await waiting('advisory', 1);
    const older = cluster
      .converge(desired(database, 'billing', { comment: 'old' }), { fence: { epoch: 2, outstanding: false } })
      .catch((error: unknown) => error);
    await waiting('advisory', 2);
    await gate.query('SELECT pg_advisory_unlock(42)');
    await newer;
    expect(await older).toMatchObject({ code: 'FENCED' });
  });
});

describe('a table that is dropped between the plan and its statement', () => {
  test('is no failure: the schema is inspected again', async () => {
    await run(
      cluster.superuserUrl(database),
      `SET ROLE ${roles.owner}`,
      'CREATE TABLE billing.churn ()',
      `REVOKE ALL ON billing.churn FROM ${roles.reader}`,
    );
    await asSuperuser(async (other) => {
      await other.query('BEGIN');
      await other.query('DROP TABLE billing.churn');
      const converged = cluster.converge(desired(database, 'billing'), {
        fence: { epoch: 9, outstanding: false },
      });
      await waiting('relation', 1);
      await other.query('COMMIT');
      expect((await converged).steps).toEqual([]);
    });
  });
});
