import { BigQuery } from '@google-cloud/bigquery';
import { describe, expect, it } from 'vitest';
import { ApiError } from '../../local/http/api-error.ts';
import { localInstance, localProject } from '../../local/stack.ts';
import { lean, ownDatabase, tenantMessage, useTenants } from './tenants.ts';

const cloud = useTenants({}, async ({ stack }) => {
  // Who meets a tenant that is busy comes again at once, however often.
  const at = { nanos: 100_000_000 };
  const retryPolicy = { minimumBackoff: at, maximumBackoff: at };
  await stack.messaging.subscription('bootstrap-tenant').setMetadata({ retryPolicy });
});
const { create, done, query, refused, send, steps, tenant } = cloud;

const bigquery = () =>
  new BigQuery({
    projectId: localProject,
    apiEndpoint: cloud.stack.environment['BIGQUERY_EMULATOR_HOST'] ?? '',
  });

describe('a tenant', () => {
  it('is made, once', async () => {
    const made = await create('acme');

    expect(made.result).toEqual({
      tenant: 'acme',
      displayName: 'acme Ltd',
      contact: 'ops@example.com',
      plan: 'STARTER',
      limits: expect.objectContaining({ connections: 10, operationsPerDay: 6 }),
      isolation: 'schema',
      instance: 'acme-dev:europe-west1:main',
      database: 'app',
      schema: 'tenant_acme',
      logins: ['tenant_acme_a', 'tenant_acme_b'],
      credentialSecret: 'tenant-acme-database',
      apiKeySecret: 'tenant-acme-api-key',
      scopes: ['read', 'write'],
      dataset: 'tenant_acme',
      storage: 'gs://acme-dev-tenants/tenants/acme/',
    });
    const [event] = cloud.stack.results.get(await operationOf('acme')) ?? [];
    expect(event?.data['result']).toEqual(made.result);
    expect(await tenant('acme')).toMatchObject({ state: 'active', holder: null, incarnation: 1 });
    const first = { state: 'done', attempts: 1, found: 'absent', reason: null };
    expect(await steps('acme')).toMatchObject({
      reserve: first,
      schema: first,
      login: first,
      dataset: first,
      storage: first,
      'api-key': first,
      announce: { ...first, found: null },
    });

    const again = await create('acme');
    expect(again.changes).toEqual([]);
    expect(again.result).toEqual(made.result);
  });

  it('is one, however many ask for it at once', async () => {
    const ids = Array.from({ length: 20 }, (_, n) => `once-${n}`);
    const records = await Promise.all(ids.map((id) => send(tenantMessage('once', lean), { id })));

    expect(records.map(({ state }) => state)).toEqual(ids.map(() => 'succeeded'));
    expect(records.filter(({ changes = [] }) => changes.length > 0)).toHaveLength(1);
    expect(await tenant('once')).toMatchObject({ state: 'active', incarnation: 1 });
  });

  it('doesn’t collide with one whose id differs in underscores only', async () => {
    const ids = ['a_b_c', 'a__b_c', '_a_b_c', 'a_b_c_', 'abc'];
    const made = await Promise.all(ids.map((id) => create(id, lean)));

    expect(new Set(made.map(({ result }) => result?.['schema'])).size).toBe(ids.length);
    for (const id of ids)
      await cloud.as(id, (client) => client.query(`CREATE TABLE tenant_${id}.own (id int)`));
    const owners = await query(
      `SELECT count(DISTINCT relowner)::int AS owners FROM pg_class WHERE relname = 'own' AND relkind = 'r'`,
    );
    expect(owners).toEqual([{ owners: ids.length }]);
  });

  it('changes with its message: a new plan, new readers', async () => {
    await create('grows', lean);
    const changed = await create('grows', { ...lean, plan: 'SCALE', displayName: 'Grown' });

    expect(changed.changes).toContainEqual({
      action: 'alter',
      kind: 'login',
      name: 'tenant_grows_a',
      detail: 'at most 50 connections',
    });
    expect(await tenant('grows')).toMatchObject({ plan: 'SCALE', displayName: 'Grown', state: 'active' });
    expect(await query(`SELECT rolconnlimit FROM pg_roles WHERE rolname = 'tenant_grows_b'`)).toEqual([
      { rolconnlimit: 50 },
    ]);
    await refused(tenantMessage('grows', { ...lean, ...ownDatabase }), 'TENANT_MISMATCH');
    await refused(tenantMessage('grows', { ...lean, plan: 'PLATINUM' }), 'UNKNOWN_PLAN');
    expect(await tenant('grows')).toMatchObject({ plan: 'SCALE', state: 'active' });
  });

  it('changes with its message: who reads its dataset, what its key is good for', async () => {
    const features = { storage: false };
    await create('shifts', { features, readers: ['ann@acme.example', 'group:ops@acme.example'] });
    const changed = await create('shifts', { features, readers: ['ben@acme.example'], scopes: ['read'] });

    expect(changed.changes).toContainEqual(expect.objectContaining({ action: 'alter', kind: 'api-key' }));
    const [{ access }] = await bigquery().dataset('tenant_shifts').getMetadata();
    expect(access.filter(({ role }: { role?: string }) => role === 'READER')).toEqual([
      { role: 'READER', userByEmail: 'ben@acme.example' },
    ]);
    const { docs } = await cloud.stack.db.collection('apiKeys').where('tenant', '==', 'shifts').get();
    expect(docs.map((key) => [key.get('scopes'), key.get('revokedAt')])).toEqual([[['read'], null]]);
    const again = await create('shifts', { features, readers: ['ben@acme.example'], scopes: ['read'] });
    expect(again.changes).toEqual([]);
  });

  it('stays what it was where a change of it can’t be', async () => {
    await create('steady', lean);
    const before = await tenant('steady');
    if (cloud.stack.bigquery)
      cloud.stack.bigquery.intercept = ({ method, phase }) => {
        if (method === 'datasets.insert' && phase === 'before')
          throw new ApiError(403, 'accessDenied', 'Access Denied');
      };
    const wanted = { plan: 'SCALE', displayName: 'Other', features: { ...lean.features, analytics: true } };
    await refused(tenantMessage('steady', wanted), 'GOOGLE_PERMISSION_DENIED');

    const { plan, limits, displayName, features, place, order } = before;
    expect(await tenant('steady')).toMatchObject({
      ...{ plan, limits, displayName, features, place, order },
      state: 'active',
      holder: null,
      before: null,
      failure: { step: 'dataset' },
    });
  });

  it('is made though Cloud Storage’s answer was lost', async () => {
    let lost = 0;
    if (cloud.stack.storage)
      cloud.stack.storage.intercept = ({ method, phase }) => {
        if (method === 'objects.insert' && phase === 'after' && lost++ === 0)
          throw new ApiError(503, 'backendError', 'Service Unavailable');
      };
    await create('unheard', { features: { ...lean.features, storage: true } });
    expect(lost).toBeGreaterThan(0);
    expect(await steps('unheard')).toMatchObject({ storage: { state: 'done', attempts: 1 } });
  });

  it('is restored from Drover’s own archives alone', async () => {
    const restore = 'gs://somebody-else/tenants/acme/1/database/manifest.json';
    await refused(tenantMessage('stranger', { ...lean, restore }), 'NOT_ALLOWED');
    expect(await tenant('stranger')).toBeUndefined();
  });

  it('is planned without a trace', async () => {
    const planned = await send(tenantMessage('idea'), { dryRun: true });

    expect(planned).toMatchObject({ state: 'planned' });
    expect(planned.changes?.map(({ kind, name }) => `${kind} ${name}`)).toEqual(
      expect.arrayContaining([
        'schema app.tenant_idea',
        'login tenant_idea_a',
        'secret tenant-idea-database',
        'dataset tenant_idea',
        'storage gs://acme-dev-tenants/tenants/idea/',
        'secret tenant-idea-api-key',
      ]),
    );
    const own = await send(tenantMessage('idea', ownDatabase), { dryRun: true });
    expect(own.statements).toContain('CREATE DATABASE "tenant_idea" OWNER drover_admin');
    expect(await tenant('idea')).toBeUndefined();
    expect(await query(`SELECT FROM pg_roles WHERE rolname LIKE '%idea%'`)).toEqual([]);
  });
});

it('takes no schema that was there before it', async () => {
  await query('CREATE SCHEMA tenant_prior');
  await cloud.stack.send(
    'create-schema',
    { target: tenantMessage('x').target, schema: 'prior_made' },
    { id: 'prior' },
  );
  await cloud.stack.ended('create-schema', 'prior');
  await query('ALTER SCHEMA prior_made RENAME TO tenant_prior_made');
  for (const id of ['prior', 'prior_made']) {
    await refused(tenantMessage(id, lean), 'SCHEMA_EXISTS');
    expect(await query(`SELECT FROM pg_namespace WHERE nspname = 'tenant_${id}'`)).toHaveLength(1);
  }
});

describe('isolation by schema', () => {
  it('lets no tenant read, change or use what is another’s', async () => {
    await Promise.all([create('mine', lean), create('yours', lean)]);
    await cloud.as('yours', async (client) => {
      await client.query(`
        CREATE TABLE tenant_yours.orders (id int GENERATED ALWAYS AS IDENTITY, secret text);
        INSERT INTO tenant_yours.orders (secret) VALUES ('theirs');
        CREATE VIEW tenant_yours.seen AS SELECT * FROM tenant_yours.orders;
        CREATE TYPE tenant_yours.mood AS ENUM ('good');
        CREATE FUNCTION tenant_yours.leak() RETURNS text LANGUAGE sql SECURITY DEFINER
          AS 'SELECT secret FROM tenant_yours.orders LIMIT 1'`);
    });
    const attempts = [
      'SELECT * FROM tenant_yours.orders',
      'SELECT * FROM tenant_yours.seen',
      'SELECT tenant_yours.leak()',
      `SELECT nextval('tenant_yours.orders_id_seq')`,
      `SELECT 'good'::tenant_yours.mood`,
      `INSERT INTO tenant_yours.orders (secret) VALUES ('mine')`,
      'DELETE FROM tenant_yours.orders',
      'TRUNCATE tenant_yours.orders',
      'DROP TABLE tenant_yours.orders',
      'ALTER TABLE tenant_yours.orders ADD COLUMN more int',
      'CREATE TABLE tenant_yours.more (id int)',
      'CREATE TABLE tenant_mine.child () INHERITS (tenant_yours.orders)',
      'CREATE TABLE public.shared (id int)',
      'CREATE SCHEMA more',
      'SET ROLE app__tenant_yours__owner',
      'SET ROLE app__tenant_yours__reader',
      'GRANT app__tenant_yours__reader TO tenant_mine_a',
      `ALTER ROLE tenant_yours_a PASSWORD 'known'`,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'tenant_yours_a'`,
      `COPY tenant_yours.orders TO PROGRAM 'cat'`,
      'SELECT rolpassword FROM pg_authid',
    ];
    await cloud.as('yours', async () => {
      await cloud.as('mine', async (client) => {
        for (const role of ['app__tenant_mine__owner', 'NONE']) {
          await client.query(`SET ROLE ${role}`);
          for (const attempt of attempts) {
            await client.query('BEGIN');
            await expect(client.query(attempt), `${role}: ${attempt}`).rejects.toThrow(
              /permission denied|must be/,
            );
            await client.query('ROLLBACK');
          }
        }
      });
    });
    // What everybody may see, as docs/tenants.md says.
    const names = await cloud.as('mine', (client) =>
      client.query(`SELECT nspname FROM pg_namespace WHERE nspname = 'tenant_yours'`),
    );
    expect(names.rowCount).toBe(1);
  });

  it('ends at the plan’s connections; a statement’s time is a default', async () => {
    await create('few', lean);
    const held: Promise<unknown>[] = [];
    const release = Promise.withResolvers<void>();
    for (let n = 0; n < 10; n += 1) {
      const isIn = Promise.withResolvers<void>();
      held.push(
        cloud.as('few', async () => {
          isIn.resolve();
          await release.promise;
        }),
      );
      await isIn.promise;
    }
    await expect(cloud.as('few', async () => undefined)).rejects.toMatchObject({ code: '53300' });
    release.resolve();
    await Promise.all(held);
    await cloud.as('few', async (client) => {
      expect((await client.query('SHOW statement_timeout')).rows).toEqual([{ statement_timeout: '1min' }]);
      await client.query('SET statement_timeout = 0');
    });
  });

  it('has names that say nothing, if asked for', async () => {
    await create('discreet', { features: { ...lean.features, opaqueNames: true } });
    const { place } = await tenant('discreet');

    expect(place.schema).toMatch(/^t_[0-9a-f]{20}$/);
    await cloud.as('discreet', (client) => client.query(`CREATE TABLE ${place.schema}.own (id int)`));
    const visible = await query(`
      SELECT string_agg(name, ' ') AS names FROM (
        SELECT nspname::text AS name FROM pg_namespace UNION ALL SELECT rolname::text FROM pg_roles UNION ALL
        SELECT datname::text FROM pg_database UNION ALL SELECT description FROM pg_shdescription UNION ALL
        SELECT description FROM pg_description) visible`);
    expect(visible[0]?.['names']).not.toContain('discreet');
    expect((await create('discreet', { features: { ...lean.features, opaqueNames: true } })).changes).toEqual(
      [],
    );
  });
});

describe('isolation by database', () => {
  it('makes a database that is the tenant’s alone, and lets it connect to no closed one', async () => {
    const made = await create('solo', { ...lean, ...ownDatabase });
    await create('other', { ...lean, ...ownDatabase });

    expect(made.result).toMatchObject({ database: 'tenant_solo', schema: 'app' });
    await cloud.as('solo', (client) => client.query('CREATE TABLE app.things (id int)'));
    await expect(cloud.as('solo', async () => undefined, 'tenant_other')).rejects.toMatchObject({
      code: '42501',
    });
    // Those that were open before are others' to close; until then the result says so.
    expect(made.notes).toContainEqual(expect.objectContaining({ code: 'OPEN_DATABASES' }));
    await query('REVOKE CONNECT, TEMPORARY ON DATABASE app FROM PUBLIC');
    await expect(cloud.as('solo', async () => undefined, 'app')).rejects.toMatchObject({ code: '42501' });
    await query('GRANT CONNECT, TEMPORARY ON DATABASE app TO PUBLIC');
  });

  it('shares no database that is another tenant’s own', async () => {
    await create('landlord', { ...lean, ...ownDatabase });
    const target = { instance: localInstance, database: 'tenant_landlord' };
    await refused(tenantMessage('lodger', { ...lean, target }), 'DATABASE_EXISTS');
    expect(await query(`SELECT FROM pg_roles WHERE rolname ~ 'lodger'`)).toEqual([]);
  });

  it('goes on with a database of its own that was to be dropped', async () => {
    await create('halted', { ...lean, ...ownDatabase });
    await query('ALTER DATABASE tenant_halted ALLOW_CONNECTIONS false');
    await create('halted', { ...lean, ...ownDatabase });
    await cloud.as('halted', (client) => client.query('CREATE TABLE app.things (id int)'));
  });

  it('takes no database that is somebody else’s', async () => {
    await query('CREATE DATABASE tenant_taken');
    const error = await refused(tenantMessage('taken', { ...lean, ...ownDatabase }), 'DATABASE_EXISTS');

    expect(error.details).toMatchObject({ step: 'database' });
    expect(await tenant('taken')).toMatchObject({
      state: 'failed',
      holder: null,
      failure: { code: 'DATABASE_EXISTS', step: 'database' },
    });
    expect(await steps('taken')).toMatchObject({
      database: { state: 'failed', reason: { code: 'DATABASE_EXISTS' } },
      login: { state: 'pending' },
    });
    await query('DROP DATABASE tenant_taken');
    await done(tenantMessage('taken', { ...lean, ...ownDatabase }));
  });
});

async function operationOf(id: string): Promise<string> {
  return (await tenant(id)).operation;
}
