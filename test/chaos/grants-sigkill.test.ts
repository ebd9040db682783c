import { FieldPath } from '@google-cloud/firestore';
import { status } from '@grpc/grpc-js';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FunctionProcess } from '../../local/functions.ts';
import { GrpcError } from '../../local/grpc/server.ts';
import { localPassword } from '../../local/postgres/cloudsql.ts';
import { localInstance } from '../../local/stack.ts';
import { operationDocumentId } from '../../shared/registry/operations.ts';
import { isSettled, membersOf, presentIn, registryOf } from '../e2e/members.ts';
import { target } from '../support/stack.ts';
import { nameOf, type Point, watch } from './points.ts';
import { type ChaosStack, longSilenceSeconds, startChaosStack } from './stack.ts';

let stack: ChaosStack;
let reconciler: FunctionProcess;
let points: Point[];

const schema = 'billing';
const login = (principal: string, level: string, more = {}) => ({ principal, kind: 'login', level, ...more });
const before = [login('alice', 'reader'), login('bob', 'writer')];
const after = [login('alice', 'reader'), login('dave', 'owner')];
const expected = ['owner dave', 'reader alice'];

const send = (id: string, message: object) =>
  stack.send('grant-roles', { target: target('app'), schema, ...message }, { id });

async function done(id: string, message: object) {
  await send(id, message);
  const record = await stack.ended('grant-roles', id);
  expect(record.error ?? null, id).toBe(null);
  await stack.pubsub.idle();
}

/** The points of a run that nothing disturbs, by a process that is connected. */
beforeAll(async () => {
  stack = await startChaosStack({}, ['grant-roles', 'reconcile']);
  const running = stack.functions.get('reconcile');
  if (!running) throw new Error('the stack is not whole');
  reconciler = running;
  const logins = ['alice', 'bob', 'carol', 'dave'].map((name) => `CREATE ROLE ${name} LOGIN;`);
  await stack.query('postgres', logins.join(''));
  await stack.query(
    'postgres',
    `SET ROLE drover_admin_00; CREATE ROLE mia LOGIN PASSWORD '${localPassword}'`,
  );
  await stack.send('create-schema', { target: target('app'), schema }, { id: schema });
  await stack.ended('create-schema', schema);
  await done('begin', { mode: 'exact', grants: before });
  points = [];
  const end = watch(stack, (point) => {
    if (!point.call.includes("test's")) points.push(point);
  });
  await done('undisturbed', { mode: 'exact', grants: after });
  end();
});

afterAll(() => stack.stop());

/** Kills a function when something comes to a point. */
function killAt(process_: FunctionProcess, isFatal: (point: Point) => boolean) {
  let restarted: Promise<void> | undefined;
  const end = watch(stack, (point) => {
    if (restarted !== undefined || !isFatal(point)) return;
    restarted = process_.restarted();
    process.kill(process_.pid(), 'SIGKILL');
    // The dead are silent: the lease ends, and so does a transaction that was open.
    stack.firestore.advance(longSilenceSeconds);
    throw new GrpcError(status.UNAVAILABLE, 'the function was killed here');
  });
  return async (what: string) => {
    await stack.pubsub.idle();
    end();
    expect(restarted, `nothing came to "${what}"`).toBeDefined();
    await restarted;
  };
}

const members = () => membersOf(stack, 'app', schema);
const rowOf = (member: string) =>
  stack.query('app', `SELECT oid FROM pg_auth_members WHERE member = '${member}'::regrole ORDER BY oid`);

async function stateOf(id: string) {
  const record = await stack.record('grant-roles', id);
  const set = await registryOf(stack, 'app', schema);
  const document = operationDocumentId('grant-roles', { operationId: id, dryRun: false });
  return {
    record: record && { state: record.state, reported: record.reported, error: record.error },
    events: [...new Set(stack.results.get(document)?.map((event) => event.id))],
    members: await members(),
    registry: presentIn(set),
    settled: isSettled(set),
    history: set.history
      .filter(({ operation }) => operation === document)
      .map(({ action, principal }) => `${action} ${principal}`)
      .sort(),
  };
}

describe('grant-roles, killed while it makes grants exact', () => {
  /**
   * Of two points between which nothing happens that others could see, one. What comes before and after is the life of
   * any message: ./sigkill.test.ts has that.
   */
  const parts = [
    { part: 'the wish', names: ['after Firestore: grants'] },
    {
      part: 'the transaction',
      names: [
        'after PostgreSQL: BEGIN',
        'before PostgreSQL: REVOKE',
        'before PostgreSQL: COMMENT ON',
        'before PostgreSQL: COMMIT',
        'after PostgreSQL: COMMIT',
      ],
    },
    { part: 'the registry', names: ['after Firestore: grants (2)'] },
  ];

  it('comes to these points', () => {
    const chosen = parts.flatMap(({ names }) => names);
    expect(points.map(nameOf).filter((name) => chosen.includes(name))).toEqual(chosen);
    const statements = points.filter(
      ({ call, phase }) => call.startsWith('PostgreSQL: ') && phase === 'before',
    );
    expect(statements.map(({ call }) => call.replace('PostgreSQL: ', ''))).toEqual([
      'BEGIN',
      'GRANT',
      'REVOKE',
      'COMMENT ON',
      'COMMIT',
    ]);
  });

  it.each(parts)(
    'in $part does all of it once',
    async ({ names, part }) => {
      for (const fatal of names) {
        const id = `${part} ${fatal}`.replaceAll(/[^a-z0-9]+/gi, '-');
        await done(`before-${id}`, { mode: 'exact', grants: before });
        const kept = await rowOf('alice');

        const killed = killAt(stack.worker, (point) => nameOf(point) === fatal);
        await send(id, { mode: 'exact', grants: after });
        await killed(fatal);

        expect.soft(await stateOf(id), fatal).toEqual({
          record: { state: 'succeeded', reported: true, error: null },
          events: [expect.stringMatching(/^[0-9a-f]{40}\.2\.succeeded$/)],
          members: expected,
          registry: expected,
          settled: true,
          history: ['grant dave', 'revoke bob'],
        });
        expect.soft(await rowOf('alice'), `kept all along: ${fatal}`).toEqual(kept);
      }
    },
    120_000,
  );

  it('leaves nothing behind where the grant is over when it comes again', async () => {
    await done('before-over', { mode: 'exact', grants: before });
    const rows = await stack.query('app', `SELECT clock_timestamp() + interval '4 s' AS at`);
    const expiresAt = (rows as { at: Date }[])[0]?.at.toISOString();
    const killed = killAt(
      stack.worker,
      ({ call, phase }) => call === 'PostgreSQL: COMMIT' && phase === 'after',
    );
    const again = Promise.withResolvers<void>();
    const later = Promise.withResolvers<void>();
    const end = watch(stack, ({ call, phase, nth }) => {
      if (call !== 'Pub/Sub: push' || phase !== 'before' || nth !== 2) return undefined;
      again.resolve();
      return later.promise;
    });
    await send('over', { mode: 'add', grants: [login('carol', 'reader', { expiresAt })] });
    await again.promise;
    expect(await members()).toContain('reader carol');
    await stack.query(
      'app',
      `SELECT pg_sleep(greatest(0, extract(epoch FROM '${expiresAt}'::timestamptz - clock_timestamp()) + 0.01))`,
    );
    later.resolve();
    await killed('COMMIT');
    end();

    await stack.send('reconcile', { instance: localInstance }, { id: 'over' });
    await stack.ended('reconcile', 'over');

    expect(await stack.record('grant-roles', 'over')).toMatchObject({ reported: true });
    const set = await registryOf(stack, 'app', schema);
    expect(await members()).not.toContain('reader carol');
    expect(presentIn(set)).toEqual(await members());
    expect(isSettled(set)).toBe(true);
  });
});

describe('reconcile, killed while it takes a grant back', () => {
  it.each([
    { call: 'Firestore: grants', phase: 'after', nth: 1 },
    { call: 'PostgreSQL: COMMIT', phase: 'after', nth: 1 },
    { call: 'Firestore: grants', phase: 'after', nth: 2 },
  ] as const)('$phase $call ($nth) takes it back once, and ends who acts by it', async (fatal) => {
    const id = nameOf(fatal).replaceAll(/[^a-z0-9]+/gi, '-');
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    await done(`granted-${id}`, {
      mode: 'exact',
      grants: [login('mia', 'owner', { expiresAt }), login('bob', 'reader')],
    });
    const client = new pg.Client({ connectionString: stack.cluster.url('mia', localPassword, 'app') });
    const ended = new Promise((resolve) => client.once('end', resolve));
    client.on('error', () => undefined);
    await client.connect();
    await client.query('SET ROLE app__billing__owner');
    await letEnd('owner:mia');

    const killed = killAt(reconciler, (point) => nameOf(point) === nameOf(fatal));
    await stack.send('reconcile', { instance: localInstance }, { id });
    await killed(nameOf(fatal));
    await ended;

    const document = operationDocumentId('reconcile', { operationId: id, dryRun: false });
    const set = await registryOf(stack, 'app', schema);
    expect(await stack.record('reconcile', id)).toMatchObject({ state: 'succeeded', reported: true });
    expect(await members()).toEqual(['reader bob']);
    expect(presentIn(set)).toEqual(['reader bob']);
    expect(isSettled(set)).toBe(true);
    expect(set.history.filter(({ operation }) => operation === document)).toMatchObject([
      { action: 'expire', principal: 'mia' },
    ]);
  });
});

/** Lets the time of a grant be over, without anybody waiting for it. */
async function letEnd(key: string): Promise<void> {
  const { docs } = await stack.db.collection('grants').where('schema', '==', schema).get();
  const at = new Date(Date.now() - 1000);
  await docs[0]?.ref.update(new FieldPath('grants', key, 'value', 'expiresAt'), at, 'nextExpiry', at);
}
