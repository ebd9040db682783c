import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { localProject } from '../../local/stack.ts';
import type { OperationRecord } from '../../shared/registry/operations.ts';
import { tenantDocumentId } from '../../shared/registry/tenants/document-id.ts';
import { drover } from '../cli/fixture.ts';
import { run } from '../support/postgres.ts';
import { secretsOf, type TestSecrets } from '../support/secrets.ts';
import { startTestStack, target, uploads } from '../support/stack.ts';
import { quotaOf } from '../support/tenant-record.ts';
import { membersOf, registryOf } from './members.ts';
import { routes, useObjects } from './objects.ts';
import { lean, tenantMessage } from './tenants.ts';

const folders = { kind: 'manifest', bucket: uploads, objects: 'tenants/{tenant}/manifests/**.yaml' };

const cloud = useObjects(
  {
    environment: {
      DROVER_ROUTES: JSON.stringify([...routes, folders]),
      // Far more calls than the tests make, so that none has to wait.
      DROVER_ADMIN_API_PER_MINUTE: '1000',
    },
  },
  (options) => startTestStack({ ...options, databases: { open: ['app', 'app2'] } }),
);

let secrets: TestSecrets;
let tests = 0;
let object: string;
/** A schema of the test's own. */
let schema: string;

beforeAll(async () => {
  secrets = secretsOf(cloud.stack);
  await cloud.query(['alice', 'bob', 'carol'].map((name) => `CREATE ROLE ${name} LOGIN`).join(';'));
});

afterAll(() => secrets?.close());

beforeEach(() => {
  tests += 1;
  object = `manifests/one${tests}.yaml`;
  schema = `part${tests}`;
});

interface Item {
  readonly key: string;
  readonly state: string;
  readonly changes: readonly string[];
  readonly problem?: { readonly code: string; readonly message: string };
  readonly notes?: readonly { readonly code: string }[];
}

const grant = (principal: string, level = 'reader', more = {}) => ({
  principal,
  kind: 'login',
  level,
  ...more,
});

/** A manifest as JSON, which is YAML, too. */
const manifest = (schemas: object, more: object = {}) =>
  JSON.stringify({ version: 1, database: target('app'), schemas, ...more });

const itemsOf = ({ result }: OperationRecord) => (result as unknown as { items: readonly Item[] }).items;
const statesOf = (record: OperationRecord) =>
  Object.fromEntries(itemsOf(record).map(({ key, state }) => [key, state]));
const members = (of = schema, database = 'app') => membersOf(cloud.stack, database, of);

async function uploaded(content: string, name = object) {
  const generation = await cloud.put(name, content);
  return { generation, record: await cloud.ended(name, generation) };
}

/** The object that says what came of a generation. */
async function resultOf(generation: string, name = object, suffix = '') {
  const file = `results/${name.replace(/\.yaml$/, '')}/${generation}${suffix}.json`;
  const [content] = await cloud.storage.bucket(uploads).file(file).download();
  return JSON.parse(content.toString()) as { items: readonly Item[] } & Record<string, unknown>;
}

/** What one function was asked for. */
async function operationsOf(name: string): Promise<OperationRecord[]> {
  const { docs } = await cloud.stack.db.collection('operations').where('function', '==', name).get();
  return docs.map((one) => one.data() as OperationRecord);
}

/** Deletes an object that was tagged, whose event has an id of its own by that; the record of what came of it. */
async function gone(name = object): Promise<OperationRecord> {
  const events = async () => {
    const { docs } = await cloud.stack.db
      .collection('operations')
      .where('function', '==', 'ingest-object')
      .get();
    return docs;
  };
  await cloud.idle();
  const before = new Set((await events()).map(({ id }) => id));
  await cloud.storage.bucket(uploads).file(name).delete();
  await cloud.idle();
  const [record, ...others] = (await events()).filter(({ id }) => !before.has(id));
  expect(others).toEqual([]);
  return record?.data() as OperationRecord;
}

async function planned(text: string, at?: string): Promise<OperationRecord> {
  const id = `plan-${tests}-${Math.random()}`;
  const place = at === undefined ? {} : { bucket: uploads, object: at };
  const message = { event: 'PLAN_MANIFEST', manifest: text, ...place };
  await cloud.stack.send('ingest-object', message, { id, dryRun: true });
  return cloud.stack.ended('ingest-object', id, true);
}

/** Runs the real command with the text as its file. */
async function plan(text: string, ...options: readonly string[]) {
  const folder = mkdtempSync(path.join(tmpdir(), 'drover-plan-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'billing.yaml');
  writeFileSync(file, text);
  const { PUBSUB_EMULATOR_HOST = '', FIRESTORE_EMULATOR_HOST = '' } = cloud.stack.environment;
  const environment = {
    GOOGLE_CLOUD_PROJECT: localProject,
    METADATA_SERVER_DETECTION: 'none',
    ...{ PUBSUB_EMULATOR_HOST, FIRESTORE_EMULATOR_HOST },
  };
  const { code, stdout, stderr } = await drover(['plan', file, ...options], { environment });
  return { code, stderr, lines: stdout.trimEnd().split('\n') };
}

describe('an object that is no manifest', () => {
  it('but 10 MB of YAML is refused before it is read', async () => {
    const { storage } = cloud.stack;
    const read: unknown[] = [];
    if (storage)
      storage.intercept = ({ method, phase, request }) => {
        if (phase === 'before' && request['object'] === object) read.push([method, request['alt']]);
      };
    const generation = await cloud.put(object, Buffer.alloc(10 * 1024 ** 2, 'schemas: { a: {} }\n'));
    expect(await cloud.ended(object, generation)).toMatchObject({
      state: 'failed',
      error: { code: 'MANIFEST_TOO_LARGE' },
    });

    expect(read).toContainEqual(['objects.get', undefined]);
    expect(read).not.toContainEqual(['objects.get', 'media']);
    expect(await resultOf(generation)).toMatchObject({
      state: 'refused',
      error: { code: 'MANIFEST_TOO_LARGE', details: { bytes: 10 * 1024 ** 2 } },
      items: [],
    });
    expect(await cloud.tagsOf(object)).toMatchObject({ 'drover-error': 'MANIFEST_TOO_LARGE' });
  });

  it('but has a cycle is refused, and told which', async () => {
    const text = manifest({ [schema]: { after: [`${schema}b`] }, [`${schema}b`]: { after: [schema] } });
    const { generation, record } = await uploaded(text);
    expect(record).toMatchObject({ state: 'failed', error: { code: 'INVALID_MANIFEST' } });
    expect(record.error?.message).toContain(`${schema} → ${schema}b → ${schema}`);
    expect(await resultOf(generation)).toMatchObject({ state: 'refused', items: [] });
  });
});

describe('a manifest that is archived, for its bucket has versions,', () => {
  it('is gone where no other generation is live, and otherwise was replaced', async () => {
    const text = (name: string) => manifest({ [schema]: { grants: [grant(name)] } }, { onDelete: 'revoke' });
    const first = await uploaded(text('alice'));
    const second = await uploaded(text('bob'));
    expect(await members()).toEqual(['reader bob']);

    await cloud.tell(object, first.generation, 'OBJECT_ARCHIVE');
    expect(await cloud.ended(object, first.generation, 'OBJECT_ARCHIVE')).toMatchObject({
      state: 'succeeded',
      changes: [],
      notes: [{ code: 'SUPERSEDED' }],
    });
    expect(await members()).toEqual(['reader bob']);

    // Such a bucket tells of no deletion: this one does.
    const { met, letGo } = cloud.holdEvent(object, 'OBJECT_DELETE');
    await cloud.storage.bucket(uploads).file(object).delete();
    await met;
    await cloud.tell(object, second.generation, 'OBJECT_ARCHIVE');
    expect(await cloud.ended(object, second.generation, 'OBJECT_ARCHIVE')).toMatchObject({
      state: 'succeeded',
      summary: { changed: 1 },
    });
    expect(await members()).toEqual([]);
    expect(await resultOf(second.generation, object, '.deleted')).toMatchObject({
      event: 'OBJECT_ARCHIVE',
      state: 'deleted',
    });
    letGo();
    expect(await cloud.ended(object, second.generation, 'OBJECT_DELETE')).toMatchObject({
      state: 'succeeded',
      notes: [{ code: 'GONE' }],
    });
  });
});

describe('a manifest', () => {
  it('has grants that end, IAM users that nobody made yet, policies of secrets and a locked database', async () => {
    const zoe = { principal: `zoe${tests}@acme.com`, kind: 'iam-user', level: 'writer' };
    const text = (until: string, everyDays: number) =>
      manifest(
        {
          [schema]: {
            createMissing: true,
            grants: [{ ...zoe, expiresAt: until, reason: 'Stands in' }, grant('alice')],
          },
        },
        {
          database: target('app2'),
          lockDatabase: true,
          secrets: {
            [`app-${schema}`]: {
              ...{ kind: 'postgres', schema, level: 'reader', grace: '2d' },
              policy: { everyDays, jitterDays: 3 },
            },
          },
        },
      );
    // As CANNOT_LOCK_DATABASE says: the database is somebody else's.
    await run(
      cloud.stack.cluster.superuserUrl('app2'),
      'GRANT CONNECT, TEMPORARY ON DATABASE app2 TO drover_admin WITH GRANT OPTION',
      'GRANT CONNECT ON DATABASE app2 TO drover_writers',
      'REVOKE CONNECT, TEMPORARY ON DATABASE app2 FROM PUBLIC',
    );
    const first = await uploaded(text('2040-01-31T18:00:00+01:00', 30));
    expect(first.record).toMatchObject({ state: 'succeeded', error: null, summary: { changed: 3 } });

    const { grants } = await registryOf(cloud.stack, 'app2', schema);
    const granted = Object.values(grants).find(({ principal }) => principal === zoe.principal);
    expect(granted?.value).toMatchObject({
      present: true,
      expiresAt: new Date('2040-01-31T17:00:00Z'),
      reason: 'Stands in',
    });
    expect(await members(schema, 'app2')).toEqual([
      'reader alice',
      `reader app-${schema}_a`,
      `reader app-${schema}_b`,
      `writer ${zoe.principal}`,
    ]);
    expect(await secrets.record(`app-${schema}`)).toMatchObject({
      policy: { everyDays: 30, jitterDays: 3 },
      graceMinutes: 2880,
      current: 1,
    });
    const [row] = await cloud.query("SELECT has_database_privilege('carol', 'app2', 'CONNECT') AS may");
    expect(row).toEqual({ may: false });
    expect((await uploaded(text('2040-01-31T17:00:00Z', 30))).record.summary).toMatchObject({ changed: 0 });

    const changed = await uploaded(text('2030-01-31T17:00:00Z', 60));
    expect(itemsOf(changed.record)).toMatchObject([
      { state: 'unchanged' },
      { state: 'done', changes: [`change the end of writer of ${zoe.principal} to 2030-01-31T17:00:00Z`] },
      { state: 'done', changes: [expect.stringContaining('policy')] },
    ]);
    expect(await secrets.record(`app-${schema}`)).toMatchObject({ policy: { everyDays: 60 }, current: 1 });
  });

  it('gives a tenant quotas, changes them, and takes them back', async () => {
    const id = `quotas${tests}`;
    const text = (more: object) => {
      const { scope: _, tenant, ...message } = tenantMessage(id, lean);
      return JSON.stringify({ version: 1, tenant: { id: tenant, ...message, ...more } });
    };
    const limits = async () => {
      const found = await cloud.stack.db.collection('tenants').doc(tenantDocumentId(id)).get();
      return [found.get('limits.operationsPerDay'), found.get('limits.connections')];
    };
    for (const [quotas, expected] of [
      [{ quotas: { operationsPerDay: 50 } }, [50, 10]],
      [{ quotas: { operationsPerDay: 60, connections: 3 } }, [60, 3]],
      [{}, [6, 10]],
    ] as const) {
      expect((await uploaded(text(quotas))).record).toMatchObject({
        state: 'succeeded',
        summary: { changed: 1 },
      });
      expect(await limits()).toEqual(expected);
      expect((await uploaded(text(quotas))).record.summary).toMatchObject({ changed: 0 });
    }
  });

  it('that is exact says who has a role by somebody else’s grant, each time', async () => {
    const text = manifest({ [schema]: { exact: true, grants: [grant('alice')] } });
    await uploaded(text);
    await cloud.query(`GRANT app__${schema}__reader TO carol`);
    const told = {
      code: 'FOREIGN_MEMBERSHIP',
      message: expect.stringContaining(`grants ${schema}: carol has`),
    };

    for (const time of ['first', 'second']) {
      const { generation, record } = await uploaded(text);
      expect([time, record]).toMatchObject([time, { state: 'succeeded', partial: true, notes: [told] }]);
      expect(statesOf(record)).toEqual({
        [`schema ${schema}`]: 'unchanged',
        [`grants ${schema}`]: 'unchanged',
      });
      expect((await resultOf(generation)).items[1]?.notes).toMatchObject([{ code: 'FOREIGN_MEMBERSHIP' }]);
    }
    expect(await planned(text, object)).toMatchObject({ summary: { changed: 0 }, notes: [told] });
    expect(await members()).toEqual(['reader alice', 'reader carol']);
  });

  it('that is exact leaves the logins of a secret theirs that was adopted', async () => {
    const login = `legacy${tests}_a`;
    const secret = `app-legacy-${tests}`;
    const { stack } = cloud;
    await run(stack.cluster.adminUrl('app'), `CREATE ROLE ${login} LOGIN PASSWORD 'by hand'`);
    const value = { host: '127.0.0.1', port: stack.cluster.port, database: 'app', username: login };
    await secrets.create(secret, JSON.stringify({ ...value, password: 'by hand' }));
    await uploaded(manifest({ [schema]: {} }));
    const adoption = {
      ...{ secret, action: 'adopt', kind: 'postgres', target: target('app'), schema, level: 'writer' },
    };
    await stack.send('rotate-secret', adoption, { id: `adopt-${tests}` });
    const { error } = await stack.ended('rotate-secret', `adopt-${tests}`);
    await run(stack.cluster.adminUrl('app'), ...((error?.details?.['statements'] ?? []) as string[]));
    await stack.send('rotate-secret', adoption, { id: `adopt-${tests}-2` });
    expect(await stack.ended('rotate-secret', `adopt-${tests}-2`)).toMatchObject({ state: 'succeeded' });

    const { record } = await uploaded(
      manifest(
        { [schema]: { exact: true, grants: [grant('alice')] } },
        { secrets: { [secret]: { kind: 'postgres', schema, level: 'writer' } } },
      ),
    );

    expect(record).toMatchObject({ state: 'succeeded' });
    expect(await members()).toEqual(['reader alice', `writer ${login}`, `writer legacy${tests}_b`]);
  });

  it('that asks for what can’t be changed is refused in the plan, and sends nothing for that', async () => {
    const id = `fixed${tests}`;
    const text = (more: object, kind: object) => {
      const { scope: _, tenant, ...message } = tenantMessage(id, lean);
      const secret = { [`app-${schema}`]: kind };
      return JSON.stringify({
        version: 1,
        tenant: { id: tenant, ...message, schema: { grants: [grant('alice')] }, ...more },
        secrets: secret,
      });
    };
    const key = { kind: 'api-key' };
    expect((await uploaded(text({}, key))).record).toMatchObject({ state: 'succeeded' });
    const before = [await operationsOf('bootstrap-tenant'), await operationsOf('rotate-secret')];

    const plan = await planned(text({ level: 'writer' }, { kind: 'random' }), object);
    expect(plan).toMatchObject({ state: 'planned', summary: { refused: 2 } });
    expect(itemsOf(plan)).toMatchObject([
      { key: `tenant ${id}`, state: 'refused', problem: { code: 'TENANT_MISMATCH' } },
      { key: 'grants (tenant)', state: 'unchanged' },
      { key: `secret app-${schema}`, state: 'refused', problem: { code: 'SECRET_MISMATCH' } },
    ]);
    const tenants = await uploaded(text({ plan: 'NONE' }, key));
    expect(tenants.record).toMatchObject({ state: 'failed', error: { code: 'MANIFEST_INCOMPLETE' } });
    expect((await resultOf(tenants.generation)).items).toMatchObject([
      { state: 'failed', problem: { code: 'UNKNOWN_PLAN' } },
      { state: 'skipped' },
      { state: 'unchanged' },
    ]);
    const other = await uploaded(text({}, { kind: 'random' }));
    expect((await resultOf(other.generation)).items).toMatchObject([
      { state: 'unchanged' },
      { state: 'unchanged' },
      { state: 'failed', problem: { code: 'SECRET_MISMATCH' } },
    ]);
    expect([await operationsOf('bootstrap-tenant'), await operationsOf('rotate-secret')]).toEqual(before);

    expect((await uploaded(text({}, key))).record).toMatchObject({ state: 'succeeded' });
  });
});

describe('a plan', () => {
  it('says nothing of what there is of an item that isn’t allowed, though others of its place are', async () => {
    await uploaded(manifest({ [schema]: { grants: [grant('alice'), grant('bob')] } }));
    const native = [{ name: 'killer', version: 1, native: ['pg_signal_backend'] }];
    const text = (customRoles: object[]) =>
      manifest({ [schema]: { exact: true, grants: [grant('carol')], customRoles } });

    expect(itemsOf(await planned(text([])))).toMatchObject([
      { problem: { code: 'CLAIMED' } },
      { changes: expect.arrayContaining(['revoke reader from alice', 'revoke reader from bob']) },
    ]);
    expect(itemsOf(await planned(text(native), object))).toMatchObject([
      { key: `schema ${schema}`, state: 'unchanged' },
      { key: `grants ${schema}`, state: 'refused', problem: { code: 'NOT_ALLOWED' }, changes: [] },
    ]);
  });
});

describe('a manifest that is about another database than before', () => {
  const text = (database: string, name: string, more: object = {}) =>
    manifest(
      { [schema]: { grants: [grant(name)] }, ...more },
      { database: target(database), onDelete: 'revoke' },
    );

  it('takes back what it granted there, and once it is deleted what it granted here', async () => {
    await uploaded(text('app', 'alice'));
    expect((await uploaded(text('app2', 'bob'))).record).toMatchObject({ state: 'succeeded' });
    expect([await members(), await members(schema, 'app2')]).toEqual([[], ['reader bob']]);

    expect(await cloud.deleted(object)).toMatchObject({ state: 'succeeded' });
    expect([await members(), await members(schema, 'app2')]).toEqual([[], []]);
  });

  it('and is deleted before all of that was done takes everything back', async () => {
    await uploaded(text('app', 'alice'));
    const { record } = await uploaded(text('app2', 'bob', { [`${schema}b`]: { grants: [grant('nobody')] } }));
    expect(record).toMatchObject({ state: 'failed', error: { code: 'MANIFEST_INCOMPLETE' } });
    expect(await members(schema, 'app2')).toEqual(['reader bob']);

    expect(await gone()).toMatchObject({ state: 'succeeded' });
    expect([await members(), await members(schema, 'app2')]).toEqual([[], []]);
  });
});

describe('a manifest in a tenant’s folder', () => {
  const bootstrapped = async (tenant: string) => {
    await cloud.stack.send('bootstrap-tenant', tenantMessage(tenant, lean), { id: `make-${tenant}` });
    expect(await cloud.stack.ended('bootstrap-tenant', `make-${tenant}`)).toMatchObject({
      state: 'succeeded',
    });
  };
  const refOf = (tenant: string) => cloud.stack.db.collection('tenants').doc(tenantDocumentId(tenant));
  const text = (tenant: string, ...names: readonly string[]) =>
    manifest({ [`tenant_${tenant}`]: { grants: names.map((name) => grant(name)) } }, { onDelete: 'revoke' });

  it('is done in its name, and counted by its quotas', async () => {
    const tenant = `folder${tests}`;
    const own = `tenants/${tenant}/manifests/a.yaml`;
    await bootstrapped(tenant);

    const first = await uploaded(text(tenant, 'alice'), own);
    expect(first.record).toMatchObject({ state: 'succeeded' });
    expect(await members(`tenant_${tenant}`)).toContain('reader alice');
    const sent = async () => (await operationsOf('grant-roles')).filter((one) => one.tenant === tenant);
    expect(await sent()).toMatchObject([{ state: 'succeeded' }]);
    const used = (await quotaOf(cloud.stack.db, tenant))?.today ?? 0;
    expect(used).toBeGreaterThanOrEqual(1);
    expect((await uploaded(text(tenant, 'alice'), own)).record.summary).toMatchObject({ changed: 0 });
    expect(await quotaOf(cloud.stack.db, tenant)).toMatchObject({ today: used });

    await refOf(tenant).update({ 'limits.operationsPerDay': used });
    const over = await uploaded(text(tenant, 'alice', 'bob'), own);
    expect(over.record).toMatchObject({ state: 'failed', error: { code: 'MANIFEST_INCOMPLETE' } });
    expect((await resultOf(over.generation, own)).items).toContainEqual(
      expect.objectContaining({
        key: `grants tenant_${tenant}`,
        problem: expect.objectContaining({ code: 'QUOTA_EXCEEDED' }),
      }),
    );
    await refOf(tenant).update({ 'limits.operationsPerDay': used + 10 });
    expect(await cloud.replayed(own, over.generation)).toMatchObject({ state: 'succeeded' });
    expect(await members(`tenant_${tenant}`)).toContain('reader bob');

    const before = (await sent()).length;
    expect(await gone(own)).toMatchObject({ state: 'succeeded', summary: { changed: 1 } });
    expect(await sent()).toHaveLength(before + 1);
    const left = await members(`tenant_${tenant}`);
    expect(left.filter((one) => one.startsWith('reader'))).toEqual([]);
  });

  it('speaks of nothing else, and never of the tenant itself', async () => {
    const tenant = `folder${tests}`;
    const own = `tenants/${tenant}/manifests/a.yaml`;
    await bootstrapped(tenant);
    const { scope: _, tenant: id, ...message } = tenantMessage(tenant, lean);
    for (const [content, named] of [
      [manifest({ [schema]: {} }), `schema ${schema}`],
      [JSON.stringify({ version: 1, tenant: { id, ...message, plan: 'SCALE' } }), `tenant ${tenant}`],
      [manifest({}, { secrets: { 'app-other': { kind: 'random' } } }), 'secret app-other'],
    ] as const) {
      const { generation, record } = await uploaded(content, own);
      expect(record).toMatchObject({ state: 'failed', error: { code: 'NOT_ALLOWED' } });
      expect(record.error?.message).toContain(named);
      expect(await resultOf(generation, own)).toMatchObject({ state: 'refused' });
      // The plan for that place says so beforehand; for another place it is another matter.
      expect(await planned(content, own)).toMatchObject({ summary: { refused: 1 } });
      expect(await planned(content, object)).toMatchObject({ summary: { refused: 0 } });
    }
    expect((await operationsOf('create-schema')).filter((one) => one.tenant === tenant)).toEqual([]);
  });

  it('is nothing’s where the tenant isn’t there, or no longer', async () => {
    const tenant = `folder${tests}`;
    const own = `tenants/${tenant}/manifests/a.yaml`;
    const early = await uploaded(text(tenant, 'alice'), own);
    expect(early.record).toMatchObject({ state: 'failed', error: { code: 'TENANT_NOT_ACTIVE' } });
    expect(await resultOf(early.generation, own)).toMatchObject({
      state: 'refused',
      error: { code: 'TENANT_NOT_ACTIVE' },
    });

    await bootstrapped(tenant);
    expect(await cloud.replayed(own, early.generation)).toMatchObject({ state: 'succeeded' });
    await refOf(tenant).update({ state: 'removed' });
    const late = await uploaded(text(tenant, 'alice', 'bob'), own);
    expect(late.record).toMatchObject({
      state: 'failed',
      error: { code: 'TENANT_NOT_ACTIVE', message: expect.stringContaining('removed') },
    });
    // What it had goes with it: that fails nobody's removal.
    expect(await gone(own)).toMatchObject({ state: 'succeeded', changes: [] });
    const { docs } = await cloud.stack.db.collection('manifest-claims').get();
    expect(JSON.stringify(docs.map((one) => one.data()))).not.toContain(own);
  });
});

describe('drover plan', () => {
  it('has the function say what the file would do, where it would be uploaded', async () => {
    const at = ['--bucket', uploads, '--object', object];
    const [core, bills] = [`${schema}_core`, `${schema}_bills`];
    const until = '2030-01-31T18:00:00Z';
    await uploaded(
      manifest(
        { [core]: { grants: [grant('alice'), grant('bob', 'writer'), grant('carol')] } },
        { onDelete: 'revoke' },
      ),
    );
    const next = manifest(
      {
        [core]: { grants: [grant('alice', 'reader', { expiresAt: until }), grant('bob'), grant('carol')] },
        [bills]: { after: [core], grants: [grant('alice', 'writer')] },
      },
      { onDelete: 'revoke', secrets: { 'payroll-key': { kind: 'random' } } },
    );

    const { code, lines, stderr } = await plan(next, ...at);

    expect(stderr).toBe('');
    const app = `${target('app').instance}/app`;
    expect(lines.map((line) => line.replace(/ {2,}(?=\S)/, '  '))).toEqual([
      `= schema ${core}  ${app}.${core}`,
      `+ schema ${bills}  ${app}.${bills}`,
      `  create the schema app.${bills} with owner, writer, reader, analyst`,
      `~ grants ${core}  ${app}.${core}`,
      `  change the end of reader of alice to ${until}`,
      '  grant reader to bob',
      `+ grants ${bills}  ${app}.${bills}`,
      '  grant writer to alice',
      '! secret payroll-key  secret payroll-key',
      expect.stringMatching(/^ {2}NOT_ALLOWED: No rule allows ingest-object on secret payroll-key/),
      `~ replaced ${core}  ${app}.${core}`,
      '  revoke writer from bob',
      '',
      '4 to change, 1 as it is, 1 refused',
    ]);
    expect(code).toBe(1);
    expect(await members(core)).toEqual(['reader alice', 'reader carol', 'writer bob']);

    const elsewhere = await plan(
      manifest({ [bills]: {} }),
      ...['--bucket', uploads, '--object', 'somewhere/else.yaml'],
    );
    expect(elsewhere).toMatchObject({ code: 0 });
    expect(elsewhere.lines.join('\n')).toContain('NO_MANIFEST_ROUTE');
    const nowhere = await plan(manifest({ [bills]: {} }));
    expect(nowhere.lines.at(-1)).toBe('1 to change, 0 as it is, 0 refused');
    expect(nowhere.lines.join('\n')).not.toContain('NO_MANIFEST_ROUTE');
  });
});
