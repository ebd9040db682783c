import { FieldPath } from '@google-cloud/firestore';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localInstance } from '../../local/stack.ts';
import { operationDocumentId } from '../../shared/registry/operations.ts';
import { reopenOperation } from '../../shared/registry/replay.ts';
import { isSettled, membersOf, presentIn, registryOf } from '../e2e/members.ts';
import { target } from '../support/stack.ts';
import { hold, nameOf, type Point, watch } from './points.ts';
import { type ChaosStack, startChaosStack } from './stack.ts';

let stack: ChaosStack;

beforeAll(async () => {
  stack = await startChaosStack({}, ['grant-roles', 'reconcile']);
  await stack.query('postgres', 'CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE carol LOGIN');
  for (const schema of ['ordered', 'ending']) {
    await stack.send('create-schema', { target: target('app'), schema }, { id: schema });
    await stack.ended('create-schema', schema);
  }
});

afterAll(() => stack.stop());

const login = (principal: string, more = {}) => ({ principal, kind: 'login', level: 'reader', ...more });
const members = (schema: string) => membersOf(stack, 'app', schema);
const registry = (schema: string) => registryOf(stack, 'app', schema);

const send = (id: string, schema: string, mode: string, ...grants: object[]) =>
  stack.send('grant-roles', { target: target('app'), schema, mode, grants }, { id });

const done = async (id: string, schema: string, mode: string, ...grants: object[]) => {
  await send(id, schema, mode, ...grants);
  expect(await stack.ended('grant-roles', id)).toMatchObject({ state: 'succeeded' });
  await stack.pubsub.idle();
};

describe('exact, of which the first version fails and the second succeeds', () => {
  it.each([
    { moment: 'before its change', call: 'PostgreSQL: BEGIN', phase: 'before' },
    { moment: 'after its change', call: 'PostgreSQL: COMMIT', phase: 'after' },
  ] as const)('stays at the second when the first comes again: failed $moment', async ({ call, phase }) => {
    const id = `exact-${phase}`;
    await done(`${id}-0`, 'ordered', 'exact', login('carol'));
    const redelivered = Promise.withResolvers<void>();
    const newerDone = Promise.withResolvers<void>();
    const end = watch(stack, (point) => {
      if (point.call === call && point.phase === phase && point.nth === 1)
        throw new Error('broken by the test');
      if (point.call !== 'Pub/Sub: push' || point.phase !== 'before' || point.nth !== 2) return undefined;
      redelivered.resolve();
      return newerDone.promise;
    });
    await send(`${id}-1`, 'ordered', 'exact', login('alice'));
    await redelivered.promise;
    await send(`${id}-2`, 'ordered', 'exact', login('bob'));
    expect(await stack.ended('grant-roles', `${id}-2`)).toMatchObject({ state: 'succeeded' });

    newerDone.resolve();
    await stack.pubsub.idle();
    end();

    expect(await stack.record('grant-roles', `${id}-1`)).toMatchObject({
      state: 'succeeded',
      epoch: 2,
      changes: [],
      notes: [{ code: 'SUPERSEDED' }],
    });
    expect(await members('ordered')).toEqual(['reader bob']);
    expect(presentIn(await registry('ordered'))).toEqual(['reader bob']);
    expect(isSettled(await registry('ordered'))).toBe(true);
  });

  it('stays at the second when the first, which was impossible, is replayed', async () => {
    await send('refused', 'ordered', 'exact', login('alice'), login('dana'));
    expect(await stack.ended('grant-roles', 'refused')).toMatchObject({
      state: 'failed',
      error: { code: 'PRINCIPAL_NOT_FOUND' },
    });
    await done('possible', 'ordered', 'exact', login('carol'));
    await stack.query('postgres', 'CREATE ROLE dana LOGIN');

    const record = operationDocumentId('grant-roles', { operationId: 'refused', dryRun: false });
    const { topic, data, attributes } = await reopenOperation(stack.db, record);
    await stack.messaging.topic(topic).publishMessage({ data, attributes });
    await stack.pubsub.idle();

    expect(await stack.record('grant-roles', 'refused')).toMatchObject({
      state: 'succeeded',
      notes: [{ code: 'SUPERSEDED' }],
    });
    expect(await members('ordered')).toEqual(['reader carol']);
    expect(presentIn(await registry('ordered'))).toEqual(['reader carol']);
  });
});

describe('a grant that is renewed at the moment it ends', () => {
  const schema = 'ending';
  const inHours = (hours: number) => new Date(Date.now() + hours * 3_600_000);
  let round = 0;

  /** A grant whose time is over, and the messages that take it back and renew it. */
  async function begin() {
    round += 1;
    const id = `ending-${round}`;
    await done(`${id}-granted`, schema, 'exact', login('alice', { expiresAt: inHours(1).toISOString() }));
    const { docs } = await stack.db.collection('grants').where('schema', '==', schema).get();
    const at = new Date(Date.now() - 1000);
    await docs[0]?.ref.update(
      new FieldPath('grants', 'reader:alice', 'value', 'expiresAt'),
      at,
      'nextExpiry',
      at,
    );
    const expiresAt = inHours(2);
    return {
      end: () => stack.send('reconcile', { instance: localInstance }, { id }),
      ended: () => stack.ended('reconcile', id),
      renew: () =>
        send(`${id}-renewed`, schema, 'add', login('alice', { expiresAt: expiresAt.toISOString() })),
      renewed: () => stack.ended('grant-roles', `${id}-renewed`),
      /** Whichever came first: a renewal that succeeded counts, for it is the newer. */
      async check(moment: string) {
        await stack.pubsub.idle();
        const set = await registry(schema);
        expect.soft(await stack.record('reconcile', id), moment).toMatchObject({ state: 'succeeded' });
        expect
          .soft(await stack.record('grant-roles', `${id}-renewed`), moment)
          .toMatchObject({ state: 'succeeded' });
        expect.soft(await members(schema), moment).toEqual(['reader alice']);
        expect.soft(set.grants['reader:alice']?.value, moment).toMatchObject({ present: true, expiresAt });
        expect.soft(set.nextExpiry, moment).toEqual(expiresAt);
        expect.soft(isSettled(set), moment).toBe(true);
      },
    };
  }

  type Side = 'end' | 'renew';

  /** The points from the claim to the end of the record, of one side alone. */
  async function pointsOf(side: Side): Promise<Point[]> {
    const grant = await begin();
    const points: Point[] = [];
    const stop = watch(stack, (point) => {
      if (!point.call.includes("test's")) points.push(point);
    });
    await grant[side]();
    await grant[side === 'end' ? 'ended' : 'renewed']();
    await stack.pubsub.idle();
    stop();
    const names = points.map(nameOf);
    const from = names.indexOf('after Firestore: claim');
    return points
      .slice(from, names.indexOf('after Firestore: complete'))
      .filter(({ call }) => /grants|PostgreSQL: (BEGIN|COMMIT|SELECT pg_catalog)/.test(call));
  }

  const register = 'Firestore: read operations and grants and lock';
  const change = 'PostgreSQL: BEGIN';

  /** How far the other side can go while this one is held: it waits for the lock of the document, or of the schema. */
  function reach(points: readonly Point[], at: number): string[] {
    const open = (begin: string, end: string) => {
      const last = (call: string) =>
        points.findLastIndex((point, index) => index <= at && point.call === call && point.phase === 'after');
      return last(begin) > last(end);
    };
    if (open(register, 'Firestore: grants')) return [register];
    return open(change, 'PostgreSQL: COMMIT') ? [register, change] : [change, 'end'];
  }

  it.each([
    { first: 'end', second: 'renew', what: 'the renewal comes while reconcile is at it' },
    { first: 'renew', second: 'end', what: 'reconcile comes while the renewal is at it' },
  ] as const)(
    'is in registry and catalog alike: $what',
    async ({ first, second }) => {
      // By a process that is connected, and of a database that was compared.
      await pointsOf(first);
      const points = await pointsOf(first);
      expect(points.length).toBeGreaterThan(8);
      for (const [at, held] of points.entries()) {
        for (const goal of reach(points, at)) {
          const grant = await begin();
          const met = Promise.withResolvers<void>();
          const letGo = Promise.withResolvers<void>();
          const stop = watch(stack, (point) => {
            if (nameOf(point) !== nameOf(held)) return undefined;
            stop();
            met.resolve();
            return letGo.promise;
          });
          await grant[first]();
          await met.promise;
          const isThere = goal === 'end' ? undefined : hold(stack, goal);
          await grant[second]();
          const over = second === 'end' ? grant.ended() : grant.renewed();
          // Where it finds nothing to do it never comes there.
          await Promise.race([isThere?.met ?? over, over]);
          letGo.resolve();
          isThere?.letGo();
          await grant.check(`${first} held ${nameOf(held)}, until ${second} came to ${goal}`);
        }
      }
    },
    120_000,
  );

  it('is compared by nobody while it is being changed', async () => {
    const grant = await begin();
    const renewing = hold(stack, change);
    await grant.renew();
    await renewing.met;
    await stack.query('app', `REVOKE app__ending__reader FROM alice GRANTED BY ${await grantor()}`);

    await stack.send('reconcile', { instance: localInstance, all: true }, { id: 'comparing' });
    const compared = await stack.ended('reconcile', 'comparing');
    renewing.letGo();
    await stack.pubsub.idle();

    expect(compared.notes?.filter(({ message }) => message.includes('ending'))).toEqual([]);
    expect(await members(schema)).toEqual(['reader alice']);
  });

  async function grantor() {
    const [row] = await stack.query(
      'app',
      `SELECT grantor::regrole::text AS name FROM pg_auth_members
        WHERE roleid = 'app__ending__reader'::regrole AND member = 'alice'::regrole`,
    );
    return row?.['name'];
  }
});
