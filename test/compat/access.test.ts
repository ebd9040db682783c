import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { database, lines, list, populate, roles, who } from '../shared/postgres/access/fixture.ts';
import { type PreparedCluster, run } from '../support/postgres.ts';
import { otherMajors, startMajor } from './majors.ts';

const { owner, reader, writer } = roles('billing');

describe.each(otherMajors)('who has access on PostgreSQL %i', (major) => {
  let cluster: PreparedCluster;

  beforeAll(async () => {
    cluster = await startMajor(major);
    await populate(cluster);
  });

  afterAll(() => cluster.remove());

  test('is told by what way', async () => {
    const { managed, superusers } = await who(cluster);
    expect(lines(managed, 'alice@acme.com')).toEqual([`reader: read, execute | inherit | ${reader}`]);
    expect(lines(managed, 'bob')).toEqual([
      `writer+reader: read, write, execute | inherit | team_x > ${writer} > ${reader}`,
    ]);
    expect(lines(managed, 'adam')).toEqual([`reader: read, execute | inherit | admin | ${reader}`]);
    // A member that doesn't inherit: before 16 by what it is, after that by what the membership was granted with.
    expect(lines(managed, 'norah')).toEqual([
      `writer+reader: read, write, execute | set ${writer} | ${writer} > ${reader}`,
    ]);
    const how = major < 16 ? 'inherit' : `set ${owner}`;
    expect(lines(managed, 'dora')).toEqual([`owner: read, write, create, own | ${how} | ${owner}`]);
    expect(superusers).toEqual(['cloudsqladmin']);
  });

  test('is asked of the member before 16, and of the membership after that', async () => {
    await run(
      cluster.superuserUrl(database),
      'ALTER ROLE norah INHERIT',
      'ALTER ROLE "alice@acme.com" NOINHERIT',
    );
    const { managed } = await who(cluster, 'billing');
    const hows = (principal: string) =>
      managed.filter((access) => access.principal === principal).map(({ how }) => how);
    expect({ norah: hows('norah'), alice: hows('alice@acme.com') }).toEqual(
      major < 16 ? { norah: ['inherit'], alice: ['set'] } : { norah: ['set'], alice: ['inherit'] },
    );
  });

  test('is told of who acts as Drover does, and of who may take any role', async () => {
    const { managed, direct, asDrover, createRole } = await who(cluster);
    const names = [...managed, ...direct].map(({ principal }) => principal);
    expect(names.filter((name) => /^(drover_|app__|create-schema)/.test(name))).toEqual([]);
    expect(asDrover.map(({ principal }) => principal)).toContain('create-schema@acme-dev.iam');
    expect(createRole).toEqual(major < 16 ? ['cloudsqlsuperuser', 'postgres'] : []);
  });

  test('is the same for one principal as for all', async () => {
    const everybody = await who(cluster);
    for (const principal of ['bob', 'carol', 'dora', 'adam']) {
      const { managed } = await list(cluster, principal);
      expect(managed).toEqual(everybody.managed.filter((one) => one.principal === principal));
      expect(managed).not.toEqual([]);
    }
  });
});
