import pg from 'pg';
import { describe, expect, it, onTestFinished } from 'vitest';
import { localProject } from '../../local/stack.ts';
import { logsIn, type TestCredential } from '../support/secrets.ts';
import { permissivePolicy } from '../support/stack.ts';
import { hoursAgo, later, useSecrets } from './secrets.ts';

const [createSchemas, grantRoles, rotateSecrets] = permissivePolicy.rules;
const cloud = useSecrets(
  {
    policy: {
      rules: [
        createSchemas,
        grantRoles,
        rotateSecrets,
        { ...rotateSecrets, secrets: ['app-ending'], actions: ['endSessions'] },
      ],
    },
  },
  async ({ createSchema }) => createSchema('billing'),
);
const { create, done, planned, everything, query, verifiers } = cloud;

/** A session of an application that goes on with the credential it has. */
async function session({ username: user, password, host, port, database }: TestCredential) {
  const settings = { host, port, database, user, password, application_name: 'billing-api' };
  const client = new pg.Client(settings);
  const ended = new Promise<Error>((resolve) => client.on('error', resolve));
  onTestFinished(() => client.end().catch(() => undefined));
  await client.connect();
  const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
  return { client, ended, pid: (rows[0] as { pid: number }).pid };
}

const states = async (secret: string) =>
  (await cloud.secrets.versions(secret)).map(({ number, state }) => `${number} ${state}`);

const codes = (record: { notes?: readonly { code: string }[] }) =>
  (record.notes ?? []).map(({ code }) => code);

/** A secret that was rotated, and whose grace period is over. */
async function rotated(secret: string, more: object = {}) {
  await create(secret, more);
  const former = await cloud.secrets.credential(secret, 'current');
  await done({ secret });
  await cloud.secrets.set(secret, later);
  return former;
}

describe('retirement', () => {
  it('waits for the grace period, then for sessions, then takes it all away, and at last destroys it', async () => {
    const { secrets } = cloud;
    const retire = { secret: 'app-retired', action: 'retire' };
    await create('app-retired');
    const former = await secrets.credential('app-retired', 'current');
    expect(codes(await done(retire))).toEqual(['NOT_DUE_YET']);
    await done({ secret: 'app-retired' });
    expect(codes(await done(retire))).toEqual(['NOT_DUE_YET']);
    expect(await states('app-retired')).toEqual(['2 ENABLED', '1 ENABLED']);

    await secrets.set('app-retired', later);
    const { client, pid } = await session(former);
    const kept = await done(retire);
    expect(kept).toMatchObject({ partial: true, changes: [] });
    expect(kept.notes).toEqual([
      {
        code: 'SESSIONS_OPEN',
        message: expect.stringMatching(
          new RegExp(`^app-retired_a is still in use.*: ${pid} in app \\(billing-api, since 20.*Z\\)`),
        ),
      },
    ]);
    expect((await client.query('SELECT 1')).rowCount).toBe(1);
    expect(await states('app-retired')).toEqual(['2 ENABLED', '1 ENABLED']);
    expect(await logsIn(former)).toBe(true);
    expect(await secrets.record('app-retired')).toMatchObject({ previous: 1, retiredAt: null, open: null });

    await query(`SELECT pg_terminate_backend(${pid}, 10000)`);
    const before = await everything();
    const plan = await planned(retire);
    expect(await everything()).toEqual(before);
    const [verifier] = await verifiers('app-retired_a');
    expect(plan.changes).toEqual([expect.objectContaining({ name: 'app-retired/1', detail: 'disabled' })]);
    const first = await done(retire);
    expect(first.changes?.map(({ name, detail }) => [name, detail])).toEqual([
      ['app-retired/1', 'disabled'],
      ['app-retired_a', 'a password that nobody knows'],
    ]);
    expect(await states('app-retired')).toEqual(['2 ENABLED', '1 DISABLED']);
    expect(await logsIn(former)).toBe(false);
    expect(await verifiers('app-retired_a')).not.toEqual([verifier]);
    expect(await logsIn(await secrets.credential('app-retired', 'current'))).toBe(true);
    const name = `projects/${localProject}/secrets/app-retired`;
    expect((await secrets.client.getSecret({ name }))[0].versionAliases).toEqual({ current: '2' });

    expect(codes(await done(retire))).toEqual(['NOT_DUE_YET']);
    await secrets.set('app-retired', { retiredAt: hoursAgo(8 * 24) });
    const second = await done(retire);
    expect(second.changes).toEqual([expect.objectContaining({ name: 'app-retired/1', detail: 'destroyed' })]);
    expect(await states('app-retired')).toEqual(['2 ENABLED', '1 DESTROYED']);
    expect(codes(await done(retire))).toEqual(['NOT_DUE_YET']);
    expect(await secrets.record('app-retired')).toMatchObject({ previous: null, nextRetirement: null });

    await done({ secret: 'app-retired' });
    expect(await secrets.credential('app-retired', 'current')).toMatchObject({ username: 'app-retired_a' });
  });

  it('ends sessions where the policy says so', async () => {
    const former = await rotated('app-ending');
    const { ended, pid } = await session(former);
    const retired = await done({ secret: 'app-ending', action: 'retire' });
    expect(retired.changes).toContainEqual(
      expect.objectContaining({ kind: 'session', name: 'app', detail: `ended ${pid} (billing-api)` }),
    );
    expect(await ended).toMatchObject({ code: '57P01' });
    expect(await states('app-ending')).toEqual(['2 ENABLED', '1 DISABLED']);
  });

  it('is of values as of logins', async () => {
    const { secrets } = cloud;
    await done({ secret: 'value-key', action: 'create', kind: 'api-key' });
    await done({ secret: 'value-key' });
    expect(codes(await done({ secret: 'value-key', action: 'retire' }))).toEqual(['NOT_DUE_YET']);
    await secrets.set('value-key', later);
    await done({ secret: 'value-key', action: 'retire' });
    expect(await states('value-key')).toEqual(['2 ENABLED', '1 DISABLED']);
  });
});

describe('a verification', () => {
  it.each([
    { strategy: 'two-user', logins: ['app-two-user_a', 'app-two-user_b'] },
    { strategy: 'single-user', logins: ['app-single-user'] },
  ])(
    'finds what a restored database has forgotten, and gives it back: $strategy',
    async ({ strategy, logins }) => {
      const { secrets } = cloud;
      const secret = `app-${strategy}`;
      await rotated(secret, { strategy });
      const verify = { secret, action: 'verify' };
      const versions = logins.length;
      expect(await done(verify)).toMatchObject({
        changes: [],
        summary: { versions, working: versions, broken: 0 },
      });

      for (const login of logins) await query(`ALTER ROLE "${login}" PASSWORD 'of an older backup'`);
      const found = await done(verify);
      expect(await secrets.record(secret)).toMatchObject({
        last: { action: 'verify', code: 'VERSION_BROKEN' },
      });
      const before = await everything();
      expect(found.summary).toEqual({ versions, working: 0, broken: versions, mended: 0 });
      expect(codes(found)).toEqual([...logins.map(() => 'VERSION_BROKEN'), 'CURRENT_BROKEN']);
      await planned({ ...verify, repair: true });
      expect(await everything()).toEqual(before);

      const mended = await done({ ...verify, repair: true });
      expect(mended.summary).toEqual({ versions, working: 0, broken: versions, mended: versions });
      const credentials = [secrets.credential(secret, 'current')];
      if (strategy === 'two-user') credentials.push(secrets.credential(secret, 'previous'));
      for (const credential of await Promise.all(credentials)) expect(await logsIn(credential)).toBe(true);
      expect((await done(verify)).summary).toMatchObject({ working: versions, broken: 0 });
    },
  );
});

describe('a notification of Secret Manager', () => {
  const topics = [{ name: `projects/${localProject}/topics/rotate-secret` }];
  const hour = 3600;

  /** Resolves with the ids of messages to the function's topic, once there are some of a type. */
  async function listen() {
    const [subscription] = await cloud.stack.messaging.topic('rotate-secret').createSubscription('spy');
    onTestFinished(async () => {
      await subscription.close();
    });
    const seen: { type: string | undefined; id: string }[] = [];
    const waiting = new Set<() => void>();
    subscription.on('message', (message) => {
      seen.push({ type: message.attributes['eventType'], id: message.id });
      message.ack();
      for (const wake of waiting) wake();
    });
    return async (type: string, count = 1) => {
      const found = () => seen.filter((one) => one.type === type).map(({ id }) => id);
      while (found().length < count) {
        await new Promise<void>((resolve) => {
          waiting.add(resolve);
        });
      }
      return found();
    };
  }

  it('has a secret rotated that is due, once; the topic’s other events do nothing', async () => {
    const { secrets, stack } = cloud;
    const messagesOf = await listen();
    await secrets.client.createSecret({
      parent: `projects/${localProject}`,
      secretId: 'app-due',
      secret: {
        replication: { automatic: {} },
        topics,
        rotation: {
          nextRotationTime: { seconds: Math.floor(Date.now() / 1000) + hour },
          rotationPeriod: { seconds: 24 * hour },
        },
      },
    });
    await create('app-due');
    const [added = ''] = await messagesOf('SECRET_VERSION_ADD');
    expect(await states('app-due')).toEqual(['1 ENABLED']);

    stack.secretmanager?.advance(2 * hour);
    const [due = ''] = await messagesOf('SECRET_ROTATE');
    expect(await stack.ended('rotate-secret', due)).toMatchObject({
      state: 'succeeded',
      summary: { version: 2 },
    });
    expect(await logsIn(await secrets.credential('app-due', 'current'))).toBe(true);
    stack.secretmanager?.advance(24 * hour);
    const [, again = ''] = await messagesOf('SECRET_ROTATE', 2);
    const ended = await stack.ended('rotate-secret', again);
    expect(ended).toMatchObject({ state: 'succeeded', changes: [] });
    expect(codes(ended)).toEqual(['ROTATED_RECENTLY']);
    expect(await states('app-due')).toEqual(['2 ENABLED', '1 ENABLED']);

    // The subscription's filter keeps the others away from the function: it doesn't even say that it ignores them.
    expect(await stack.record('rotate-secret', added)).toBeUndefined();
    expect(stack.logs.get('rotate-secret')?.join()).not.toContain('event ignored');
  });

  it.each(['SECRET_VERSION_ADD', 'SECRET_UPDATE', 'SECRET_DELETE', 'TOPIC_CONFIGURED'])(
    'of the type %s is ignored also where the filter lets it through',
    async (eventType) => {
      const { stack } = cloud;
      const attributes = { eventType, secretId: `projects/1/secrets/app-due`, dataFormat: 'JSON_API_V1' };
      const message = { attributes, data: '', messageId: eventType, publishTime: new Date().toISOString() };
      const response = await fetch(
        `${stack.functions.get('rotate-secret')?.url}/projects/${localProject}/topics/rotate-secret`,
        {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ message, subscription: `projects/${localProject}/subscriptions/other` }),
        },
      );
      expect(response.status).toBe(204);
      expect(await stack.record('rotate-secret', eventType)).toBeUndefined();
    },
  );

  it('about a secret that the policy doesn’t name is refused', async () => {
    const { stack } = cloud;
    const attributes = { eventType: 'SECRET_ROTATE', secretId: 'projects/1/secrets/other' };
    const id = await stack.messaging
      .topic('rotate-secret')
      .publishMessage({ data: Buffer.from('{}'), attributes });
    const record = await stack.ended('rotate-secret', id);
    expect(record).toMatchObject({ state: 'failed', error: { code: 'NOT_ALLOWED' } });
  });
});

it('leaves no value anywhere else', () => cloud.leavesNoTrace());
