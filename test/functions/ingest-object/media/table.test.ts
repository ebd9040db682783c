import type pg from 'pg';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { localPassword } from '../../../../local/postgres/cloudsql.ts';
import { firestore } from '../../../../shared/gcp/firestore.ts';
import { connected } from '../../../support/postgres.ts';
import { writeTenant } from '../../../support/tenant-record.ts';
import {
  bucket,
  deleted,
  failureOf,
  finalized,
  image,
  mediaRoute,
  target,
  tenantsBucket,
  useWorld,
} from './world.ts';

const world = useWorld();

let count = 0;
let schema: string;
let route: ReturnType<typeof mediaRoute>;
beforeEach(() => {
  count += 1;
  schema = `photos_${count}`;
  route = mediaRoute({ bucket, objects: 'photos/{user}/original/**', target, schema });
});

const upload = async (user = 'alice', file = 'a.jpg') =>
  finalized(await world.put(`photos/${user}/original/${count}-${file}`, await image()));
const usersOf = async () =>
  (await world.query(`SELECT user_id FROM ${schema}.media ORDER BY 1`)).map((row) => row['user_id']);

describe('the table', () => {
  it('is made with its schema when it is needed first, and told of', async () => {
    const outcome = await world.deliver(await upload(), { route });
    const next = await world.deliver(await upload('bob'), { route });

    expect(outcome.changes).toContainEqual({ action: 'create', kind: 'table', name: `${schema}.media` });
    expect(outcome.changes).toContainEqual(expect.objectContaining({ action: 'create', kind: 'schema' }));
    expect(next.changes.map(({ kind }) => kind)).toEqual(['media', 'previews']);
    expect(await usersOf()).toEqual(['alice', 'bob']);
  });

  it('is made once by those who need it at the same time', async () => {
    const events = await Promise.all(['a', 'b', 'c', 'd'].map((user) => upload(user)));

    const outcomes = await Promise.all(events.map((event) => world.deliver(event, { route })));

    expect(outcomes.flatMap(({ changes }) => changes).filter(({ kind }) => kind === 'table')).toHaveLength(1);
    expect(await usersOf()).toEqual(['a', 'b', 'c', 'd']);
  });

  it.each([
    ['table', (name: string) => `DROP TABLE ${name}.media`],
    ['schema', (name: string) => `DROP SCHEMA ${name} CASCADE`],
  ])('is made anew where somebody dropped it, or its schema: the %s', async (_, drop) => {
    await world.deliver(await upload(), { route });
    await world.query(drop(schema));

    await world.deliver(await upload('bob'), { route });

    expect(await usersOf()).toEqual(['bob']);
  });

  it('has nothing to be deleted from where somebody dropped it', async () => {
    const event = await upload();
    await world.deliver(event, { route });
    await world.query(`DROP TABLE ${schema}.media`);
    await world.remove(event.object);

    const outcome = await world.deliver({ ...event, event: 'OBJECT_DELETE' }, { route });

    expect(outcome.changes).toMatchObject([{ action: 'delete', kind: 'previews' }]);
    expect(await world.query('SELECT to_regclass($1) AS found', [`${schema}.media`])).toEqual([
      { found: null },
    ]);
  });

  it.each([
    ['table', 'CREATE TABLE', '(id int)'],
    ['view', 'CREATE VIEW', 'AS SELECT 1 AS id'],
  ])('of somebody else is left alone: a %s', async (_, create, rest) => {
    await world.deliver(await upload(), { route });
    const event = await upload();
    const other = { ...route, table: 'taken' };
    await world.query(`${create} ${schema}.taken ${rest}`);

    const error = await failureOf(world.deliver(event, { route: other }));

    expect(error).toMatchObject({ code: 'TABLE_TAKEN', retryable: false });
    expect(await world.query(`SELECT count(*)::int FROM ${schema}.taken`)).toHaveLength(1);
  });
});

describe('row-level security', () => {
  const as = <T>(login: string, use: (client: pg.Client) => Promise<T>) =>
    connected(world.cluster.url(login, localPassword, 'app'), use);
  const usersSeenBy = (login: string, user?: string) =>
    as(login, async (client) => {
      if (user !== undefined) await client.query("SELECT set_config('drover.user', $1, false)", [user]);
      const { rows } = await client.query(`SELECT user_id FROM ${schema}.media ORDER BY 1 NULLS FIRST`);
      return rows.map((row: { user_id: string | null }) => row.user_id);
    });

  const levels = ['reader', 'writer', 'analyst', 'owner'];
  beforeAll(async () => {
    for (const level of levels) await world.cluster.createLogin(`a_${level}`, 'password');
  });
  beforeEach(async () => {
    for (const user of ['alice', 'bob']) await world.deliver(await upload(user), { route });
    const everybodys = mediaRoute({ bucket, objects: 'catalogue/**', target, schema });
    const put = await world.put(`catalogue/${count}.jpg`, await image());
    await world.deliver(finalized(put), { route: everybodys });
    for (const level of levels) await world.query(`GRANT app__${schema}__${level} TO a_${level}`);
  });

  it.each(['reader', 'writer', 'analyst'])('shows a %s a user’s rows and everybody’s', async (level) => {
    expect(await usersSeenBy(`a_${level}`)).toEqual([null]);
    expect(await usersSeenBy(`a_${level}`, '')).toEqual([null]);
    expect(await usersSeenBy(`a_${level}`, 'alice')).toEqual([null, 'alice']);
    expect(await usersSeenBy(`a_${level}`, 'bob')).toEqual([null, 'bob']);
    expect(await usersSeenBy(`a_${level}`, 'Alice')).toEqual([null]);
  });

  it('is not for the owner', async () => {
    expect(await usersSeenBy('a_owner')).toEqual([null, 'alice', 'bob']);
  });

  it('lets no writer write', async () => {
    await as('a_writer', async (client) => {
      await client.query(`SET drover."user" = 'alice'`);
      const copied = `bucket, object || 'x', user_id, generation, type, bytes, width, height, frames, placeholder, crc32c, metadata, uploaded_at, previews, recipe`;
      const inserted = client.query(
        `INSERT INTO ${schema}.media (${copied.replace(" || 'x'", '')}) SELECT ${copied} FROM ${schema}.media`,
      );
      await expect(inserted).rejects.toThrow('violates row-level security policy');
      expect((await client.query(`UPDATE ${schema}.media SET user_id = 'alice'`)).rowCount).toBe(0);
      expect((await client.query(`DELETE FROM ${schema}.media`)).rowCount).toBe(0);
      await expect(client.query(`TRUNCATE ${schema}.media`)).rejects.toThrow('permission denied');
    });
    expect(await usersOf()).toEqual(['alice', 'bob', null]);
  });
});

describe('a tenant', () => {
  const tenant = 'acme';
  const name = () => `tenants/${tenant}/photos/alice/${count}.jpg`;
  const routeOfTenants = mediaRoute({ bucket: tenantsBucket, objects: 'tenants/{tenant}/photos/{user}/**' });
  const place = () => ({
    ...target,
    schema,
    logins: [],
    secret: '',
    apiKeySecret: null,
    dataset: null,
    storage: `gs://${tenantsBucket}/tenants/${tenant}/`,
  });
  const put = async () => world.put(name(), await image());
  beforeEach(async () => {
    await world.deliver(await upload(), { route });
    await world.query(`DELETE FROM ${schema}.media`);
  });

  it('has rows in its own schema, and previews in its own folder', async () => {
    await writeTenant(await firestore(), tenant, {}, { place: place() });

    await world.deliver(finalized(await put()), { route: routeOfTenants });

    expect(await usersOf()).toEqual(['alice']);
    const previews = (await world.previews(tenantsBucket)).filter((one) => one.includes('alice'));
    expect(previews).toHaveLength(3);
    expect(previews.every((one) => one.startsWith(`tenants/${tenant}/previews/photos/alice/`))).toBe(true);
  });

  it.each([
    ['unknown', undefined],
    ['removed', { state: 'removed' as const }],
    ['without storage', { storage: null }],
    ['of another bucket', { storage: `gs://others/tenants/${tenant}/` }],
    ['of another folder', { storage: `gs://${tenantsBucket}/tenants/acme-2/` }],
  ])('that is %s has nothing', async (_, given) => {
    const { state = 'active' as const, storage } = { state: undefined, storage: undefined, ...given };
    const found = { ...place(), ...(storage !== undefined && { storage }) };
    if (given) await writeTenant(await firestore(), tenant, {}, { state, place: found });
    const object = await put();

    const error = await failureOf(world.deliver(finalized(object), { route: routeOfTenants }));

    expect(error).toMatchObject({ code: 'TENANT_NOT_ACTIVE', retryable: false });
    expect(await world.deliver(deleted(object), { route: routeOfTenants })).toMatchObject({
      changes: [],
      notes: [{ code: 'TENANT_NOT_ACTIVE' }],
    });
    expect(await usersOf()).toEqual([]);
  });

  it('without its schema gets none', async () => {
    const missing = { ...place(), schema: 'missing' };
    await writeTenant(await firestore(), tenant, {}, { place: missing });

    const error = await failureOf(world.deliver(finalized(await put()), { route: routeOfTenants }));

    expect(error).toMatchObject({ code: 'TENANT_NOT_ACTIVE' });
    expect(await world.query("SELECT FROM pg_namespace WHERE nspname = 'missing'")).toEqual([]);
  });
});
