import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GrantSet } from '../../shared/registry/grants/model.ts';
import { readSet } from '../../shared/registry/grants/store.ts';
import { isSettled, presentIn } from '../e2e/members.ts';
import { target } from '../support/stack.ts';
import { watch } from './points.ts';
import { type ChaosStack, startChaosStack } from './stack.ts';

const outageMs = 3_000;

const databases = Array.from({ length: 10 }, (_, index) => `app_${index}`);
const schemas = Array.from({ length: 5 }, (_, index) => `s${index}`);
const scopes = databases.flatMap((database) => schemas.map((schema) => ({ database, schema })));
const logins = Array.from({ length: 8 }, (_, index) => `login_${index}`);

let stack: ChaosStack;

/** Closed databases: who acts as an owner becomes a member of the role with which all schemas' owners may connect. */
beforeAll(async () => {
  stack = await startChaosStack({ databases: { open: databases } }, ['grant-roles', 'create-schema']);
  await stack.messaging.subscription('grant-roles').setMetadata({
    retryPolicy: { minimumBackoff: { nanos: 200_000_000 }, maximumBackoff: { seconds: 1 } },
  });
  const statements = [
    ...logins.map((name) => `CREATE ROLE ${name} LOGIN`),
    ...databases.map(
      (name) => `GRANT CONNECT, TEMPORARY ON DATABASE ${name} TO drover_admin WITH GRANT OPTION;
        REVOKE CONNECT, TEMPORARY ON DATABASE ${name} FROM PUBLIC;
        GRANT CONNECT ON DATABASE ${name} TO drover_writers`,
    ),
  ];
  await stack.query('postgres', statements.join(';'));
  await Promise.all(
    scopes.map(async ({ database, schema }) => {
      const id = `${database}-${schema}`;
      await stack.send('create-schema', { target: target(database), schema, lockDatabase: true }, { id });
      expect(await stack.ended('create-schema', id)).toMatchObject({ state: 'succeeded' });
    }),
  );
});

afterAll(() => stack.stop());

/** Three of the logins, and their levels: another choice for every number. */
function choice(number: number) {
  return ['owner', 'writer', 'reader'].map((level, index) => ({
    principal: logins[(number + index * 2) % logins.length] ?? '',
    kind: 'login',
    level,
  }));
}

const listed = (number: number) =>
  choice(number)
    .map(({ principal, level }) => `${level} ${principal}`)
    .sort();

const send = (
  id: string,
  { database, schema }: { database: string; schema: string },
  number: number,
  more = {},
) =>
  stack.send(
    'grant-roles',
    { target: target(database), schema, mode: 'exact', grants: choice(number) },
    { id, ...more },
  );

/** All memberships of the instance, by database and schema: `reader alice`. A database's own roles are by its name. */
async function allMembers(): Promise<Record<string, string[]>> {
  const rows = await stack.query(
    'postgres',
    `SELECT regexp_replace(g.rolname, '__[a-z]+$', '') AS scope,
            array_agg(regexp_replace(g.rolname, '.*__', '') || ' ' || m.rolname ORDER BY g.rolname, m.rolname) AS members
       FROM pg_auth_members a
       JOIN pg_roles g ON g.oid = a.roleid
       JOIN pg_roles m ON m.oid = a.member
      WHERE g.rolname ~ '^app_[0-9]__' AND m.rolname ~ '^login_'
      GROUP BY 1`,
  );
  return Object.fromEntries(rows.map(({ scope, members }) => [String(scope), (members as string[]).sort()]));
}

/** Registry and catalog say the same, and who may connect are those who may act as an owner. */
async function check(expected: ReadonlyMap<string, number>) {
  const members = await allMembers();
  const { docs } = await stack.db.collection('grants').get();
  const sets = new Map(
    docs.map((document) => {
      const { instance, database, schema } = document.data() as GrantSet;
      return [`${database}__${schema}`, readSet(document, { instance, database, schema })];
    }),
  );
  for (const [scope, number] of expected) {
    const set = sets.get(scope);
    expect.soft(members[scope], scope).toEqual(listed(number));
    expect.soft(set && presentIn(set), scope).toEqual(listed(number));
    expect.soft(set && isSettled(set), scope).toBe(true);
  }
  for (const database of databases) {
    const owners = schemas.flatMap((schema) => members[`${database}__${schema}`] ?? []).filter(isOwner);
    const connect = owners.map((one) => one.replace('owner', 'connect'));
    expect.soft(members[database], database).toEqual([...new Set(connect)].sort());
  }
}

const isOwner = (member: string) => member.startsWith('owner ');

const wanted = (numberOf: (index: number) => number) =>
  new Map(scopes.map(({ database, schema }, index) => [`${database}__${schema}`, numberOf(index)]));

describe('50 messages at once across 10 databases, about the same logins', () => {
  it('all succeed at the first attempt, and leave exactly what they say', async () => {
    await Promise.all(scopes.map((scope, number) => send(`wide-${number}`, scope, number)));
    await stack.pubsub.idle();

    for (const number of scopes.keys()) {
      expect(await stack.record('grant-roles', `wide-${number}`)).toMatchObject({
        state: 'succeeded',
        epoch: 1,
        error: null,
      });
    }
    await check(wanted((index) => index));
    expect([...stack.logs.values()].flat().join('\n')).not.toContain('tuple concurrently');
  });

  it('all succeed where five of them are about each schema, and leave what the newest says', async () => {
    const messages = databases.flatMap((database) =>
      [1, 2, 3, 4, 5].map((revision) => ({ database, revision, id: `deep-${database}-${revision}` })),
    );
    await Promise.all(
      messages.map(({ database, revision, id }) =>
        send(id, { database, schema: 's0' }, revision, { attributes: { revision: String(revision) } }),
      ),
    );
    await stack.pubsub.idle();

    for (const { id } of messages) {
      expect(await stack.record('grant-roles', id)).toMatchObject({ state: 'succeeded', error: null });
    }
    await check(new Map(databases.map((database) => [`${database}__s0`, 5])));
    expect([...stack.logs.values()].flat().join('\n')).not.toContain('tuple concurrently');
  });

  it('all succeed though PostgreSQL stops in the middle', async () => {
    const underWay = new Promise<void>((resolve) => {
      let committed = 0;
      const end = watch(stack, ({ call, phase }) => {
        if (call !== 'PostgreSQL: COMMIT' || phase !== 'after') return;
        committed += 1;
        if (committed < 10) return;
        end();
        resolve();
      });
    });
    const some = scopes.map((scope, number) => ({ scope, number: number + 3, id: `outage-${number}` }));
    await Promise.all(
      some.map(({ scope, number, id }) => send(id, scope, number, { attributes: { revision: '10' } })),
    );
    await underWay;
    await stack.cluster.stop('immediate');
    await delay(outageMs);
    await stack.cluster.start();
    await stack.pubsub.idle();

    const attempts: number[] = [];
    for (const { id } of some) {
      const record = await stack.record('grant-roles', id);
      expect(record).toMatchObject({ state: 'succeeded', error: null, reported: true });
      attempts.push(record?.epoch ?? 0);
    }
    await check(wanted((index) => index + 3));
    expect(Math.max(...attempts), 'somebody met the outage').toBeGreaterThan(1);
    expect(stack.worker.starts(), 'the function survived').toBe(1);
  });
});
