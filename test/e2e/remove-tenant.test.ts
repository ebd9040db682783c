import { BigQuery } from '@google-cloud/bigquery';
import { Storage } from '@google-cloud/storage';
import { describe, expect, it } from 'vitest';
import { ApiError } from '../../local/http/api-error.ts';
import { localInstance, localProject } from '../../local/stack.ts';
import { hash } from '../../shared/operation/canonical.ts';
import { emptySet, grantKey } from '../../shared/registry/grants/model.ts';
import { lean, ownDatabase, tenantMessage, useTenants } from './tenants.ts';

const cloud = useTenants();
const { create, done, query, refused, send, steps, tenant } = cloud;

const storage = () =>
  new Storage({
    projectId: localProject,
    apiEndpoint: cloud.stack.environment['STORAGE_EMULATOR_HOST'] ?? '',
  });

const bigquery = () =>
  new BigQuery({
    projectId: localProject,
    apiEndpoint: cloud.stack.environment['BIGQUERY_EMULATOR_HOST'] ?? '',
  });

/** Everything of a name in PostgreSQL. */
const named = (part: string) =>
  query(`SELECT rolname AS name FROM pg_roles WHERE rolname ~ '${part}' UNION
         SELECT nspname FROM pg_namespace WHERE nspname ~ '${part}' UNION
         SELECT datname FROM pg_database WHERE datname ~ '${part}'`);

async function fill(id: string, schema: string) {
  await cloud.as(id, (client) =>
    client.query(`
      CREATE TABLE ${schema}.orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text NOT NULL);
      INSERT INTO ${schema}.orders (what) SELECT 'order ' || n FROM generate_series(1, 1000) n;
      CREATE VIEW ${schema}.latest AS SELECT * FROM ${schema}.orders ORDER BY id DESC LIMIT 1`),
  );
}

describe.each([
  { mode: 'schema', id: 'leaver', schema: 'tenant_leaver', more: {} },
  { mode: 'database', id: 'mover', schema: 'app', more: ownDatabase },
])('a tenant with a $mode', ({ id, schema, more }) => {
  it('is archived and deleted, with its confirmation only; and restored from the archive', async () => {
    await create(id, more);
    await fill(id, schema);
    await bigquery().dataset(`tenant_${id}`).table('visits').create({ schema: 'page:STRING' });
    await bigquery()
      .dataset(`tenant_${id}`)
      .table('visits')
      .insert([{ page: '/' }]);
    await storage()
      .bucket('acme-dev-tenants')
      .file(`tenants/${id}/photos/a.jpg`)
      .save('a photo', { resumable: false });

    const wrong = await refused({ scope: 'remove', tenant: id, confirm: id }, 'CONFIRMATION_NEEDED');
    expect(wrong.details).toMatchObject({ problems: [{ path: 'data.confirm' }] });
    expect(await tenant(id)).toMatchObject({ state: 'active' });

    const removed = await cloud.remove(id);
    const folder = `gs://acme-dev-archive/tenants/${id}/1/`;
    expect(removed.result).toEqual({ tenant: id, archive: folder });
    expect(await named(id)).toEqual([]);
    expect(await tenant(id)).toMatchObject({ state: 'removed', archive: `${folder}database/manifest.json` });
    const [objects] = await storage()
      .bucket('acme-dev-tenants')
      .getFiles({ prefix: `tenants/${id}/` });
    expect(objects).toEqual([]);
    expect(await bigquery().dataset(`tenant_${id}`).exists()).toEqual([false]);
    for (const secret of [`tenant-${id}-database`, `tenant-${id}-api-key`]) {
      expect(await cloud.secrets.record(secret)).toBeUndefined();
      await expect(cloud.secrets.value(secret, 'latest')).rejects.toMatchObject({ code: 5 });
    }

    await refused(tenantMessage(id, more), 'TENANT_REMOVED');
    const restored = await done(
      tenantMessage(id, { ...more, reuse: true, restore: `${folder}database/manifest.json` }),
    );
    expect(restored.changes).toContainEqual(
      expect.objectContaining({ kind: 'content', detail: '1 tables, 1000 rows' }),
    );
    expect(await tenant(id)).toMatchObject({ state: 'active', incarnation: 2 });
    await cloud.as(id, async (client) => {
      const { rows } = await client.query(`SELECT what FROM ${schema}.latest`);
      expect(rows).toEqual([{ what: 'order 1000' }]);
      await client.query(`INSERT INTO ${schema}.orders (what) VALUES ('new')`);
    });
    expect((await bigquery().dataset(`tenant_${id}`).table('visits').getRows())[0]).toEqual([{ page: '/' }]);
    const [photo] = await storage().bucket('acme-dev-tenants').file(`tenants/${id}/photos/a.jpg`).download();
    expect(photo.toString()).toBe('a photo');

    // Restored once: sent again, it stays as it has become.
    const again = await done(tenantMessage(id, { ...more, restore: `${folder}database/manifest.json` }));
    expect(again.changes).toEqual([]);
  });
});

it('says what a removal would take, and what a former tenant’s confirmation is worth', async () => {
  await create('twice', lean);
  const first = await tenant('twice');
  const { confirmationOf } = await import('../../shared/registry/tenants/store.ts');
  const planned = await send(
    { scope: 'remove', tenant: 'twice', confirm: confirmationOf(first) },
    { dryRun: true },
  );
  expect(planned).toMatchObject({ state: 'planned' });
  expect(planned.changes).toContainEqual(
    expect.objectContaining({
      kind: 'schema',
      name: 'app.tenant_twice',
      detail: expect.stringContaining('archived in'),
    }),
  );
  expect(await steps('twice')).not.toHaveProperty('close');

  await cloud.remove('twice', { archive: false });
  await done(tenantMessage('twice', { ...lean, reuse: true }));
  await refused({ scope: 'remove', tenant: 'twice', confirm: confirmationOf(first) }, 'CONFIRMATION_NEEDED');
  await refused({ scope: 'remove', tenant: 'nobody', confirm: 'x' }, 'TENANT_NOT_FOUND');
  expect((await cloud.remove('twice')).notes).toEqual([]);
  expect((await cloud.remove('twice')).notes).toEqual([expect.objectContaining({ code: 'ALREADY_REMOVED' })]);
});

it('takes nothing that was kept of a former tenant', async () => {
  const features = { analytics: true, storage: true, apiKey: false };
  await create('heir', { features });
  await storage().bucket('acme-dev-tenants').file('tenants/heir/will.txt').save('kept', { resumable: false });
  await cloud.remove('heir', { archive: false, dataset: 'keep', storage: 'keep' });
  await done(tenantMessage('heir', { ...lean, reuse: true }));
  await refused(tenantMessage('heir', { features: { ...features, storage: false } }), 'DATASET_EXISTS');
  await refused(tenantMessage('heir', { features: { ...features, analytics: false } }), 'STORAGE_TAKEN');
  expect(await tenant('heir')).toMatchObject({ state: 'active', place: { dataset: null, storage: null } });

  await cloud.remove('heir');
  expect(await bigquery().dataset('tenant_heir').exists()).toEqual([true]);
  expect(await storage().bucket('acme-dev-tenants').file('tenants/heir/will.txt').exists()).toEqual([true]);
});

it('leaves no grant elsewhere that the next tenant of the id would have', async () => {
  await create('guest', lean);
  const scope = { instance: localInstance, database: 'app', schema: 'elsewhere' };
  const value = { present: true, operation: 'before', publishedAt: new Date(0) };
  const grant = { principal: 'tenant_guest_a', kind: 'login' as const, role: 'reader', value };
  const set = { ...emptySet(scope), grants: { [grantKey(grant)]: grant }, principals: ['tenant_guest_a'] };
  const own = cloud.stack.db.collection('grants').doc(hash(...Object.values(scope)).slice(0, 40));
  await own.set(set);
  await cloud.remove('guest', { archive: false });

  const left = (await own.get()).get('grants') as Record<string, { value: { present: boolean } }>;
  expect(Object.values(left).map(({ value: { present } }) => present)).toEqual([false]);
  await own.delete();
});

it('goes on with another that had come to a halt in dropping the database', async () => {
  await create('stopped', { ...lean, ...ownDatabase });
  await query('ALTER DATABASE tenant_stopped ALLOW_CONNECTIONS false');
  await cloud.remove('stopped');
  expect(await named('stopped')).toEqual([]);
  expect(await tenant('stopped')).toMatchObject({ state: 'removed', archive: expect.any(String) });
});

it('brings a tenant that shared a database back with one of its own', async () => {
  await create('founder', lean);
  await cloud.as('founder', (client) =>
    client.query('CREATE TABLE tenant_founder.plans (id int); INSERT INTO tenant_founder.plans VALUES (7)'),
  );
  await cloud.remove('founder');
  const { archive: restore } = await tenant('founder');
  await done(tenantMessage('founder', { ...lean, ...ownDatabase, reuse: true, restore }));
  const { rows } = await cloud.as('founder', (client) => client.query('SELECT id FROM app.plans'));
  expect(rows).toEqual([{ id: 7 }]);
});

it('leaves no object behind where a restore fails', async () => {
  const features = { ...lean.features, storage: true };
  await create('relapse', { features });
  const objects = storage().bucket('acme-dev-tenants');
  await objects.file('tenants/relapse/photo.jpg').save('a photo', { resumable: false });
  await cloud.remove('relapse');
  const { archive: restore } = await tenant('relapse');
  const isCopied = async () => (await objects.file('tenants/relapse/photo.jpg').exists())[0];
  if (cloud.stack.bigquery)
    cloud.stack.bigquery.intercept = async ({ method, phase }) => {
      if (method !== 'datasets.insert' || phase !== 'before') return;
      await expect.poll(isCopied, { timeout: 10_000 }).toBe(true);
      throw new ApiError(403, 'accessDenied', 'Access Denied');
    };
  const again = { features: { ...features, analytics: true }, reuse: true, restore };
  await refused(tenantMessage('relapse', again), 'GOOGLE_PERMISSION_DENIED');
  expect((await objects.getFiles({ prefix: 'tenants/relapse/' }))[0]).toEqual([]);
});
