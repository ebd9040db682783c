import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { hash } from '../../shared/operation/canonical.ts';
import type { ManifestRecord } from '../../shared/registry/manifests/model.ts';
import { type OperationRecord, operationDocumentId } from '../../shared/registry/operations.ts';
import { reopenOperation } from '../../shared/registry/replay.ts';
import { type PostgresProxy, startPostgresProxy } from '../support/postgres-proxy.ts';
import { startTestStack, target, uploads } from '../support/stack.ts';
import { membersOf } from './members.ts';
import { documentIdOf, operationIdOf, useObjects } from './objects.ts';

let proxy: PostgresProxy;

const cloud = useObjects({}, (options) =>
  startTestStack({
    ...options,
    // Whoever was killed is taken for dead soon.
    environment: { ...options.environment, DROVER_LEASE_SECONDS: '5' },
    databases: { open: ['app'] },
    async proxyFor({ port }) {
      proxy = await startPostgresProxy(port);
      return proxy.port;
    },
  }),
);

const people = ['alice', 'bob', 'carol', 'dave'];

let tests = 0;
let object: string;
/** A schema of the test's own. */
let schema: string;

beforeAll(async () => {
  await cloud.query(people.map((name) => `CREATE ROLE ${name} LOGIN`).join(';'));
});

beforeEach(() => {
  tests += 1;
  object = `manifests/test${tests}.yaml`;
  schema = `schema${tests}`;
  proxy.intercept = undefined;
});

interface Item {
  readonly key: string;
  readonly state: string;
  readonly operation?: string;
  readonly changes: readonly string[];
  readonly problem?: { readonly code: string; readonly message: string };
}

interface Result {
  readonly items: readonly Item[];
  readonly results?: string;
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

const itemsOf = ({ result }: OperationRecord) => (result as unknown as Result).items;
const statesOf = (items: readonly Item[]) => Object.fromEntries(items.map(({ key, state }) => [key, state]));

/** The object that says what came of a generation. */
async function resultOf(
  generation: string,
  name = object,
  suffix = '',
): Promise<Result & Record<string, unknown>> {
  const file = `results/${name.replace(/\.yaml$/, '')}/${generation}${suffix}.json`;
  const [content] = await cloud.storage.bucket(uploads).file(file).download();
  return JSON.parse(content.toString()) as Result & Record<string, unknown>;
}

async function uploaded(content: string, name = object) {
  const generation = await cloud.put(name, content);
  return { generation, record: await cloud.ended(name, generation) };
}

const members = (of = schema) => membersOf(cloud.stack, 'app', of);

async function registered(name = object): Promise<ManifestRecord> {
  const found = await cloud.stack.db.collection('manifests').doc(hash(uploads, name).slice(0, 40)).get();
  return found.data() as ManifestRecord;
}

async function claims(): Promise<Record<string, unknown>> {
  const { docs } = await cloud.stack.db.collection('manifest-claims').get();
  return Object.assign({}, ...docs.map((document) => document.get('holders') as object)) as Record<
    string,
    unknown
  >;
}

/** How many operations the functions have been asked for that manifests ask. */
async function operations(): Promise<number> {
  const functions = ['create-schema', 'grant-roles', 'rotate-secret', 'bootstrap-tenant'];
  const { docs } = await cloud.stack.db.collection('operations').where('function', 'in', functions).get();
  return docs.length;
}

/** Counts the queries that a piece of work has PostgreSQL answer. */
async function queriesOf(work: () => Promise<unknown>): Promise<string[]> {
  const queries: string[] = [];
  proxy.intercept = ({ query, phase }) => {
    if (phase === 'before' && query !== 'Startup' && query !== 'Password') queries.push(query);
  };
  await work();
  proxy.intercept = undefined;
  return queries;
}

async function replay(operationId: string): Promise<void> {
  const id = operationDocumentId('ingest-object', { operationId, dryRun: false });
  cloud.stack.results.delete(id);
  const { topic, data, attributes } = await reopenOperation(cloud.stack.db, id);
  await cloud.stack.messaging.topic(topic).publishMessage({ data, attributes });
}

describe('a manifest', () => {
  it('makes what it says from nothing, in order, and says what it did', async () => {
    const { generation, record } = await uploaded(
      manifest(
        {
          [schema]: {
            customRoles: [{ name: 'auditor', version: 1, privileges: { tables: ['SELECT'] } }],
            grants: [grant('alice'), { principal: 'bob', kind: 'login', customRole: 'auditor' }],
          },
        },
        {
          grants: [grant('carol', 'monitor')],
          secrets: { [`app-${schema}`]: { kind: 'postgres', schema, level: 'writer' } },
        },
      ),
    );

    expect(record).toMatchObject({
      state: 'succeeded',
      summary: { changed: 4, failed: 0, skipped: 0, unchanged: 0 },
    });
    expect(await members()).toEqual(expect.arrayContaining([expect.stringContaining('alice')]));
    expect(statesOf(itemsOf(record))).toEqual({
      [`schema ${schema}`]: 'done',
      [`grants ${schema}`]: 'done',
      'grants (database)': 'done',
      [`secret app-${schema}`]: 'done',
    });
    const written = await resultOf(generation);
    expect(written).toMatchObject({ state: 'applied', manifest: { bucket: uploads, object, generation } });
    expect(written.items.map(({ key }) => key)).toEqual(itemsOf(record).map(({ key }) => key));
    expect((record.result as unknown as Result).results).toBe(
      `gs://${uploads}/results/${object.replace('.yaml', '')}/${generation}.json`,
    );
    expect(await registered()).toMatchObject({ state: 'applied', generation, settled: true, before: [] });
  });

  it('uploaded again asks for nothing, and looks at the catalog once', async () => {
    const text = manifest(
      {
        [schema]: { grants: people.map((name) => grant(name)) },
        [`${schema}b`]: { grants: [grant('bob', 'writer')] },
      },
      {
        secrets: {
          [`app-${schema}`]: { kind: 'postgres', schema, level: 'reader', grace: '2d', probe: 'SELECT 1' },
        },
      },
    );
    expect((await uploaded(text)).record).toMatchObject({ state: 'succeeded' });
    const before = await operations();

    const queries = await queriesOf(async () => {
      const { record } = await uploaded(text);
      expect(itemsOf(record).filter(({ state }) => state !== 'unchanged')).toEqual([]);
      expect(record).toMatchObject({
        changes: [],
        summary: { changed: 0, failed: 0, skipped: 0, unchanged: 5 },
      });
    });

    expect(queries).toHaveLength(1);
    expect(await operations()).toBe(before);
  });

  it('asks for what differs, and for nothing else', async () => {
    const text = (grants: object[], more = {}) => manifest({ [schema]: { grants } }, more);
    await uploaded(text([grant('alice'), grant('bob')]));
    const before = await operations();

    const { record } = await uploaded(text([grant('alice'), grant('carol')]));

    expect(itemsOf(record)).toMatchObject([
      { key: `schema ${schema}`, state: 'unchanged' },
      { key: `grants ${schema}`, state: 'done', changes: [expect.stringContaining('carol')] },
    ]);
    expect(record.notes).toMatchObject([{ code: 'KEPT', message: expect.stringContaining('bob reader') }]);
    expect(await operations()).toBe(before + 1);
    expect((await members()).join()).toMatch(/alice.*bob.*carol/);
  });

  it('takes back what it no longer names, where it says so', async () => {
    const text = (grants: object[]) => manifest({ [schema]: { grants } }, { onDelete: 'revoke' });
    await uploaded(text([grant('alice'), grant('bob')]));

    const { record } = await uploaded(text([grant('alice')]));

    expect(statesOf(itemsOf(record))).toMatchObject({
      [`revoke ${schema}`]: 'done',
      [`grants ${schema}`]: 'unchanged',
    });
    expect((await members()).join()).not.toContain('bob');
    expect((await uploaded(text([grant('alice')]))).record.summary).toMatchObject({ changed: 0 });
  });

  it('that is exact takes back whatever others granted', async () => {
    const text = manifest({ [schema]: { exact: true, grants: [grant('alice')] } });
    await uploaded(text);
    await cloud.stack.send(
      'grant-roles',
      { target: target('app'), schema, mode: 'add', grants: [grant('dave')] },
      { id: `by-hand-${schema}` },
    );
    await cloud.stack.ended('grant-roles', `by-hand-${schema}`);
    expect((await members()).join()).toContain('dave');

    const { record } = await uploaded(text);

    expect(statesOf(itemsOf(record))).toEqual({
      [`schema ${schema}`]: 'unchanged',
      [`grants ${schema}`]: 'done',
    });
    expect((await members()).join()).not.toContain('dave');
    expect((await uploaded(text)).record.summary).toMatchObject({ changed: 0 });
  });

  it('finds what somebody changed by hand', async () => {
    const text = manifest({ [schema]: { grants: [grant('alice'), grant('bob')] } });
    await uploaded(text);
    await cloud
      .query(`SET ROLE drover_admin; REVOKE app__${schema}__reader FROM alice CASCADE`)
      .catch(() => undefined);
    await cloud.query(
      `DO $$ DECLARE g text; BEGIN
         FOR g IN SELECT grantor::regrole::text FROM pg_auth_members
                   WHERE roleid = 'app__${schema}__reader'::regrole AND member = 'alice'::regrole LOOP
           EXECUTE format('REVOKE app__${schema}__reader FROM alice GRANTED BY %s', g);
         END LOOP; END $$`,
    );

    const { record } = await uploaded(text);

    expect(itemsOf(record)).toMatchObject([
      { state: 'unchanged' },
      { state: 'done', changes: [expect.stringContaining('alice')] },
    ]);
    expect((await members()).join()).toContain('alice');
  });

  it('with an unknown key is refused whole, and what came of it says where', async () => {
    const generation = await cloud.put(object, manifest({ [schema]: { grants: [], colour: 'red' } }));

    expect(await cloud.ended(object, generation)).toMatchObject({
      state: 'failed',
      error: { code: 'INVALID_MANIFEST' },
    });

    expect(await resultOf(generation)).toMatchObject({
      state: 'refused',
      error: { code: 'INVALID_MANIFEST', details: { problems: [{ path: `schemas.${schema}.colour` }] } },
    });
    expect(await registered()).toBeUndefined();
  });

  it('that asks for more than the policy allows does nothing at all', async () => {
    const text = manifest({ [schema]: { grants: [grant('alice')] }, [`${schema}b`]: { adopt: true } });
    const before = await operations();

    const { record } = await uploaded(text);

    expect(record).toMatchObject({
      state: 'failed',
      error: { code: 'NOT_ALLOWED', message: expect.stringMatching(`schema ${schema}b: .*adopt`) },
    });
    expect(await operations()).toBe(before);
  });

  it('does what can be done, skips what depends on the rest, and a replay goes on', async () => {
    const text = manifest(
      { [schema]: { grants: [grant('erin')] }, [`${schema}b`]: { grants: [grant('alice')] } },
      { secrets: { [`app-${schema}`]: { kind: 'postgres', schema, level: 'reader' } } },
    );

    const { generation, record } = await uploaded(text);

    expect(record).toMatchObject({ state: 'failed', error: { code: 'MANIFEST_INCOMPLETE' } });
    const { items } = await resultOf(generation);
    expect(statesOf(items)).toEqual({
      [`schema ${schema}`]: 'done',
      [`grants ${schema}`]: 'failed',
      [`schema ${schema}b`]: 'done',
      [`grants ${schema}b`]: 'done',
      [`secret app-${schema}`]: 'skipped',
    });
    expect(items.find(({ state }) => state === 'failed')?.problem).toMatchObject({
      code: 'PRINCIPAL_NOT_FOUND',
    });
    expect(await cloud.tagsOf(object)).toMatchObject({ 'drover-error': 'MANIFEST_INCOMPLETE' });

    await cloud.query('CREATE ROLE erin LOGIN');
    const before = await operations();
    await replay(operationIdOf(object, generation));
    const again = await cloud.ended(object, generation);
    expect(again).toMatchObject({ state: 'succeeded', summary: { failed: 0, skipped: 0 } });
    expect(await operations()).toBe(before + 2);
    expect((await members()).join()).toContain('erin');
    expect(await cloud.tagsOf(object)).toEqual({});
    await cloud.query('DROP OWNED BY erin; DROP ROLE erin');
  });

  it('is told of ten times at once, and does everything once', async () => {
    const before = await operations();
    const generation = await cloud.put(object, manifest({ [schema]: { grants: [grant('alice')] } }));
    await Promise.all(Array.from({ length: 10 }, () => cloud.tell(object, generation)));

    expect(await cloud.ended(object, generation)).toMatchObject({
      state: 'succeeded',
      summary: { changed: 2 },
    });
    await cloud.stack.pubsub?.idle();
    expect(await operations()).toBe(before + 2);
  });

  it('whose process dies in the middle is gone on with, and asks for nothing twice', async () => {
    const before = await operations();
    const function_ = cloud.stack.functions.get('ingest-object');
    const { promise: underWay, resolve } = Promise.withResolvers<void>();
    const { promise: killed, resolve: letGo } = Promise.withResolvers<void>();
    proxy.intercept = async ({ query, phase }) => {
      if (phase !== 'before' || !query.includes(`"${schema}"`) || !query.includes('CREATE SCHEMA')) return;
      resolve();
      await killed;
    };
    const names = ['', 'b', 'c'].map((suffix) => `${schema}${suffix}`);
    const generation = await cloud.put(
      object,
      manifest(Object.fromEntries(names.map((name) => [name, { grants: [grant('alice')] }]))),
    );
    await underWay;
    const restarted = function_?.restarted();
    process.kill(function_?.pid() ?? 0, 'SIGKILL');
    await restarted;
    letGo();

    expect(await cloud.ended(object, generation)).toMatchObject({
      state: 'succeeded',
      summary: { changed: 6 },
    });
    expect(await operations()).toBe(before + 6);
    for (const name of names) expect((await members(name)).join()).toContain('alice');
  });
});

describe('a manifest whose object', () => {
  it('is gone before it is read is left alone', async () => {
    await cloud.stack.send(
      'ingest-object',
      { event: 'OBJECT_FINALIZE', bucket: uploads, object, generation: '1' },
      { id: `gone-${schema}` },
    );
    const record = await cloud.stack.ended('ingest-object', `gone-${schema}`);
    expect(record).toMatchObject({ state: 'succeeded', changes: [], notes: [{ code: 'GONE' }] });
  });

  it('is deleted and uploaded again makes everything again', async () => {
    const text = manifest({ [schema]: { grants: [grant('alice')] } }, { onDelete: 'revoke' });
    await uploaded(text);
    await cloud.deleted(object);
    expect(await members()).toEqual([]);

    expect((await uploaded(text)).record).toMatchObject({
      state: 'succeeded',
      summary: { changed: 1, unchanged: 1 },
    });
    expect((await members()).join()).toContain('alice');
  });

  it('is deleted twice, or was never understood, leaves nothing to do', async () => {
    const { generation } = await uploaded('version: 7');
    await cloud.storage.bucket(uploads).file(object).delete();
    const message = { event: 'OBJECT_DELETE', bucket: uploads, object, generation };
    for (const time of ['first', 'second']) {
      const id = `${time}-${schema}`;
      await cloud.stack.send('ingest-object', message, { id });
      expect(await cloud.stack.ended('ingest-object', id)).toMatchObject({
        state: 'succeeded',
        notes: [{ code: 'GONE' }],
      });
    }
  });
});

describe('two generations', () => {
  it('of which the older one is told of last: the newer one stays', async () => {
    const text = (level: string) =>
      manifest({ [schema]: { grants: [grant('alice', level)] } }, { onDelete: 'revoke' });
    const first = await uploaded(text('reader'));
    const second = await uploaded(text('writer'));
    expect(second.record).toMatchObject({ state: 'succeeded' });

    await cloud.stack.send(
      'ingest-object',
      { event: 'OBJECT_FINALIZE', bucket: uploads, object, generation: first.generation },
      { id: `late-${schema}` },
    );

    const late = await cloud.stack.ended('ingest-object', `late-${schema}`);
    expect(late).toMatchObject({ state: 'succeeded', changes: [], notes: [{ code: 'SUPERSEDED' }] });
    const who = (await members()).join();
    expect(who).toContain('writer');
    expect(who).not.toContain('reader');
  });

  it('of which the older one was cut off: the newer one asks for everything', async () => {
    const text = manifest({ [schema]: { grants: [grant('alice')] } });
    await uploaded(text);
    const ref = cloud.stack.db.collection('manifests').doc(hash(uploads, object).slice(0, 40));
    await ref.update({ state: 'applying', settled: false, ended: false });
    const before = await operations();

    const { record } = await uploaded(text);

    expect(record).toMatchObject({ state: 'succeeded' });
    expect(await operations()).toBe(before + 2);
    expect(await registered()).toMatchObject({ state: 'applied', settled: true, forced: false });
  });
});

describe('two manifests that speak of one schema', () => {
  it('are refused, until one of them lets go of it or is gone', async () => {
    const other = object.replace('.yaml', '-other.yaml');
    const text = manifest({ [schema]: { grants: [grant('alice')] } });
    await uploaded(text);

    const { generation, record } = await uploaded(text, other);
    expect(record).toMatchObject({
      state: 'failed',
      error: { code: 'CLAIMED', message: expect.stringContaining(`gs://${uploads}/${object}`) },
    });
    expect(await resultOf(generation, other)).toMatchObject({ state: 'refused', error: { code: 'CLAIMED' } });

    await uploaded(manifest({ [`${schema}b`]: {} }));
    expect((await uploaded(text, other)).record).toMatchObject({ state: 'succeeded' });
    expect(await claims()).toMatchObject({
      [`schema ${schema}`]: { object: other },
      [`schema ${schema}b`]: { object },
    });

    await cloud.deleted(other);
    expect(await claims()).not.toHaveProperty([`schema ${schema}`]);
    expect((await uploaded(text)).record).toMatchObject({ state: 'succeeded' });
  });

  it('of which one is gone without a word: the other takes over', async () => {
    const other = object.replace('.yaml', '-other.yaml');
    const text = manifest({ [schema]: { grants: [grant('alice')] } }, { onDelete: 'revoke' });
    await uploaded(text);
    const claimed = await registered();
    await cloud.deleted(object);
    // As if its deletion had not been told of yet.
    const ref = (collection: string, ...key: string[]) =>
      cloud.stack.db.collection(collection).doc(hash(...key).slice(0, 40));
    await ref('manifests', uploads, object).set(claimed);
    const { instance, database } = target('app');
    const shard = hash(`schema ${schema}`).slice(0, 1);
    const scope = ['database', instance, database, shard];
    const holders = { [`schema ${schema}`]: { bucket: uploads, object } };
    await ref('manifest-claims', ...scope).set({ scope, holders }, { merge: true });

    expect((await uploaded(text, other)).record).toMatchObject({ state: 'succeeded' });
    const send = { event: 'OBJECT_DELETE', bucket: uploads, object, generation: claimed.generation };
    await cloud.stack.send('ingest-object', send, { id: `deleted-${schema}` });

    expect(await cloud.stack.ended('ingest-object', `deleted-${schema}`)).toMatchObject({
      state: 'succeeded',
      notes: expect.arrayContaining([expect.objectContaining({ code: 'TAKEN_OVER' })]),
    });
    expect((await members()).join()).toContain('alice');
    expect(await claims()).toMatchObject({ [`schema ${schema}`]: { object: other } });
  });
});

describe('a manifest that is deleted', () => {
  it('takes nothing away, and says what stays', async () => {
    await uploaded(manifest({ [schema]: { grants: [grant('alice')] } }));

    const record = await cloud.deleted(object);

    expect(record).toMatchObject({ state: 'succeeded', changes: [], notes: [{ code: 'KEPT' }] });
    expect(record.notes?.[0]?.message).toMatch(`schema ${schema}`);
    expect((await members()).join()).toContain('alice');
    expect(await registered()).toMatchObject({ state: 'deleted', text: null, claims: [] });
  });

  it('takes back what it granted, where it said so', async () => {
    await uploaded(
      manifest({ [schema]: { grants: [grant('alice'), grant('bob', 'writer')] } }, { onDelete: 'revoke' }),
    );
    await cloud.stack.send(
      'grant-roles',
      { target: target('app'), schema, mode: 'add', grants: [grant('dave')] },
      { id: `by-hand-${schema}` },
    );
    await cloud.stack.ended('grant-roles', `by-hand-${schema}`);
    const generation = (await registered()).generation;

    const record = await cloud.deleted(object);

    expect(record).toMatchObject({ state: 'succeeded', summary: { changed: 1, failed: 0 } });
    expect(await members()).toEqual([expect.stringContaining('dave')]);
    expect(await resultOf(generation, object, '.deleted')).toMatchObject({ state: 'deleted' });
    expect(await registered()).toMatchObject({ state: 'deleted', text: null });
  });
});

describe('a manifest that comes late', () => {
  it('does not undo what somebody decided since, and does not say that it did', async () => {
    await uploaded(manifest({ [schema]: {} }));
    const held = cloud.holdEvent(object);
    const generation = await cloud.put(
      object,
      manifest({ [schema]: { grants: [grant('alice'), grant('bob')] } }),
    );
    await held.met;
    const revocation = { target: target('app'), schema, mode: 'revoke', grants: [grant('alice')] };
    await cloud.stack.send('grant-roles', revocation, { id: `revoked-${schema}` });
    await cloud.stack.ended('grant-roles', `revoked-${schema}`);
    held.letGo();

    expect(await cloud.ended(object, generation)).toMatchObject({
      state: 'failed',
      error: { code: 'MANIFEST_INCOMPLETE' },
    });
    expect(await resultOf(generation)).toMatchObject({
      state: 'incomplete',
      items: [
        { state: 'unchanged' },
        {
          state: 'failed',
          changes: [expect.stringContaining('bob')],
          problem: {
            code: 'SUPERSEDED',
            message: expect.stringContaining('upload the file again') as string,
          },
        },
      ],
    });
    expect(await members()).toEqual(['reader bob']);
  });

  it('and whose worker dies after the end says the same again', async () => {
    const text = (grants: object[]) => manifest({ [schema]: { grants } }, { onDelete: 'revoke' });
    await uploaded(text([grant('alice'), grant('bob')]));
    const { generation, record } = await uploaded(text([grant('alice')]));
    expect(statesOf(itemsOf(record))).toMatchObject({ [`revoke ${schema}`]: 'done' });
    const id = documentIdOf(object, generation);
    await cloud.stack.db.collection('operations').doc(id).update({ state: 'pending', reported: false });
    cloud.stack.results.delete(id);

    await cloud.tell(object, generation);

    expect(await cloud.ended(object, generation)).toMatchObject({
      state: 'succeeded',
      result: record.result,
      changes: record.changes,
    });
    expect(await resultOf(generation)).toMatchObject({ items: itemsOf(record) });
  });
});

describe('what a manifest takes back', () => {
  const revoking = (schemas: object) => manifest(schemas, { onDelete: 'revoke' });

  it('is nothing of what another one grants that was uploaded before: a file that is moved', async () => {
    const other = object.replace('.yaml', '-moved.yaml');
    const text = revoking({ [schema]: { grants: [grant('alice')] } });
    await uploaded(text);
    const { generation, record } = await uploaded(text, other);
    expect(record).toMatchObject({ state: 'failed', error: { code: 'CLAIMED' } });
    await cloud.deleted(object);
    expect(await members()).toEqual([]);

    await replay(operationIdOf(other, generation));

    expect(await cloud.ended(other, generation)).toMatchObject({ state: 'succeeded' });
    expect(await members()).toEqual(['reader alice']);
  });

  it('is nothing that somebody else granted, and what came of it says so', async () => {
    await uploaded(revoking({ [schema]: {} }));
    const byHand = { target: target('app'), schema, mode: 'add', grants: [grant('alice')] };
    await cloud.stack.send('grant-roles', byHand, { id: `by-hand-${schema}` });
    await cloud.stack.ended('grant-roles', `by-hand-${schema}`);
    const { record } = await uploaded(revoking({ [schema]: { grants: [grant('alice'), grant('bob')] } }));
    expect(record).toMatchObject({ state: 'succeeded' });

    const deleted = await cloud.deleted(object);

    expect(await members()).toEqual(['reader alice']);
    const kept = { code: 'KEPT', message: expect.stringContaining('alice reader') as string };
    expect(deleted.notes).toContainEqual(kept);
  });

  it('is also what was under way when it was deleted, and nobody could see yet', async () => {
    await uploaded(revoking({ [schema]: {} }));
    const customRoles = [{ name: 'support', version: 1, inherits: ['reader'] }];
    const [met, free] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    proxy.intercept = async ({ query, phase }) => {
      if (phase !== 'before' || !query.includes('CREATE ROLE') || !query.includes(`${schema}__support`))
        return;
      met.resolve();
      await free.promise;
    };
    const given = { principal: 'carol', kind: 'login', customRole: 'support' };
    const generation = await cloud.put(object, revoking({ [schema]: { customRoles, grants: [given] } }));
    await met.promise;

    const deletion = cloud.deleted(object);
    await vi.waitFor(async () => expect(await registered()).toMatchObject({ state: 'deleting' }), {
      timeout: 20_000,
      interval: 20,
    });
    const overtaken = await cloud.ended(object, generation);
    free.resolve();

    expect(await deletion).toMatchObject({ state: 'succeeded', summary: { changed: 1, failed: 0 } });
    expect(await members()).toEqual([]);
    expect(await registered()).toMatchObject({ state: 'deleted', sent: {} });
    expect(overtaken.notes).toContainEqual(expect.objectContaining({ code: 'SUPERSEDED' }));
    expect(await resultOf(generation)).toMatchObject({
      state: 'superseded',
      items: [
        { key: `schema ${schema}`, state: 'unchanged' },
        { key: `grants ${schema}`, state: 'skipped', problem: { code: 'SUPERSEDED' } },
      ],
    });
  });
});

describe('a dry run', () => {
  it('says what a manifest would do, and changes nothing', async () => {
    await uploaded(manifest({ [schema]: { grants: [grant('alice')] } }));
    const taken = await uploaded(manifest({ [`${schema}c`]: {} }), `${object}-other.yaml`);
    expect(taken.record).toMatchObject({ state: 'succeeded' });
    const everything = async () => {
      const collections = ['manifests', 'manifest-claims', 'grants', 'schemas'];
      const found = await Promise.all(collections.map((name) => cloud.stack.db.collection(name).get()));
      return [
        found.map(({ docs }) => docs.map((one) => one.data())),
        await operations(),
        await cloud.list(''),
      ];
    };
    const before = await everything();

    const text = manifest({
      [schema]: { grants: [grant('alice'), grant('bob')] },
      [`${schema}b`]: { grants: [grant('nobody')] },
      [`${schema}c`]: {},
      [`${schema}d`]: { adopt: true },
    });
    const message = { event: 'PLAN_MANIFEST', manifest: text, bucket: uploads, object };
    await cloud.stack.send('ingest-object', message, { id: `plan-${schema}`, dryRun: true });

    const record = await cloud.stack.ended('ingest-object', `plan-${schema}`, true);
    expect(record).toMatchObject({ state: 'planned', summary: { unchanged: 1, changed: 2, refused: 3 } });
    expect(itemsOf(record)).toMatchObject([
      { key: `schema ${schema}`, state: 'unchanged', changes: [] },
      {
        key: `schema ${schema}b`,
        state: 'change',
        changes: [expect.stringContaining(`create the schema app.${schema}b`)],
      },
      { key: `schema ${schema}c`, state: 'refused', problem: { code: 'CLAIMED' } },
      { key: `schema ${schema}d`, state: 'refused', problem: { code: 'NOT_ALLOWED' } },
      { key: `grants ${schema}`, state: 'change', changes: ['grant reader to bob'] },
      { key: `grants ${schema}b`, state: 'refused', problem: { code: 'PRINCIPAL_NOT_FOUND' } },
    ]);
    expect(await everything()).toEqual(before);
  });

  it('of an object says the same, and leaves it alone', async () => {
    const generation = await cloud.put(object, manifest({ [schema]: { grants: [grant('alice')] } }));
    await cloud.ended(object, generation);
    const message = { event: 'OBJECT_FINALIZE', bucket: uploads, object, generation };
    await cloud.stack.send('ingest-object', message, { id: `dry-${schema}`, dryRun: true });

    expect(await cloud.stack.ended('ingest-object', `dry-${schema}`, true)).toMatchObject({
      state: 'planned',
      summary: { unchanged: 2, changed: 0, refused: 0 },
    });
    expect(await registered()).toMatchObject({ state: 'applied', round: 1 });
  });

  it('of a tenant that isn’t there yet says what it would make', async () => {
    const tenant = {
      id: `acme${tests}`,
      displayName: 'Acme',
      contact: 'ops@acme.example',
      plan: 'STARTER',
      isolation: 'database',
      target: { instance: target('app').instance },
      schema: { grants: [grant('alice')] },
    };
    const message = { event: 'PLAN_MANIFEST', manifest: JSON.stringify({ version: 1, tenant }) };
    await cloud.stack.send('ingest-object', message, { id: `plan-${schema}`, dryRun: true });

    const record = await cloud.stack.ended('ingest-object', `plan-${schema}`, true);
    expect(record).toMatchObject({ state: 'planned', summary: { changed: 2, refused: 0 } });
    expect(itemsOf(record).map(({ changes }) => changes)).toEqual([
      [`create the tenant ${tenant.id}`],
      ['grant reader to alice'],
    ]);
  });

  it('is all that a plan can be', async () => {
    await cloud.stack.send(
      'ingest-object',
      { event: 'PLAN_MANIFEST', manifest: manifest({}) },
      { id: `plan-${schema}` },
    );

    expect(await cloud.stack.ended('ingest-object', `plan-${schema}`)).toMatchObject({
      state: 'failed',
      error: { code: 'DRY_RUN_ONLY' },
    });
  });
});

describe('a tenant’s manifest', () => {
  it('makes the tenant, and then what goes with it', async () => {
    const tenant = `acme${tests}`;
    const text = JSON.stringify({
      version: 1,
      tenant: {
        id: tenant,
        displayName: 'Acme',
        contact: 'ops@acme.example',
        plan: 'STARTER',
        target: target('app'),
        features: { analytics: false, storage: false, apiKey: false },
        schema: { grants: [grant('alice')] },
      },
    });

    const { record } = await uploaded(text);

    expect(statesOf(itemsOf(record))).toEqual({ [`tenant ${tenant}`]: 'done', 'grants (tenant)': 'done' });
    expect((await members(`tenant_${tenant}`)).join()).toContain('alice');
    expect((await uploaded(text)).record.summary).toMatchObject({ changed: 0, unchanged: 2 });

    const changed = await uploaded(text.replace('Acme', 'Acme Corporation'));
    expect(changed.record).toMatchObject({ state: 'succeeded' });
    expect(itemsOf(changed.record)).toMatchObject([
      { state: 'done', changes: [expect.stringContaining('displayName')] },
      { state: 'unchanged' },
    ]);
  });

  it('with opaque names claims what its things are called once they are there', async () => {
    const text = (id: string) => {
      const about = { id, displayName: 'Acme', contact: 'ops@acme.example', plan: 'STARTER' };
      const features = { analytics: false, storage: false, apiKey: false, opaqueNames: true };
      const more = { target: target('app'), features, schema: { grants: [grant('alice')] } };
      return JSON.stringify({ version: 1, tenant: { ...about, ...more } });
    };
    for (const id of [`opaque${tests}a`, `opaque${tests}b`]) {
      const { record } = await uploaded(text(id), object.replace('.yaml', `-${id}.yaml`));
      expect(record).toMatchObject({ state: 'succeeded', summary: { changed: 2 } });
    }
    const schemas = Object.entries(await claims()).filter(([name]) => /^schema t_[0-9a-f]{20}$/.test(name));
    expect(schemas).toHaveLength(2);
  });

  it('whose tenant can’t be made does nothing of the rest', async () => {
    const tenant = { id: `acme${tests}`, displayName: 'Acme', contact: 'ops@acme.example', plan: 'NONE' };
    const more = { target: target('app'), schema: { grants: [grant('alice')] } };
    const { generation, record } = await uploaded(
      JSON.stringify({ version: 1, tenant: { ...tenant, ...more } }),
    );

    expect(record).toMatchObject({ state: 'failed', error: { code: 'MANIFEST_INCOMPLETE' } });
    expect((await resultOf(generation)).items).toMatchObject([
      { key: `tenant ${tenant.id}`, state: 'failed', problem: { code: 'UNKNOWN_PLAN' } },
      {
        key: 'grants (tenant)',
        state: 'skipped',
        problem: { message: expect.stringContaining(`tenant ${tenant.id}`) },
      },
    ]);
  });
});
