import type { Message } from '@google-cloud/pubsub';
import { describe, expect, test } from 'vitest';
import { OperationError } from '../../shared/operation/errors.ts';
import { confirmationOf } from '../../shared/registry/tenants/store.ts';
import { droverInCloud, newId, type Ran, receive, subscribe, useCloud } from './fixture.ts';
import {
  instance,
  removed,
  seed,
  startTenantsWorker,
  tenantRecord,
  tenantsFunction,
} from './tenants-fixture.ts';

const cloud = useCloud([tenantsFunction]);
const tenants = (...args: string[]) => droverInCloud('tenants', ...args);

/** Runs a command that only publishes, and gives the message. */
async function published(...args: string[]): Promise<unknown> {
  const arrival = receive(await subscribe(cloud, tenantsFunction));
  const { code, stderr } = await tenants(...args, '--no-wait');
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^Published to bootstrap/) });
  return JSON.parse((await arrival).data.toString());
}

/** Runs a command that publishes nothing. */
async function unpublished(...args: string[]): Promise<Ran> {
  const arrived: string[] = [];
  const marker = Promise.withResolvers<void>();
  (await subscribe(cloud, tenantsFunction)).on('message', (message: Message) => {
    message.ack();
    arrived.push(message.data.toString());
    if (arrived.at(-1) === 'marker') marker.resolve();
  });
  const ran = await tenants(...args);
  await cloud.client.topic(tenantsFunction).publishMessage({ data: Buffer.from('marker') });
  await marker.promise;
  expect(arrived).toEqual(['marker']);
  return ran;
}

describe('drover tenants remove', () => {
  const record = (tenant: string) => tenantRecord({ tenant, incarnation: 2 });
  const confirm = (tenant: string) => ['--confirm', confirmationOf(record(tenant))];

  test('publishes what the arguments mean, waits and reports the end', async () => {
    await seed(cloud, record('leaving'));
    const arrival = receive(await subscribe(cloud, tenantsFunction));
    await startTenantsWorker(cloud, async (message, { dryRun }) => ({
      changes: [
        { action: 'revoke', kind: 'schema', name: message.scope, detail: dryRun ? 'planned' : 'deleted' },
      ],
    }));
    const id = newId();
    const fates = ['--dataset', 'keep', '--storage', 'delete', '--no-archive', '--allow-incomplete'];
    const args = [...confirm('leaving'), ...fates, '--id', id, '--actor', 'alice'];
    const { code, stdout } = await tenants('remove', 'leaving', ...args);
    const { data, attributes } = await arrival;
    expect(JSON.parse(data.toString())).toEqual({
      scope: 'remove',
      tenant: 'leaving',
      confirm: confirmationOf(record('leaving')),
      archive: false,
      allowIncomplete: true,
      dataset: 'keep',
      storage: 'delete',
    });
    expect(attributes).toEqual({ 'operation-id': id, 'claimed-actor': 'alice' });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^bootstrap-tenant succeeded in/m);
    expect(stdout).toMatch(/revoke +schema +remove +deleted$/m);
  });

  test('says no more than is asked for, and a failure exits with 1', async () => {
    await seed(cloud, record('staying'));
    const arrival = receive(await subscribe(cloud, tenantsFunction));
    await startTenantsWorker(cloud, async () => {
      throw new OperationError('ARCHIVE_BUCKET_MISSING', 'There is no bucket');
    });
    const { code, stdout } = await tenants('remove', 'staying', ...confirm('staying'), '--json');
    expect(JSON.parse((await arrival).data.toString())).toEqual({
      scope: 'remove',
      tenant: 'staying',
      confirm: confirmationOf(record('staying')),
    });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ state: 'failed', error: { code: 'ARCHIVE_BUCKET_MISSING' } });
  });

  test('a dry run confirms itself', async () => {
    await seed(cloud, record('wavering'));
    const arrival = receive(await subscribe(cloud, tenantsFunction));
    await startTenantsWorker(cloud, async () => ({ changes: [] }));
    const { code, stdout } = await tenants('remove', 'wavering', '--dry-run');
    const { data, attributes } = await arrival;
    expect(JSON.parse(data.toString())).toMatchObject({ confirm: confirmationOf(record('wavering')) });
    expect(attributes).toMatchObject({ 'dry-run': 'true' });
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/planned/) });
  });

  test.each([[[]], [['--dry-run']]])(
    'with the confirmation of a former tenant of this id and %j nothing is published',
    async (options) => {
      await seed(cloud, record('reborn'));
      const former = confirmationOf({ ...record('reborn'), incarnation: 1 });
      const { code, stdout, stderr } = await unpublished('remove', 'reborn', '--confirm', former, ...options);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(/--confirm is not that of the tenant.*drover tenants show reborn/);
      expect(stderr).not.toContain(confirmationOf(record('reborn')));
    },
  );

  test('gives up waiting with 3', async () => {
    await seed(cloud, record('waiting'));
    const { code, stdout, stderr } = await tenants(
      ...['remove', 'waiting', ...confirm('waiting'), '--timeout', '0.2'],
    );
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(/no worker has taken it.*drover operations/);
  });
});

describe('drover tenants restore', () => {
  const former = {
    scope: 'tenant',
    displayName: 'Acme Ltd',
    contact: 'ops@acme.com',
    plan: 'STARTER',
    isolation: 'schema',
    target: { instance, database: 'app' },
    features: { analytics: true, storage: true, apiKey: true, opaqueNames: false },
    level: 'owner',
    scopes: ['read', 'write'],
    readers: [],
    reuse: true,
    restore: removed.archive,
  };

  test('asks for the tenant as it was, with the content of its archive', async () => {
    const more = { level: 'writer', scopes: ['read'], readers: ['a@acme.com'], region: 'EU' } as const;
    const features = { analytics: true, storage: false, apiKey: false, opaqueNames: true };
    await seed(cloud, { tenant: 'coming_back', ...removed, ...more, features });
    expect(await published('restore', 'coming_back')).toEqual({
      ...former,
      ...more,
      features,
      tenant: 'coming_back',
    });
  });

  test('waits and reports the end, and an own database gets the name that it had', async () => {
    const { place } = tenantRecord();
    await seed(cloud, {
      ...{ tenant: 'own', ...removed, isolation: 'database' },
      place: { ...place, database: 'own_data', schema: 'app' },
    });
    const messages: unknown[] = [];
    await startTenantsWorker(cloud, async (message, { dryRun }) => {
      messages.push({ ...message, dryRun });
      return { changes: [] };
    });
    const { code, stdout } = await tenants('restore', 'own', '--dry-run', '--json');
    const target = { instance, database: 'own_data' };
    expect(messages).toEqual([{ ...former, tenant: 'own', isolation: 'database', target, dryRun: true }]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ function: 'bootstrap-tenant', state: 'planned' });
  });

  test('what is said counts instead of what was', async () => {
    await seed(cloud, { tenant: 'changed', ...removed });
    const archive = 'gs://elsewhere/manifest.json';
    const message = await published(
      ...['restore', 'changed', '--archive', archive, '--display-name', 'New', '--contact', 'new@acme.com'],
      ...['--plan', 'SCALE', '--instance', `${instance}2`, '--database', 'shared', '--region', 'US'],
    );
    expect(message).toEqual({
      ...{ ...former, tenant: 'changed', restore: archive, displayName: 'New', contact: 'new@acme.com' },
      ...{ plan: 'SCALE', target: { instance: `${instance}2`, database: 'shared' }, region: 'US' },
    });
  });

  test('a database that it shared is not made its own', async () => {
    await seed(cloud, { tenant: 'moving_out', ...removed });
    const message = await published('restore', 'moving_out', '--isolation', 'database');
    expect(message).toMatchObject({ isolation: 'database', target: { instance } });
    expect(message).not.toHaveProperty('target.database');
  });

  test('one that the registry does not know is made of what is said', async () => {
    const said = ['--display-name', 'Copy', '--contact', 'ops@acme.com', '--plan', 'STARTER'];
    const place = ['--instance', instance, '--database', 'app'];
    const archive = ['--archive', removed.archive];
    expect(await published('restore', 'copy', ...archive, ...said, ...place)).toEqual({
      ...{ scope: 'tenant', tenant: 'copy', displayName: 'Copy', contact: 'ops@acme.com', plan: 'STARTER' },
      ...{ target: { instance, database: 'app' }, reuse: true, restore: removed.archive },
    });
  });

  test('asks for the quotas that it had, unless for another plan', async () => {
    const quotas = { operationsPerDay: 50, entitlements: { teamMembers: 4 } };
    await seed(cloud, { tenant: 'with_quotas', ...removed, quotas });
    expect(await published('restore', 'with_quotas')).toMatchObject({ plan: 'STARTER', quotas });
    const other = await published('restore', 'with_quotas', '--plan', 'SCALE');
    expect(other).toMatchObject({ plan: 'SCALE' });
    expect(other).not.toHaveProperty('quotas');
  });

  test('goes on with a restoration that was begun', async () => {
    const archive = removed.archive;
    await seed(
      cloud,
      { tenant: 'begun', state: 'bootstrapping', archive, restored: archive },
      { tenant: 'unmade', state: 'failed', archive },
      { tenant: 'finished', archive, restored: archive },
    );
    for (const tenant of ['begun', 'unmade', 'finished']) {
      expect(await published('restore', tenant)).toEqual({ ...former, tenant });
    }
  });

  test.each([
    ['one that is there', { state: 'active', removedAt: null }, [], /tenant refused is there/],
    [
      'one that is there from another archive',
      { state: 'active', archive: null },
      ['--archive', 'gs://other/manifest.json'],
      /tenant refused is there/,
    ],
    ['one without an archive', { archive: null }, [], /no archive of the tenant refused.*--archive/],
    ['what is no manifest', {}, ['--archive', 'gs://b/archive'], /--archive: must be gs:.*manifest\.json/],
    ['what is no address', {}, ['--contact', 'nobody'], /--contact: /],
    ['what is no instance', {}, ['--instance', 'main'], /--instance: must be a connection name/],
    [
      'a shared database of no name',
      { isolation: 'database' },
      ['--isolation', 'schema'],
      /--database: is needed/,
    ],
  ] as const)('refuses %s, with 2, and publishes nothing', async (_case, fields, options, message) => {
    await seed(cloud, { tenant: 'refused', ...removed, ...fields });
    const { code, stdout, stderr } = await unpublished('restore', 'refused', ...options);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
  });

  test('says what is missing of one that the registry does not know', async () => {
    const { code, stderr } = await tenants('restore', 'nobody', '--archive', removed.archive);
    expect(code).toBe(2);
    expect(stderr).toMatch(/nothing of a tenant nobody: give --display-name, --contact, --plan and --inst/);
  });
});
