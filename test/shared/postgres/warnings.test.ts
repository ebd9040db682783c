import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Sql, sql } from '../../../shared/postgres/sql.ts';
import { changeInTransaction } from '../../../shared/postgres/transaction.ts';
import { instance, type PreparedCluster, startPrepared } from '../../support/postgres.ts';

let cluster: PreparedCluster;

beforeAll(async () => {
  cluster = await startPrepared();
  await cluster.open('app');
});

afterAll(() => cluster.remove());

const warn = (sqlstate: string) =>
  Sql.of(`DO $$ BEGIN RAISE WARNING 'a warning' USING ERRCODE = '${sqlstate}'; END $$`);

const change = (...statements: Sql[]) =>
  cluster.pools.withConnection(
    { instance, database: 'app' },
    { signal: new AbortController().signal },
    (client) =>
      changeInTransaction(
        client,
        { acting: 'drover_admin_00', lock: 'any', timeoutMs: 10_000, inspection: sql`SELECT 1` },
        () => ({ statements }),
      ),
  );

describe('a warning', () => {
  it('that something was not done is an error', async () => {
    await expect(change(warn('01006'))).rejects.toMatchObject({ code: 'NOT_DONE', retryable: false });
  });

  // What it means shows in the connection: the message is tried again, and not given up.
  it.each(['57P01', '57P02'])(
    'that the server ends the session (%s) says nothing about what was done',
    async (sqlstate) => {
      await expect(change(warn(sqlstate))).resolves.toBeDefined();
    },
  );
});
