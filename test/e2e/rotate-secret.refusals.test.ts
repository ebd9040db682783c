import { describe, expect, it } from 'vitest';
import { localProject } from '../../local/stack.ts';
import { hash } from '../../shared/operation/canonical.ts';
import { connectedAs, logsIn } from '../support/secrets.ts';
import { creation, later, useSecrets } from './secrets.ts';

/** What PostgreSQL logs. */
const log = { lines: [] as string[], onLine: () => undefined as undefined };

const onDatabaseLog = (line: string) => {
  log.lines.push(line);
  log.onLine();
};

const cloud = useSecrets({ onDatabaseLog }, async ({ createSchema, create }) => {
  await createSchema('billing');
  await create('app-victim');
});
const { create, done, refused, query, verifiers } = cloud;

const nameOf = (secret: string) => `projects/${localProject}/secrets/${secret}`;

const states = async (secret: string) =>
  (await cloud.secrets.versions(secret)).map(({ number, state }) => `${number} ${state}`);

type Fields = Parameters<typeof cloud.secrets.client.updateSecret>[0]['secret'];

/** Changes a secret as people do in the console. */
async function update(secret: string, fields: NonNullable<Fields>, path: string) {
  const request = { secret: { name: nameOf(secret), ...fields }, updateMask: { paths: [path] } };
  await cloud.secrets.client.updateSecret(request);
}

/** Has a secret say something else of itself. */
async function claim(secret: string, fields: object) {
  const [{ annotations }] = await cloud.secrets.client.getSecret({ name: nameOf(secret) });
  const managed = { ...JSON.parse(annotations?.['drover.managed'] ?? ''), ...fields };
  const changed = { ...annotations, 'drover.managed': JSON.stringify(managed) };
  await update(secret, { annotations: changed }, 'annotations');
}

describe('a rotation is refused', () => {
  it('where the secret names somebody else’s login, and that one keeps its password', async () => {
    const { secrets } = cloud;
    await create('app-deputy');
    const own = await secrets.credential('app-deputy', 'current');
    const others = await verifiers('postgres', 'app-victim_a', 'app-victim_b');
    const rotate = { secret: 'app-deputy', force: true };

    for (const username of ['app-victim_a', 'postgres']) {
      const number = await secrets.add('app-deputy', JSON.stringify({ ...own, username }));
      await update('app-deputy', { versionAliases: { current: number } }, 'version_aliases');
      const error = await refused(rotate, 'SECRET_UNREADABLE');
      expect(error.details).toMatchObject({ place: `versions/${number}` });
      expect(error.message).toContain(`names the login "${username}"`);
      await done({ secret: 'app-deputy', action: 'verify', repair: true });
      expect((await states('app-deputy')).slice(1, 2)).toEqual([`${number} DISABLED`]);
    }
    await claim('app-deputy', { logins: ['app-deputy_a', 'app-victim_a'] });
    const { details } = await refused(rotate, 'LOGIN_NOT_MANAGED');
    expect(details).toMatchObject({ login: 'app-victim_a', belongsTo: 'app-victim' });
    await claim('app-deputy', { logins: ['app-deputy_a', 'postgres'] });
    await refused(rotate, 'LOGIN_NOT_ALLOWED');

    expect(await verifiers('postgres', 'app-victim_a', 'app-victim_b')).toEqual(others);
    await claim('app-deputy', { logins: ['app-deputy_a', 'app-deputy_b'] });
    await done(rotate);
  });

  it.each([
    { what: 'no JSON', value: 'edited by hand: hunter2', problem: 'is not JSON' },
    {
      what: 'no credential',
      value: JSON.stringify({ username: 'app-edited_b', token: 'hunter3 in JSON' }),
      problem: 'is not a credential (password: ',
    },
  ])('where a version is $what, until that is mended', async ({ value, problem }) => {
    const { secrets } = cloud;
    await create('app-edited');
    const number = await secrets.add('app-edited', value);
    const { message, details } = await refused({ secret: 'app-edited', force: true }, 'SECRET_UNREADABLE');
    expect(details).toMatchObject({ place: `versions/${number}` });
    expect(message).toContain(`Version ${number} of the secret app-edited ${problem}`);

    const verify = { secret: 'app-edited', action: 'verify' };
    const found = await done(verify);
    expect(found.notes).toEqual([{ code: 'VERSION_BROKEN', message: expect.stringContaining(problem) }]);
    const mended = await done({ ...verify, repair: true });
    expect(mended.changes?.map(({ name, detail }) => [name, detail])).toEqual([
      [`app-edited/${number + 1}`, undefined],
      [`app-edited/${number}`, 'disabled'],
    ]);
    // Who reads `latest` gets something that works again.
    expect(await secrets.value('app-edited', 'latest')).toBe(await secrets.value('app-edited', 'current'));
    expect((await done(verify)).summary).toMatchObject({ broken: 0 });
    await done({ secret: 'app-edited', force: true });
    expect(await logsIn(await secrets.credential('app-edited', 'latest'))).toBe(true);
  });

  it('where there is no room for two aliases', async () => {
    const { secrets } = cloud;
    await create('app-aliases');
    const own = Object.fromEntries(Array.from({ length: 49 }, (_, n) => [`release-${n}`, 1]));
    await update('app-aliases', { versionAliases: { ...own, current: 1 } }, 'version_aliases');
    const before = [
      await secrets.client.getSecret({ name: nameOf('app-aliases') }),
      await verifiers('app-aliases_b'),
    ];
    await refused({ secret: 'app-aliases' }, 'TOO_MANY_ALIASES');
    await refused(creation('app-aliases'), 'TOO_MANY_ALIASES');
    expect([
      await secrets.client.getSecret({ name: nameOf('app-aliases') }),
      await verifiers('app-aliases_b'),
    ]).toEqual(before);
    const { 'release-7': _, ...rest } = own;
    await update('app-aliases', { versionAliases: { ...rest, current: 1 } }, 'version_aliases');
    await done({ secret: 'app-aliases' });
    const [{ versionAliases }] = await secrets.client.getSecret({ name: nameOf('app-aliases') });
    expect(versionAliases).toMatchObject({ 'release-0': '1', current: '2', previous: '1' });
  });

  it('where the secret isn’t Drover’s, or not any more', async () => {
    const { secrets } = cloud;
    await secrets.create('app-foreign', 'somebody’s own');
    await create('app-disowned');
    await update('app-disowned', { labels: {} }, 'labels');
    for (const action of ['rotate', 'retire', 'verify']) {
      await refused({ secret: 'app-foreign', action }, 'SECRET_NOT_MANAGED');
      await refused({ secret: 'app-missing', action }, 'SECRET_NOT_FOUND');
      await refused({ secret: 'app-disowned', action }, 'SECRET_NOT_MANAGED');
    }
    expect(await states('app-foreign')).toEqual(['1 ENABLED']);
    await done(creation('app-disowned', { action: 'adopt' }));
    await done({ secret: 'app-disowned' });
  });

  it('where the secret says of itself that it is where the policy lets nothing be changed', async () => {
    await create('app-moved');
    await claim('app-moved', { database: 'strict' });
    for (const action of ['rotate', 'retire', 'verify', 'adopt'])
      await refused({ secret: 'app-moved', action }, 'NOT_ALLOWED');
  });

  it('where the login that is its turn is in use, unless it is forced', async () => {
    const { secrets } = cloud;
    await create('app-busy');
    const first = await secrets.credential('app-busy', 'current');
    await done({ secret: 'app-busy' });
    await secrets.set('app-busy', later);
    await connectedAs(first, async (client) => {
      const { message } = await refused({ secret: 'app-busy' }, 'LOGIN_IN_USE');
      expect(message).toContain('(billing-api');
      expect(await logsIn(await secrets.credential('app-busy', 'current'))).toBe(true);
      await done({ secret: 'app-busy', force: true });
      expect((await client.query('SELECT 1')).rowCount).toBe(1);
    });
    expect(await secrets.credential('app-busy', 'current')).toMatchObject({ username: 'app-busy_a' });
  });

  it('where a login was dropped, until the secret is created again', async () => {
    await create('app-dropped');
    await query('DROP ROLE "app-dropped_b"');
    await refused({ secret: 'app-dropped' }, 'LOGIN_NOT_FOUND');
    await create('app-dropped');
    await done({ secret: 'app-dropped' });
    expect(await logsIn(await cloud.secrets.credential('app-dropped', 'current'))).toBe(true);
  });
});

it('a registry that was lost is made of what the secrets say of themselves', async () => {
  const { secrets, stack } = cloud;
  await create('app-lost', { policy: { everyDays: 30, jitterDays: 0 } });
  await done({ secret: 'app-lost' });
  await done({ secret: 'app-lost', force: true });
  const { last: _, history: __, ...known } = (await secrets.record('app-lost')) ?? {};
  const lose = () => stack.db.collection('secrets').doc(hash('app-lost').slice(0, 40)).delete();

  await lose();
  await refused({ secret: 'app-lost' }, 'GRACE_PERIOD');
  await lose();
  await done({ secret: 'app-lost', force: true });
  expect(await secrets.record('app-lost')).toMatchObject({
    ...known,
    // The login tells that there was a second attempt.
    epoch: 3,
    current: 4,
    previous: 3,
    rotatedAt: expect.any(Date),
    nextRotation: expect.any(Date),
    nextRetirement: expect.any(Date),
  });
  expect(await logsIn(await secrets.credential('app-lost', 'current'))).toBe(true);
});

it('PostgreSQL is told no password that it could log', async () => {
  const { secrets } = cloud;
  const strategies = ['two-user', 'single-user'];
  await query(`ALTER SYSTEM SET log_statement = 'all'`);
  await query('SELECT pg_reload_conf()');
  await Promise.all(strategies.map((strategy) => create(`app-log-${strategy}`, { strategy })));
  await Promise.all(strategies.map((strategy) => done({ secret: `app-log-${strategy}` })));
  await secrets.set('app-log-two-user', later);
  await done({ secret: 'app-log-two-user', action: 'retire' });
  await query(`SELECT 'the end of what is looked at'`);
  await query('ALTER SYSTEM RESET log_statement');
  await query('SELECT pg_reload_conf()');
  await new Promise<void>((resolve) => {
    log.onLine = () => {
      if (log.lines.some((line) => line.includes('the end of what is looked at'))) resolve();
      return undefined;
    };
    log.onLine();
  });

  const logged = log.lines.join('\n');
  for (const login of ['app-log-two-user_a', 'app-log-two-user_b', 'app-log-single-user'])
    expect(logged).toContain(`ALTER ROLE "${login}" PASSWORD 'SCRAM-SHA-256$4096:`);
  const found = [...cloud.values].filter((value) => logged.includes(value));
  expect(found).toEqual([]);
});

it('leaves no value anywhere else', () => cloud.leavesNoTrace());
