import { BigQuery } from '@google-cloud/bigquery';
import { Storage } from '@google-cloud/storage';
import { describe, expect, it } from 'vitest';
import { localProject } from '../../local/stack.ts';
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
