import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { schemaRoles } from '../../../../shared/postgres/schema/inspect.ts';
import { connected, desired, type PreparedCluster, run, startPrepared } from '../../../support/postgres.ts';

// Memberships by which a level's members have more than the level.

let cluster: PreparedCluster;
const database = 'app';
const roles = schemaRoles(database, 'billing');
const converge = (more = {}) => cluster.converge(desired(database, 'billing', more));
const asSuperuser = (...statements: readonly string[]) => run(cluster.superuserUrl(database), ...statements);
const isMember = (member: string, role: string) =>
  connected(cluster.superuserUrl(database), async (client) => {
    const { rows } = await client.query(`SELECT pg_has_role($1::name, $2::name, 'MEMBER') AS is`, [
      member,
      role,
    ]);
    return rows[0]?.is as boolean;
  });

beforeAll(async () => {
  cluster = await startPrepared();
  await cluster.open(database);
  await converge();
});

afterAll(() => cluster.remove());

describe('a level that is a member of another role', () => {
  test('loses a membership that the acting admin granted', async () => {
    await asSuperuser(`SET ROLE ${roles.acting}`, `GRANT ${roles.owner} TO ${roles.reader}`);
    expect(await isMember(roles.reader, roles.owner)).toBe(true);
    const { steps } = await converge();
    expect(steps.map(({ change }) => change?.action)).toContain('revoke');
    expect(await isMember(roles.reader, roles.owner)).toBe(false);
    expect((await converge()).steps).toEqual([]);
  });

  test('is reported where somebody else granted it, with a statement that works', async () => {
    await asSuperuser(`GRANT pg_write_all_data TO ${roles.reader}`);
    const { notes, steps } = await converge();
    expect(steps).toEqual([]);
    const note = notes.find(({ code }) => code === 'FOREIGN_MEMBERSHIP');
    expect(note?.message).toContain('pg_write_all_data');
    await asSuperuser(...(note?.statements ?? []));
    expect(await isMember(roles.reader, 'pg_write_all_data')).toBe(false);
    expect((await converge()).notes.map(({ code }) => code)).not.toContain('FOREIGN_MEMBERSHIP');
  });

  test('is not adopted as it is', async () => {
    const { reader, acting } = schemaRoles(database, 'shop');
    await asSuperuser(
      `CREATE ROLE ${reader}`,
      `GRANT ${reader} TO ${acting} WITH ADMIN OPTION`,
      `GRANT pg_write_all_data TO ${reader}`,
    );
    const adopt = () => cluster.converge(desired(database, 'shop', { adopt: true }));
    const refusal = await adopt().catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'ADOPTION_NEEDS_ADMIN' });
    const { statements } = (refusal as { details: { statements: string[] } }).details;
    await asSuperuser(...statements);
    await adopt();
    expect(await isMember(reader, 'pg_write_all_data')).toBe(false);
  });
});
