import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { GrpcError } from '../../local/grpc/server.ts';
import { localProject } from '../../local/stack.ts';
import { logsIn } from '../support/secrets.ts';
import { isAbout, later, useSecrets } from './secrets.ts';

/** Of the functions. */
const log = { onLine: (_line: string): unknown => undefined };

const cloud = useSecrets({ onLog: (_, line) => log.onLine(line) }, async ({ createSchema, query }) => {
  await createSchema('billing');
  await query('SET ROLE app__billing__owner; CREATE TABLE billing.invoices (id int)');
});
const { create, done, refused, planned, everything, query, verifiers, intercept } = cloud;

const nameOf = (secret: string) => `projects/${localProject}/secrets/${secret}`;

/** Whether the credentials of these versions log in. */
async function working(secret: string, ...versions: (number | string)[]): Promise<boolean[]> {
  return Promise.all(
    versions.map(async (version) => logsIn(await cloud.secrets.credential(secret, version))),
  );
}

/** States of versions, the newest first. */
const states = async (secret: string) =>
  (await cloud.secrets.versions(secret)).map(({ number, state }) => `${number} ${state}`);

/** Everything that a rotation changes. */
async function present(secret: string, ...logins: string[]) {
  const [{ etag, versionAliases } = {}] = await cloud.secrets.client.getSecret({ name: nameOf(secret) });
  return { etag, versionAliases, states: await states(secret), verifiers: await verifiers(...logins) };
}

describe('a rotation', () => {
  it('makes the other login the current one, and what was current goes on working', async () => {
    const { secrets } = cloud;
    await create('app-two', { probe: 'SELECT count(*) FROM billing.invoices' });
    const rotated = await done({ secret: 'app-two' });

    expect(rotated.summary).toEqual({ version: 2 });
    expect(rotated.changes?.map(({ kind, name, detail }) => [kind, name, detail])).toEqual([
      ['login', 'app-two_b', 'another password'],
      ['secret version', 'app-two/2', undefined],
      ['secret', 'app-two', 'current is version 2'],
    ]);
    expect(await secrets.credential('app-two', 'latest')).toMatchObject({ username: 'app-two_b' });
    expect(await secrets.value('app-two', 'current')).toBe(await secrets.value('app-two', 2));
    expect(await secrets.value('app-two', 'previous')).toBe(await secrets.value('app-two', 1));
    expect(await working('app-two', 'current', 'previous')).toEqual([true, true]);
    const record = await secrets.record('app-two');
    expect(record).toMatchObject({ current: 2, previous: 1, open: null, failures: 0 });
    expect(record?.history.map(({ action, version }) => [action, version])).toEqual([
      ['rotate', 2],
      ['create', 1],
    ]);
  });

  it('waits for the end of the grace period, but for one that is forced', async () => {
    const { secrets } = cloud;
    await create('app-grace');
    await done({ secret: 'app-grace' });
    const before = await present('app-grace', 'app-grace_a', 'app-grace_b');

    const { details } = await refused({ secret: 'app-grace' }, 'GRACE_PERIOD');
    expect(Date.parse(String(details['until']))).toBeGreaterThan(Date.now() + 23 * 3_600_000);
    const { notes, changes } = await done({ secret: 'app-grace', scheduled: true });
    expect([notes?.map(({ code }) => code), changes]).toEqual([['ROTATED_RECENTLY'], []]);
    expect(await present('app-grace', 'app-grace_a', 'app-grace_b')).toEqual(before);
    expect(await secrets.record('app-grace')).toMatchObject({ current: 2, open: null, failures: 0 });

    await done({ secret: 'app-grace', force: true });
    expect(await states('app-grace')).toEqual(['3 ENABLED', '2 ENABLED', '1 DISABLED']);
    expect(await working('app-grace', 'current', 'previous')).toEqual([true, true]);
    await secrets.set('app-grace', later);
    await done({ secret: 'app-grace' });
    expect(await states('app-grace')).toEqual(['4 ENABLED', '3 ENABLED', '2 DISABLED', '1 DISABLED']);
  });

  it('of one login changes its password and publishes it, and leaves one version', async () => {
    const { secrets } = cloud;
    await create('app-one', { strategy: 'single-user' });
    const first = await secrets.credential('app-one', 'current');
    const { summary } = await done({ secret: 'app-one' });

    expect(summary).toEqual({ version: 2, momentMs: expect.any(Number) });
    expect(summary?.['momentMs']).toBeGreaterThan(0);
    expect(await states('app-one')).toEqual(['2 ENABLED', '1 DISABLED']);
    expect(await secrets.credential('app-one', 'current')).toEqual({
      ...first,
      password: expect.not.stringMatching(first.password),
    });
    expect([await logsIn(first), ...(await working('app-one', 'current'))]).toEqual([false, true]);
    const [listed] = await secrets.client.listSecrets({ parent: `projects/${localProject}` });
    expect(listed.map(({ name }) => name?.split('/').at(-1))).not.toContain('app-one--pending');
    await refused({ secret: 'app-one' }, 'GRACE_PERIOD');
  });

  it('of one login that is broken off is finished with the password that was set', async () => {
    await create('app-broken', { strategy: 'single-user' });
    let set: unknown;
    intercept(async (call) => {
      if (set !== undefined || !isAbout(call, 'AddSecretVersion', 'app-broken')) return;
      [set] = await verifiers('app-broken');
      throw new GrpcError(status.UNAVAILABLE, 'gone for a moment');
    });
    await done({ secret: 'app-broken' });
    expect(await verifiers('app-broken')).toEqual([set]);
    expect(await states('app-broken')).toEqual(['2 ENABLED', '1 DISABLED']);
    expect(await working('app-broken', 'current')).toEqual([true]);
  });

  it.each([
    { kind: 'api-key', more: { prefix: 'acme_live' }, value: /^acme_live_[0-9A-Za-z]{43}$/ },
    { kind: 'random', more: {}, value: /^[\w-]{43}$/ },
  ])('of kind $kind adds a value, and the former one stays', async ({ kind, more, value }) => {
    const { secrets } = cloud;
    const secret = `value-${kind}`;
    await done({ secret, action: 'create', kind, ...more });
    const first = await secrets.value(secret, 'current');
    await done({ secret });
    const second = await secrets.value(secret, 'current');
    expect([first, second]).toEqual([expect.stringMatching(value), expect.stringMatching(value)]);
    expect(second).not.toBe(first);
    expect(await secrets.value(secret, 'previous')).toBe(first);
    await refused({ secret }, 'GRACE_PERIOD');
  });

  it('proves the new login before anybody is told of it', async () => {
    await create('app-proof');
    const before = await present('app-proof', 'app-proof_a');
    const unchanged = async () => expect(await present('app-proof', 'app-proof_a')).toEqual(before);

    await query(`GRANT SELECT ON billing.invoices TO "app-proof_b";
      ALTER ROLE "app-proof_b" IN DATABASE app SET search_path TO billing;
      GRANT app__billing__owner TO "app-proof_b"`);
    const { details } = await refused({ secret: 'app-proof' }, 'LOGINS_DIFFER');
    expect(details['differences']).toEqual([
      'only app-proof_b is a member of app__billing__owner',
      'only app-proof_b has the rights of app__billing__owner',
      'only app-proof_b may act as app__billing__owner',
      'only app-proof_b has the setting search_path=billing in app',
      'only app-proof_b SELECT on table billing.invoices',
    ]);
    await unchanged();
    await query(`REVOKE SELECT ON billing.invoices FROM "app-proof_b";
      ALTER ROLE "app-proof_b" IN DATABASE app RESET ALL;
      REVOKE app__billing__owner FROM "app-proof_b";
      DO $$ BEGIN EXECUTE (
        SELECT format('REVOKE app__billing__writer FROM "app-proof_b" GRANTED BY %s', grantor::regrole)
          FROM pg_auth_members WHERE member = '"app-proof_b"'::regrole); END $$`);
    await refused({ secret: 'app-proof' }, 'ROLE_MISSING');
    await unchanged();
    await create('app-proof');
    const probe = await refused({ secret: 'app-proof', probe: 'SELECT * FROM pg_authid' }, 'PROBE_FAILED');
    expect(probe.message).toMatch(/^app-proof_b can't run .*permission denied/);
    const writing = 'DELETE FROM billing.invoices';
    expect((await refused({ secret: 'app-proof', probe: writing }, 'PROBE_FAILED')).message).toContain(
      'read-only',
    );
    await unchanged();

    expect(await cloud.secrets.record('app-proof')).toMatchObject({ current: 1, failures: 2 });
    await done({ secret: 'app-proof' });
    expect(await working('app-proof', 'current', 'previous')).toEqual([true, true]);
  });

  it('publishes nothing while the new login can’t log in', async () => {
    const { secrets } = cloud;
    await create('app-locked');
    await query(`ALTER ROLE "app-locked_b" VALID UNTIL '2000-01-01'`);
    const failed = new Promise<void>((resolve) => {
      log.onLine = (line) => line.includes('PROOF_FAILED') && resolve();
    });
    const rotation = done({ secret: 'app-locked' });
    await failed;
    expect(await states('app-locked')).toEqual(['1 ENABLED']);
    await query(`ALTER ROLE "app-locked_b" VALID UNTIL 'infinity'`);
    await rotation;
    expect(await secrets.credential('app-locked', 'current')).toMatchObject({ username: 'app-locked_b' });
    expect(await working('app-locked', 'current', 'previous')).toEqual([true, true]);
  });

  it('plans without changing anything', async () => {
    await Promise.all([create('app-plan'), create('app-plan-one', { strategy: 'single-user' })]);
    const before = await everything();
    const plans = await Promise.all([planned({ secret: 'app-plan' }), planned({ secret: 'app-plan-one' })]);
    expect(plans.map(({ statements }) => statements)).toEqual([
      [`ALTER ROLE "app-plan_b" PASSWORD '<a SCRAM-SHA-256 verifier>'`],
      [`ALTER ROLE "app-plan-one" PASSWORD '<a SCRAM-SHA-256 verifier>'`],
    ]);
    expect(await everything()).toEqual(before);
  });
});

describe('at the same time', () => {
  /** Holds the next call of a method that is about a secret, until it is released. */
  function holdFirst(method: string, secret: string, phase?: 'before' | 'after') {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
    let isFirst = true;
    intercept((call) => {
      if (!isFirst || !isAbout(call, method, secret, phase)) return;
      isFirst = false;
      reach();
      return held;
    });
    return { reached, release };
  }

  it('one of two rotations wins, and the other tells of it', async () => {
    await create('app-race');
    const held = holdFirst('AddSecretVersion', 'app-race');
    const winner = done({ secret: 'app-race' });
    await held.reached;
    const { details } = await refused({ secret: 'app-race', force: true }, 'ROTATION_UNDER_WAY');
    expect(details).toMatchObject({ name: 'app-race', operation: expect.any(String) });
    held.release();
    await winner;
    expect(await states('app-race')).toEqual(['2 ENABLED', '1 ENABLED']);
    expect(await working('app-race', 1, 2)).toEqual([true, true]);
  });

  it('a rotation looks again at what another one did before it began', async () => {
    await create('app-late');
    const held = holdFirst('GetSecret', 'app-late', 'after');
    const late = done({ secret: 'app-late', force: true });
    await held.reached;
    await done({ secret: 'app-late' });
    held.release();
    await late;
    expect(await states('app-late')).toEqual(['3 ENABLED', '2 ENABLED', '1 DISABLED']);
    expect(await working('app-late', 'current', 'previous')).toEqual([true, true]);
  });

  it('a schedule that asks twice has one rotation, and no failure', async () => {
    const { secrets } = cloud;
    await create('app-trigger');
    const held = holdFirst('AddSecretVersion', 'app-trigger');
    const winner = done({ secret: 'app-trigger', scheduled: true });
    await held.reached;
    const twice = Promise.withResolvers<void>();
    let looks = 0;
    intercept((call) => {
      // Each delivery of the other one looks once, and finds the first one under way.
      if (isAbout(call, 'GetSecret', 'app-trigger')) looks += 1;
      if (looks === 2) twice.resolve();
    });
    const second = done({ secret: 'app-trigger', scheduled: true });
    await twice.promise;
    held.release();
    await winner;
    expect((await second).notes?.map(({ code }) => code)).toEqual(['ROTATED_RECENTLY']);
    expect(await secrets.record('app-trigger')).toMatchObject({ current: 2, failures: 0, open: null });
  });

  it('a rotation goes on from what somebody changed by hand', async () => {
    const { secrets } = cloud;
    await create('app-etag');
    let raced = 0;
    intercept(async (call) => {
      if (!isAbout(call, 'UpdateSecret', 'app-etag') || raced > 0) return;
      raced += 1;
      await secrets.client.updateSecret({
        secret: { name: nameOf('app-etag'), versionAliases: { current: 1, release: 1 } },
        updateMask: { paths: ['version_aliases'] },
      });
    });
    // In one attempt: it didn't come again.
    expect(await done({ secret: 'app-etag' })).toMatchObject({ epoch: 1 });
    expect(raced).toBe(1);
    const [{ versionAliases }] = await secrets.client.getSecret({ name: nameOf('app-etag') });
    expect(versionAliases).toEqual({ current: '2', previous: '1', release: '1' });
    expect(await states('app-etag')).toEqual(['2 ENABLED', '1 ENABLED']);
    expect(await working('app-etag', 1, 2)).toEqual([true, true]);
  });

  it('a write quota that is used up holds a rotation up, and no more', async () => {
    await create('app-quota');
    const refusals: string[] = [];
    intercept((call) => {
      const isWrite = ['AddSecretVersion', 'UpdateSecret'].some((method) =>
        isAbout(call, method, 'app-quota'),
      );
      if (!isWrite || refusals.filter((method) => method === call.method).length === 2) return;
      refusals.push(call.method);
      throw new GrpcError(status.RESOURCE_EXHAUSTED, 'Quota exceeded');
    });
    expect(await done({ secret: 'app-quota' })).toMatchObject({ epoch: 1 });
    expect(refusals).toHaveLength(4);
    expect(await states('app-quota')).toEqual(['2 ENABLED', '1 ENABLED']);
    expect(await working('app-quota', 'current', 'previous')).toEqual([true, true]);
  });
});

it('leaves no value anywhere else', () => cloud.leavesNoTrace());
