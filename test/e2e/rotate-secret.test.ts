import { describe, expect, it } from 'vitest';
import { localInstance } from '../../local/stack.ts';
import { run } from '../support/postgres.ts';
import { connectedAs, logsIn } from '../support/secrets.ts';
import { secretFunctions, target } from '../support/stack.ts';
import { membersOf, presentIn, registryOf } from './members.ts';
import { creation, later, useSecrets } from './secrets.ts';

const cloud = useSecrets(
  { databases: { open: ['app', 'strict'] }, only: [...secretFunctions, 'grant-roles'] },
  async ({ createSchema, query, stack }) => {
    await Promise.all([createSchema('billing'), createSchema('lean', { levels: ['reader'] })]);
    await query('SET ROLE app__billing__owner; CREATE TABLE billing.invoices (id int)');
    const auditor = { name: 'auditor', version: 1, privileges: { tables: ['SELECT'] } };
    const define = {
      target: target('app'),
      schema: 'billing',
      mode: 'add',
      customRoles: [auditor],
      grants: [],
    };
    await stack.send('grant-roles', define, { id: 'auditor' });
    expect(await stack.ended('grant-roles', 'auditor')).toMatchObject({ state: 'succeeded' });
  },
);
const { create, done, refused, planned, everything, query, verifiers } = cloud;

const adoption = (secret: string, more: object = {}) => creation(secret, { action: 'adopt', ...more });

/** A login as an application's owner made it by hand, and the secret that it had. */
async function legacy(secret: string, login: string, more: object = {}, rights = '') {
  const { stack, secrets } = cloud;
  const password = `by hand, of ${login}`;
  await run(stack.cluster.adminUrl('app'), `CREATE ROLE ${login} LOGIN PASSWORD '${password}'; ${rights}`);
  const value = { host: '127.0.0.1', port: stack.cluster.port, database: 'app', username: login, password };
  await secrets.create(secret, JSON.stringify({ ...value, ...more }));
}

/** Hands a login over, as `LOGIN_OUT_OF_REACH` says. */
async function handOver(secret: string) {
  const { details } = await refused(adoption(secret), 'LOGIN_OUT_OF_REACH');
  await run(cloud.stack.cluster.adminUrl('app'), ...(details['statements'] as string[]));
}

describe('create', () => {
  it('makes a secret, its logins and the first credential, once', async () => {
    const { secrets, stack } = cloud;
    const created = await create('app-once');

    expect(created.changes).toContainEqual({ action: 'create', kind: 'secret', name: 'app-once' });
    const credential = await secrets.credential('app-once', 'current');
    expect(credential).toEqual({
      engine: 'postgres',
      instance: localInstance,
      host: '127.0.0.1',
      port: stack.cluster.port,
      database: 'app',
      username: 'app-once_a',
      password: expect.stringMatching(/^[\w-]{43}$/),
    });
    await connectedAs(credential, (client) => client.query('INSERT INTO billing.invoices VALUES (1)'));
    const [used, unused] = await verifiers('app-once_a', 'app-once_b');
    expect([used, unused]).toEqual([expect.stringMatching(/^SCRAM-SHA-256\$/), null]);
    const logins = ['writer app-once_a', 'writer app-once_b'];
    expect(await membersOf(stack, 'app', 'billing')).toEqual(expect.arrayContaining(logins));
    expect(presentIn(await registryOf(stack, 'app', 'billing'))).toEqual(expect.arrayContaining(logins));
    expect(await secrets.record('app-once')).toMatchObject({
      current: 1,
      logins: ['app-once_a', 'app-once_b'],
      graceMinutes: 1440,
      policy: { everyDays: 90, jitterDays: 9 },
      open: null,
    });

    const before = await everything();
    const again = await create('app-once');
    const after = await everything();
    expect(again.changes).toEqual([]);
    expect(after.secrets).toEqual(before.secrets);
    expect(after.catalog).toEqual(before.catalog);
    await refused(creation('app-once', { level: 'reader' }), 'SECRET_MISMATCH');
  });

  it('takes an empty secret that Terraform made, and leaves what it said of it', async () => {
    const { secrets, stack } = cloud;
    const parent = `projects/${stack.environment['GOOGLE_CLOUD_PROJECT']}`;
    const labels = { team: 'billing' };
    const secret = { replication: { automatic: {} }, labels };
    await secrets.client.createSecret({ parent, secretId: 'app-empty', secret });

    await create('app-empty', {
      strategy: 'single-user',
      grace: '90m',
      policy: { everyDays: 30, jitterDays: 0 },
    });

    const [made] = await secrets.client.getSecret({ name: `${parent}/secrets/app-empty` });
    expect(made.labels).toEqual({ ...labels, 'managed-by': 'drover' });
    expect(await logsIn(await secrets.credential('app-empty', 'current'))).toBe(true);
    const record = await secrets.record('app-empty');
    expect(record).toMatchObject({ logins: ['app-empty'], graceMinutes: 90 });
    const { nextRotation, rotatedAt } = record ?? {};
    expect(Number(nextRotation) - Number(rotatedAt)).toBe(30 * 86_400_000);
  });

  it('lets an owner’s sessions act as the group, so that each login has what the other made', async () => {
    const { secrets } = cloud;
    await create('app-owner', { level: 'owner' });
    const first = await secrets.credential('app-owner', 'current');
    await connectedAs(first, (client) => client.query('CREATE TABLE billing.made (id int)'));
    expect(await query(`SELECT tableowner FROM pg_tables WHERE tablename = 'made'`)).toEqual([
      { tableowner: 'app__billing__owner' },
    ]);

    await done({ secret: 'app-owner' });
    const second = await secrets.credential('app-owner', 'current');
    expect(second.username).toBe('app-owner_b');
    await connectedAs(second, (client) => client.query('ALTER TABLE billing.made ADD COLUMN more int'));
    await connectedAs(first, (client) => client.query('DROP TABLE billing.made'));
  });

  it.each([
    {
      what: 'the database’s monitor',
      more: { schema: undefined, level: 'monitor' },
      schema: null,
      role: 'monitor',
    },
    {
      what: 'a custom role',
      more: { level: undefined, customRole: 'auditor' },
      schema: 'billing',
      role: 'auditor',
    },
  ])('gives the logins $what', async ({ more, schema, role }) => {
    const { secrets, stack } = cloud;
    const secret = `app-${role}`;
    await create(secret, more);
    expect(await membersOf(stack, 'app', schema)).toEqual(
      expect.arrayContaining([`${role} ${secret}_a`, `${role} ${secret}_b`]),
    );
    expect(await logsIn(await secrets.credential(secret, 'current'))).toBe(true);
  });

  it('refuses what can’t be, and has changed nothing by then', async () => {
    const { secrets } = cloud;
    await secrets.create('app-foreign', 'somebody’s');
    const before = await everything();
    const place = async (message: object, code: string) => {
      const { details } = await refused(message, code);
      return details['place'] ?? (details['problems'] as { path: string }[] | undefined)?.[0]?.path;
    };

    const places = await Promise.all([
      place(creation('app-no', { schema: 'nowhere' }), 'SCHEMA_NOT_MANAGED'),
      place(creation('app-no-level', { schema: 'lean' }), 'LEVEL_NOT_FOUND'),
      place(creation('app-no-role', { level: undefined, customRole: 'nobodys' }), 'LEVEL_NOT_FOUND'),
      place(creation('app-no-such', { level: 'superuser' }), 'INVALID_MESSAGE'),
      place(creation('app-no-kind', { kind: undefined }), 'INVALID_MESSAGE'),
      place(creation('app-no-target', { target: undefined }), 'INVALID_MESSAGE'),
      place({ secret: 'no/secret' }, 'INVALID_MESSAGE'),
    ]);
    expect(places).toEqual([
      'data.schema',
      'data.level',
      'data.customRole',
      'data.level',
      'data.kind',
      'data.target',
      'data.secret',
    ]);
    await refused(creation('app-foreign'), 'SECRET_EXISTS');
    // The policy names neither.
    await refused(creation('other'), 'NOT_ALLOWED');
    await refused(creation('app-strict', { target: target('strict') }), 'NOT_ALLOWED');

    expect(await everything()).toEqual(before);
  });

  it('plans without changing anything', async () => {
    await legacy('app-plan-old', 'plan_old');
    await handOver('app-plan-old');
    const before = await everything();

    const plan = await planned(creation('app-plan'));
    expect(plan.changes?.map(({ kind, name }) => `${kind} ${name}`)).toEqual(
      expect.arrayContaining([
        'login app-plan_a',
        'login app-plan_b',
        'secret app-plan',
        'secret version app-plan',
      ]),
    );
    expect(plan.statements).toContain('CREATE ROLE "app-plan_a" LOGIN');
    expect((await planned(adoption('app-plan-old'))).statements).toContain('CREATE ROLE "plan_old_b" LOGIN');

    expect(await everything()).toEqual(before);
  });
});

describe('adopt', () => {
  it('takes over a login that somebody made, and its secret; then it is rotated like any other', async () => {
    const { secrets } = cloud;
    await legacy('app-legacy', 'legacy_a', { pool: 5 });
    const before = await everything();
    const { details } = await refused(adoption('app-legacy'), 'LOGIN_OUT_OF_REACH');
    expect(details['statements']).toEqual([
      expect.stringMatching(/^GRANT "?legacy_a"? TO "?drover_admin_\d\d"? WITH ADMIN OPTION$/),
    ]);
    expect(await everything()).toEqual(before);
    await run(cloud.stack.cluster.adminUrl('app'), ...(details['statements'] as string[]));

    await done(adoption('app-legacy'));
    const adopted = await secrets.credential('app-legacy', 'current');
    expect(adopted).toEqual(await secrets.credential('app-legacy', 1));
    expect(await logsIn(adopted)).toBe(true);
    await done({ secret: 'app-legacy' });
    const rotated = await secrets.credential('app-legacy', 'current');
    expect(rotated).toMatchObject({ username: 'legacy_b', pool: 5, port: cloud.stack.cluster.port });
    expect(await Promise.all([adopted, rotated].map(logsIn))).toEqual([true, true]);

    await secrets.set('app-legacy', later);
    await done({ secret: 'app-legacy', action: 'retire' });
    await done({ secret: 'app-legacy' });
    expect(await secrets.credential('app-legacy', 'current')).toMatchObject({
      username: 'legacy_a',
      pool: 5,
    });
  });

  it('tells what the login may do that its twin may not', async () => {
    const { secrets } = cloud;
    await legacy('app-bare', 'bare');
    await query('GRANT SELECT ON billing.invoices TO bare; ALTER ROLE bare SET work_mem = 4096');
    await handOver('app-bare');
    const { details } = await refused(adoption('app-bare', { twin: 'barely' }), 'LOGINS_DIFFER');
    expect(details['differences']).toEqual([
      'only bare has the setting work_mem=4096',
      'only bare SELECT on table billing.invoices',
    ]);
    const [unmarked] = await secrets.client.getSecret({
      name: `projects/${cloud.stack.environment['GOOGLE_CLOUD_PROJECT']}/secrets/app-bare`,
    });
    expect(unmarked.labels).toEqual({});

    await query('REVOKE SELECT ON billing.invoices FROM bare; ALTER ROLE barely SET work_mem = 4096');
    await done(adoption('app-bare', { twin: 'barely' }));
    await done({ secret: 'app-bare' });
    expect(await secrets.credential('app-bare', 'current')).toMatchObject({ username: 'barely' });
  });

  it('refuses a secret that a rotation would break, and leaves its login alone', async () => {
    const { secrets } = cloud;
    await legacy('app-wrong', 'wrong', { password: 'an older one' });
    await legacy('app-twice', 'twice', { url: 'postgresql://twice:by hand, of twice@db/app' });
    await create('app-owned');
    const owned = await secrets.value('app-owned', 'current');
    await secrets.create('app-thief', owned);
    const superior = { username: 'postgres', password: 'drover-local', database: 'app' };
    await secrets.create('app-superior', JSON.stringify(superior));
    await secrets.create('app-rubbish', 'not a credential');
    await secrets.create('app-nothing');
    await query(`GRANT wrong TO drover_admin_00 WITH ADMIN OPTION`);
    const before = await everything();

    const wrong = await refused(adoption('app-wrong'), 'SECRET_UNREADABLE');
    expect(wrong.message).toContain('names the login wrong, which refuses its password');
    const twice = await refused(adoption('app-twice'), 'SECRET_UNREADABLE');
    expect(twice.message).toContain('has the password in url too');
    const thief = await refused(adoption('app-thief'), 'LOGIN_NOT_MANAGED');
    expect(thief.details).toMatchObject({ login: 'app-owned_a', belongsTo: 'app-owned' });
    await refused(adoption('app-superior'), 'PRINCIPAL_NOT_ALLOWED');
    await refused(adoption('app-superior', { level: undefined, schema: undefined }), 'LOGIN_NOT_ALLOWED');
    const rubbish = await refused(adoption('app-rubbish'), 'SECRET_UNREADABLE');
    expect(rubbish.details).toMatchObject({ place: 'versions/1' });
    const nothing = await refused(adoption('app-nothing', { level: undefined }), 'INVALID_MESSAGE');
    expect(nothing.details).toMatchObject({ problems: [{ path: 'data.level' }] });
    await refused(adoption('app-missing'), 'SECRET_NOT_FOUND');

    expect(await everything()).toEqual(before);
  });

  it('takes over a key, which stays the current one until the first rotation', async () => {
    const { secrets } = cloud;
    await secrets.create('value-key', 'a key by hand');
    await done({ secret: 'value-key', action: 'adopt', kind: 'api-key', prefix: 'acme' });
    expect(await secrets.value('value-key', 'current')).toBe('a key by hand');
    await done({ secret: 'value-key' });
    expect(await secrets.value('value-key', 'current')).toMatch(/^acme_[0-9A-Za-z]{43}$/);
    expect(await secrets.value('value-key', 'previous')).toBe('a key by hand');
  });
});

it('leaves no value anywhere else', () => cloud.leavesNoTrace());
