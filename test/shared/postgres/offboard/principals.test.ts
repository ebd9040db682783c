import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { closePrincipal } from '../../../../shared/postgres/offboard/close.ts';
import { offboardInDatabase } from '../../../../shared/postgres/offboard/database.ts';
import { dropPrincipal } from '../../../../shared/postgres/offboard/drop.ts';
import { endSessions } from '../../../../shared/postgres/offboard/sessions.ts';
import {
  connected,
  functionLogin,
  instance,
  type PreparedCluster,
  run,
  startPrepared,
} from '../../../support/postgres.ts';
import { readCatalog } from '../schema/catalog.ts';
import {
  billing,
  busy,
  databases,
  hire,
  inOrder,
  offboard,
  pat,
  settle,
  snapshot,
  without,
} from './world.ts';

let cluster: PreparedCluster;
const target = { instance, database: 'app' };
const options = { signal: new AbortController().signal, remainingMs: () => 60_000, dryRun: false };

beforeAll(async () => {
  cluster = await startPrepared();
  await settle(cluster);
  await run(
    cluster.superuserUrl(),
    'CREATE ROLE root SUPERUSER LOGIN',
    'CREATE ROLE dba LOGIN',
    'CREATE ROLE drover_x LOGIN',
  );
  await run(cluster.superuserUrl(), 'GRANT drover_admin_07 TO dba WITH ADMIN OPTION');
});

afterAll(() => cluster.remove());

const steps = {
  'is not shut out': (principal: string) => closePrincipal(cluster.pools, target, principal, options),
  'keeps its sessions': (principal: string) => endSessions(cluster.pools, target, principal, options),
  'keeps what it has in a database': (principal: string) =>
    offboardInDatabase(cluster.pools, target, principal, options),
  'is not dropped': (principal: string) =>
    dropPrincipal(cluster.pools, target, principal, { ...options, offboarded: [] }),
};

describe.each([
  ['a superuser', 'root'],
  ['the superuser of the server', 'cloudsqladmin'],
  ['the admin of the instance', 'postgres'],
  ['who prepared the instance, or has as much of Drover’s admins', 'dba'],
  ['the login of one of Drover’s functions', functionLogin],
  ['a group that Drover manages', billing.writer],
  ['a group of Cloud SQL', 'cloudsqlsuperuser'],
  ['a predefined role', 'pg_monitor'],
  ['an acting admin', 'drover_admin_07'],
  ['what is named like one of Drover’s own', 'drover_x'],
  ['nobody in particular', 'public'],
])('%s', (_, principal) => {
  test.each(Object.entries(steps))('%s', async (_what, step) => {
    const before = await connected(cluster.superuserUrl('app'), readCatalog);

    await expect(step(principal)).rejects.toMatchObject({
      code: 'PRINCIPAL_NOT_ALLOWED',
      retryable: false,
      details: { principal },
    });

    expect(await connected(cluster.superuserUrl('app'), readCatalog)).toEqual(before);
  });
});

test('a role that is not there has nothing left', async () => {
  expect(await offboard(cluster, { principal: 'nobody' })).toMatchObject({
    changes: [],
    notes: [],
    statements: [],
    remaining: false,
  });
});

test('principals without anything are dropped by whichever admin made them, all at once', async () => {
  const many = Array.from({ length: 12 }, (_, index) => `temp${index}`);
  for (const login of many) await hire(cluster, 'drover', login);

  const outcomes = await Promise.all(many.map((principal) => offboard(cluster, { principal })));

  expect(outcomes.map(({ notes }) => notes)).toEqual(many.map(() => []));
  const { rows } = await connected(cluster.superuserUrl(), (client) =>
    client.query(`SELECT FROM pg_roles WHERE rolname LIKE 'temp%'`),
  );
  expect(rows).toEqual([]);
});

test('one principal that is taken out by several at once, in two databases, is taken out once', async () => {
  await hire(cluster, 'drover');
  await busy(cluster);
  const before = await snapshot(cluster);
  const all = (step: (database: string) => Promise<unknown>) =>
    Promise.all([...databases, ...databases].map((database) => step(database)));
  const to = (database: string) => ({ instance, database });

  await all((database) => closePrincipal(cluster.pools, to(database), pat, options));
  await all((database) => offboardInDatabase(cluster.pools, to(database), pat, options));
  await all((database) =>
    dropPrincipal(cluster.pools, to(database), pat, { ...options, offboarded: databases }),
  );

  expect(inOrder(await snapshot(cluster))).toEqual(inOrder(before, without));
});
