import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type CloudSqlCluster, createCloudSqlCluster } from '../../local/postgres/cloudsql.ts';
import { isServerError } from '../../shared/postgres/sqlstate.ts';
import { connected } from '../support/postgres.ts';
import { type UnpackedArchive, unpack } from './archive.ts';

let archive: UnpackedArchive;
let cluster: CloudSqlCluster;

beforeAll(async () => {
  [archive, cluster] = await Promise.all([unpack('sqlstates.tar.gz'), createCloudSqlCluster()]);
});

afterAll(() => cluster?.remove());

describe('the catalogue of SQLSTATEs', () => {
  it('has scripts that PostgreSQL refuses with the code that they are examples of', async () => {
    const scripts = [...archive.files.keys()].filter((file) => file.endsWith('.sql'));
    expect(scripts.length).toBeGreaterThan(100);
    const found = await connected(cluster.superuserUrl(), async (client) => {
      const codes: Record<string, string> = {};
      for (const file of scripts) codes[file] = await codeOf(client, text(file));
      return codes;
    });
    const claimed = scripts.map((file) => [file, parse(text(file.replace(/sql$/, 'yaml'))).code]);
    expect(found).toEqual(Object.fromEntries(claimed));
    expect(claimed.filter(([file, code]) => !file.startsWith(`examples/${code}/`))).toEqual([]);
  });

  it('has the names that PL/pgSQL has for the codes', async () => {
    const errors = [...archive.files.keys()]
      .filter((file) => /^codes\/.*\.md$/.test(file))
      .map((file) => parse(/^---\n(.*?)^---\n/ms.exec(text(file))?.[1] ?? '') as Record<string, string>)
      .filter(({ severity }) => severity === 'error');
    const codesOf = Map.groupBy(errors, ({ name = '' }) => name);
    const raised = await connected(cluster.superuserUrl(), async (client) => {
      await client.query(raising);
      const { rows } = await client.query<{ name: string; code: string }>(
        'SELECT name, pg_temp.code_of(name) AS code FROM unnest($1::text[]) AS names (name)',
        [[...codesOf.keys()]],
      );
      return rows;
    });
    // Of two codes with one name, PL/pgSQL raises the first.
    const isOf = ({ name, code }: { name: string; code: string }) =>
      codesOf.get(name)?.some((one) => one['code'] === code);
    expect(raised.filter((one) => !isOf(one))).toEqual([]);
    expect({ names: raised.length, codes: errors.length }).toEqual({ names: 247, codes: 251 });
  });
});

/** OTHERS leaves two out. */
const raising = `
CREATE FUNCTION pg_temp.code_of(name text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('DO $do$ BEGIN RAISE %I; END $do$', name);
  RETURN 'none';
EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN
  RETURN SQLSTATE;
END
$$`;

function text(file: string): string {
  return archive.files.get(file)?.toString() ?? '';
}

/** What a script is refused with, in a transaction that leaves nothing behind. */
async function codeOf(client: pg.Client, script: string): Promise<string> {
  await client.query('BEGIN');
  try {
    await client.query(script);
    return 'none';
  } catch (error) {
    if (!isServerError(error)) throw error;
    return error.code;
  } finally {
    await client.query('ROLLBACK');
    await client.query('DISCARD ALL');
  }
}
