import { describe, expect, test } from 'vitest';
import { confirmationOf } from '../../shared/registry/tenants/store.ts';
import { cells, droverHere, droverInCloud, facts, useCloud } from './fixture.ts';
import {
  instance,
  removed,
  seed,
  seedSteps,
  seedUsage,
  stepRecord,
  tenantRecord,
  tenantsFunction,
} from './tenants-fixture.ts';

const cloud = useCloud([tenantsFunction]);
const tenants = (...args: string[]) => droverInCloud('tenants', ...args);

describe('drover tenants show', () => {
  test('shows what it has and where, what its plan allows, what is under way and what failed', async () => {
    const record = tenantRecord({
      tenant: 'shown',
      state: 'bootstrapping',
      displayName: 'Shown\u001b[2J',
      limits: { ...tenantRecord().limits, tableExpiryDays: 30 },
      features: { ...tenantRecord().features, opaqueNames: true },
      region: 'EU',
      readers: ['a@acme.com', 'group:b@acme.com'],
      holder: 'b'.repeat(40),
      failure: { code: 'GOOGLE_UNAVAILABLE', message: "PASSWORD 'hunter2'", step: 'dataset' },
      restored: removed.archive,
    });
    await seed(cloud, record);
    const { code, stdout, stderr } = await tenants('show', 'shown');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(facts(stdout)).toEqual({
      '': '',
      shown: 'bootstrapping',
      name: 'Shown\\x1b[2J',
      contact: 'ops@acme.com',
      plan: 'STARTER',
      limits:
        '10 connections for each login; statements 60 s by default; operations 100 a minute, 6 a day, 3 at a time; tables expire after 30 d',
      entitlements: 'providers 3, teamMembers 2',
      where: `${instance}/app.tenant_shown`,
      isolation: 'schema, opaque names',
      logins: 'tenant_shown_a, tenant_shown_b (owner)',
      credential: 'tenant-shown-database',
      'API key': 'tenant-shown-api-key (read, write)',
      dataset: 'tenant_shown in EU, read by a@acme.com, group:b@acme.com',
      storage: 'gs://tenants/tenants/shown/',
      created: '2026-03-01 08:00:01Z',
      changed: `2026-03-01 08:00:09Z: drover operations ${'a'.repeat(40)}`,
      'under way': `drover operations ${'b'.repeat(40)}`,
      failure: "dataset: GOOGLE_UNAVAILABLE: PASSWORD '[redacted]'",
      'restored from': removed.archive,
      'to remove it': `drover tenants remove shown --confirm ${confirmationOf(record)}`,
    });
  });

  test('has no line for what there is not', async () => {
    const { place, limits } = tenantRecord({ tenant: 'plain' });
    await seed(cloud, {
      tenant: 'plain',
      limits: { ...limits, entitlements: {} },
      place: { ...place, apiKeySecret: null, dataset: null, storage: null },
    });
    const { stdout } = await tenants('show', 'plain');
    expect(Object.keys(facts(stdout))).toEqual([
      ...['plain', 'name', 'contact', 'plan', 'limits', 'where', 'isolation', 'logins', 'credential'],
      ...['created', 'changed', 'to remove it', ''],
    ]);
  });

  test('offers to restore what was archived, and to remove only what is there', async () => {
    await seed(
      cloud,
      { tenant: 'archived', ...removed },
      { tenant: 'deleted', ...removed, archive: null },
      { tenant: 'unmade', state: 'failed' },
      { tenant: 'halted', state: 'removing' },
    );
    const show = async (id: string) => facts((await tenants('show', id)).stdout);
    const archived = await show('archived');
    expect(archived).toMatchObject({
      archived: 'removed',
      removed: '2026-03-05 10:00:00Z',
      archive: removed.archive,
      'to restore it': 'drover tenants restore archived',
    });
    expect(archived).not.toHaveProperty('to remove it');
    expect(Object.keys(await show('deleted'))).not.toContain('to restore it');
    expect(Object.keys(await show('unmade'))).not.toContain('to remove it');
    expect(Object.keys(await show('halted'))).toContain('to remove it');
  });

  test('shows what it has used today and in the last minute, and of another day nothing', async () => {
    await seed(cloud, { tenant: 'busy' }, { tenant: 'idle' });
    const day = new Date().toISOString().slice(0, 10);
    const second = Math.floor(Date.now() / 1000);
    const recent = [
      { second: second - 90, count: 4 },
      { second: second - 1, count: 1 },
      { second, count: 2 },
    ];
    await seedUsage(cloud, { tenant: 'busy', day, today: 5, recent });
    await seedUsage(cloud, { tenant: 'idle', day: '2026-03-01', today: 6, recent: [] });
    const used = async (id: string) => facts((await tenants('show', id)).stdout)['used'];
    expect(await used('busy')).toBe('5 of 6 operations today, 3 in the last minute');
    expect(await used('idle')).toBe('0 of 6 operations today, 0 in the last minute');
    const { usage } = JSON.parse((await tenants('show', 'busy', '--json')).stdout) as { usage: unknown };
    expect(usage).toEqual({ day, today: 5, recent: recent.slice(1) });
  });

  test('as JSON it is the record, times in UTC, and no confirmation', async () => {
    await seed(cloud, { tenant: 'shown_json' });
    const { stdout } = await tenants('show', 'shown_json', '--json');
    expect(JSON.parse(stdout)).toEqual({
      ...tenantRecord({ tenant: 'shown_json' }),
      usage: null,
      order: { publishedAt: '2026-03-01T08:00:00.000Z' },
      createdAt: '2026-03-01T08:00:01.234Z',
      changedAt: '2026-03-01T08:00:09.876Z',
    });
  });
});

describe('drover tenants steps', () => {
  const reason = { code: 'GOOGLE_UNAVAILABLE', message: "PASSWORD 'hunter2'\nagain", step: 'dataset' };

  test('shows each in its place: how it stands, since when, how long it took and why it failed', async () => {
    await seed(cloud, { tenant: 'stepping' });
    await seedSteps(
      cloud,
      'stepping',
      stepRecord('announce', 99, { state: 'pending', attempts: 0, startedAt: null, finishedAt: null }),
      stepRecord('dataset', 5, {
        ...{ state: 'failed', attempts: 3, operation: 'b'.repeat(40), reason },
        finishedAt: new Date('2026-03-01T08:00:04.500Z'),
      }),
      stepRecord('storage', 6, { state: 'compensated' }),
      stepRecord('close', 101, {
        state: 'running',
        startedAt: new Date(Date.now() - 90_000),
        finishedAt: null,
      }),
      stepRecord('reserve', 0),
    );
    const { code, stdout, stderr } = await tenants('steps', 'stepping');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [a, started] = ['a'.repeat(40), '2026-03-01 08:00:02Z'];
    expect(cells(stdout)).toEqual([
      ['STEP', 'STATE', 'ATTEMPTS', 'STARTED', 'DURATION', 'OPERATION', 'REASON'],
      ['reserve', 'done', '1', started, '400 ms', a],
      [
        ...['dataset', 'failed', '3', started, '2.5 s', 'b'.repeat(40)],
        "GOOGLE_UNAVAILABLE: PASSWORD '[redacted]'\\nagain",
      ],
      ['storage', 'compensated', '1', started, '-', a],
      ['announce', 'pending', '0', '-', '-', a],
      ['close', 'running', '1', expect.stringMatching(/Z$/), expect.stringMatching(/^9\d\.\d s$/), a],
    ]);
  });

  test('as JSON they are the records, times in UTC, without what must not be seen', async () => {
    await seed(cloud, { tenant: 'steps_json' });
    const failed = stepRecord('dataset', 5, { state: 'failed', reason });
    await seedSteps(cloud, 'steps_json', failed, stepRecord('reserve', 0));
    const { stdout } = await tenants('steps', 'steps_json', '--json');
    const times = { startedAt: '2026-03-01T08:00:02.000Z', finishedAt: '2026-03-01T08:00:02.400Z' };
    expect(JSON.parse(stdout)).toEqual([
      { ...stepRecord('reserve', 0), ...times },
      { ...failed, ...times, reason: { ...reason, message: "PASSWORD '[redacted]'\nagain" } },
    ]);
  });

  test('says so where there are none', async () => {
    await seed(cloud, { tenant: 'stepless' });
    expect(await tenants('steps', 'stepless')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'The registry has no steps of it.\n',
    });
  });
});

test.each([['show'], ['steps'], ['remove', '--dry-run'], ['restore']])(
  '%s of an unknown one names the nearest',
  async (command, ...args) => {
    await seed(cloud, { tenant: 'ledger_co' });
    const { code, stdout, stderr } = await tenants(command, 'leger_co', ...args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^TENANT_NOT_FOUND: .* leger_co\. Did you mean ledger_co\?/);
  },
);

test.each([
  ['a limit that is no number', ['list', '--limit', 'x'], /--limit must be/],
  ['a state that there is not', ['list', '--state', 'activ'], /--state must be .* Did you mean active\?/],
  ['an instance that can not be one', ['list', '--instance', 'main'], /instance "main" must be/],
  ['no tenant', ['show'], /Which tenant\?/],
  ['an id that can not be one', ['steps', 'Acme-Co'], /tenant "Acme-Co" must be 3 to 50/],
  ['two tenants', ['show', 'abc', 'def'], /Unexpected argument: def/],
  ['a removal without confirmation', ['remove', 'acme'], /--confirm is missing.*drover tenants show acme/],
  ['another fate of a dataset', ['remove', 'acme', '--dataset', 'exprt'], /--dataset .*mean export\?/],
  ['another fate of objects', ['remove', 'acme', '--storage', 'export'], /--storage must be one of archive/],
  ['another isolation', ['restore', 'acme', '--isolation', 'shema'], /--isolation .*mean schema\?/],
  ['an operation id that can not be one', ['restore', 'acme', '--id', 'a b'], /--id must be/],
  ['a time to wait that is none', ['restore', 'acme', '--timeout', 'x'], /--timeout must be/],
])('refuses %s, with 2', async (_case, args, message) => {
  const ran = await droverHere('tenants', ...args);
  expect(ran).toMatchObject({ code: 2, stdout: '' });
  expect(ran.stderr).toMatch(message);
});
