import { afterEach, describe, expect, it } from 'vitest';
import { operationDocumentId } from '../../shared/registry/operations.ts';
import { target } from '../support/stack.ts';
import { snapshot, withoutEpochs } from './catalog.ts';
import { commitOf, githubMessage, type Tree, useRepositories } from './repositories.ts';

const cloud = useRepositories();

const files: Tree = { 'a.md': '# A\n', 'b.md': '---\nx: [\n---\n', 'c.yaml': 'title: C\n' };

const logins = () => cloud.query(`SELECT rolname FROM pg_roles WHERE rolname LIKE 'sync\\_%'`);

afterEach(async () => {
  expect(await logins(), 'logins that are left').toEqual([]);
});

describe('what came of a sync', () => {
  it('is told by the result event, once', async () => {
    const { id } = await cloud.sync('told', files);
    const record = operationDocumentId('sync-repo-metadata', { operationId: id, dryRun: false });
    await cloud.stack.pubsub?.idle();
    expect(cloud.stack.results.get(record)).toMatchObject([
      {
        type: 'drover.operation.succeeded',
        data: {
          state: 'succeeded',
          summary: { documents: 2, added: 2, updated: 0, deleted: 0, unchanged: 0, problems: 1 },
          result: {
            repository: 'told',
            schema: 'told',
            commit: commitOf(files),
            number: 1,
            collections: { markdown: 1, yaml: 1 },
            problems: [{ code: 'INVALID_YAML', path: 'b.md' }],
          },
        },
      },
    ]);
  });

  it('is in the registry, with what failed since, until something is done again', async () => {
    await cloud.sync('noted', files);
    const synced = {
      repository: 'noted',
      source: 'archive',
      ...target('app'),
      schema: 'noted',
      commit: commitOf(files),
      number: 1,
      counts: { documents: 2, added: 2, updated: 0, deleted: 0, unchanged: 0, problems: 1 },
      collections: { markdown: 1, yaml: 1 },
      problems: [{ code: 'INVALID_YAML', path: 'b.md', line: expect.any(Number), collection: 'markdown' }],
    };
    const first = await cloud.registered('noted', 'noted');
    expect(first).toMatchObject({ ...synced, state: 'synced' });
    expect(first).not.toHaveProperty('failure');

    const message = await cloud.upload('noted', { LICENSE: 'free' });
    await cloud.refused(message, 'EMPTY_SCAN');
    expect(await cloud.registered('noted', 'noted')).toMatchObject({
      ...synced,
      state: 'failed',
      failure: { code: 'EMPTY_SCAN', message: expect.stringContaining('allowDeletes') },
    });

    await cloud.sync('noted', { ...files, 'b.md': '# B\n' });
    const last = await cloud.registered('noted', 'noted');
    expect(last).toMatchObject({ state: 'synced', number: 2, problems: [], counts: { problems: 0 } });
    expect(last).not.toHaveProperty('failure');
  });

  it('is told again by the same message, and nothing is done twice', async () => {
    const message = await cloud.upload('repeated', files);
    const first = await cloud.done(message);
    const before = await cloud.everything('repeated');
    await cloud.stack.send('sync-repo-metadata', message, { id: first.id });
    await cloud.stack.pubsub?.idle();
    expect(await cloud.everything('repeated')).toEqual(before);

    const again = await cloud.done(message);
    expect(again).toMatchObject({
      changes: [],
      summary: { added: 0, updated: 0, deleted: 0, unchanged: 2, problems: 1 },
    });
    const { documents } = await cloud.everything('repeated');
    expect(documents).toEqual(before['documents']);
  });
});

describe('a dry run', () => {
  it('says what would be done where there is no schema yet, and writes nothing', async () => {
    const message = await cloud.upload('planned', files);
    const before = withoutEpochs(await snapshot(cloud.stack, 'app'));
    const record = await cloud.send(message, { dryRun: true });

    expect(record).toMatchObject({
      state: 'planned',
      summary: { documents: 2, added: 2, updated: 0, deleted: 0, unchanged: 0, problems: 1 },
      result: { commit: commitOf(files), problems: [{ path: 'b.md' }] },
    });
    expect(record.statements?.join('\n')).toMatch(/CREATE SCHEMA.*CREATE TABLE.*CREATE OR REPLACE VIEW/s);
    expect(record.changes?.map(({ kind, name }) => `${kind} ${name}`)).toEqual(
      expect.arrayContaining([
        'schema app.planned',
        'table planned.documents',
        'view planned.markdown',
        'documents planned.documents',
      ]),
    );
    expect(withoutEpochs(await snapshot(cloud.stack, 'app'))).toEqual(before);
    expect(await cloud.registered('planned', 'planned')).toBeUndefined();
  });

  it('says what would be written to the tables that there are, and writes nothing', async () => {
    await cloud.sync('rehearsed', files);
    const before = await cloud.everything('rehearsed');
    const registered = await cloud.registered('rehearsed', 'rehearsed');
    const next = { 'a.md': '# A2\n', 'b.md': '# B\n', 'd.md': '# D\n' };
    const record = await cloud.send(await cloud.upload('rehearsed', next), { dryRun: true });

    const counts = { documents: 3, added: 2, updated: 1, deleted: 1, unchanged: 0, problems: 0 };
    expect(record).toMatchObject({ state: 'planned', summary: counts });
    expect(await cloud.everything('rehearsed')).toEqual(before);
    expect(await cloud.registered('rehearsed', 'rehearsed')).toEqual(registered);
    expect((await cloud.sync('rehearsed', next)).summary).toEqual(counts);
  });

  it('refuses what would be refused', async () => {
    await cloud.sync('careful', files);
    const message = await cloud.upload('careful', { LICENSE: 'free' });
    expect(await cloud.send(message, { dryRun: true })).toMatchObject({
      state: 'failed',
      error: { code: 'EMPTY_SCAN' },
    });
    expect(await cloud.registered('careful', 'careful')).toMatchObject({ state: 'synced' });
  });
});

describe('the policy', () => {
  it('refuses a repository that no rule names, and a database', async () => {
    const archive = { bucket: 'somebody-elses', object: 'repositories/x.tar.gz' };
    const message = { repository: 'x', source: 'archive', archive, target: target('app') };
    expect((await cloud.refused(message, 'NOT_ALLOWED')).message).toContain(
      'gs://somebody-elses/repositories/x.tar.gz',
    );
    const elsewhere = githubMessage('acme/x', { target: target('postgres') });
    expect(await cloud.send(elsewhere)).toMatchObject({
      state: 'failed',
      reason: 'rejected',
      error: { code: 'NOT_ALLOWED' },
    });
  });
});

describe('a tenant’s message', () => {
  it('is refused: what a tenant may read of others, nobody has said', async () => {
    const id = 'of-a-tenant';
    const message = await cloud.upload('globex', files, { schema: 'tenant_globex' });
    await cloud.stack.send('sync-repo-metadata', message, { id, attributes: { tenant: 'globex' } });
    await cloud.stack.pubsub?.idle();
    const request = { operationId: id, dryRun: false, tenant: 'globex' };
    const name = operationDocumentId('sync-repo-metadata', request);
    const record = await cloud.stack.db.collection('operations').doc(name).get();
    expect(record.data()).toMatchObject({
      state: 'failed',
      reason: 'rejected',
      error: { code: 'NOT_ALLOWED' },
    });
  });
});

/** Tries every role there is, and to make one of its own. */
const escalate = (schema: string) => `
  CREATE FUNCTION ${schema}.escalate() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
  DECLARE admin text;
  BEGIN
    IF session_user = 'cloudsqladmin' THEN RETURN true; END IF;
    CREATE TABLE IF NOT EXISTS ${schema}.called (who text);
    INSERT INTO ${schema}.called VALUES (session_user);
    FOR admin IN SELECT 'none' UNION ALL SELECT rolname FROM pg_catalog.pg_roles LOOP
      BEGIN
        PERFORM pg_catalog.set_config('role', admin, true);
        CREATE ROLE pwned;
      EXCEPTION WHEN OTHERS THEN NULL;
      END;
    END LOOP;
    PERFORM pg_catalog.set_config('role', 'app__${schema}__owner', true);
    RETURN true;
  END $$;
  CREATE FUNCTION ${schema}.on_write() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN PERFORM ${schema}.escalate(); RETURN coalesce(NEW, OLD); END $$;
  CREATE FUNCTION ${schema}.indexed(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
  BEGIN PERFORM ${schema}.escalate(); RETURN $1; END $$;
  GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA ${schema} TO PUBLIC;`;

describe('the owner of the schema', () => {
  it.each([
    [
      'a trigger',
      'CREATE TRIGGER t BEFORE INSERT OR UPDATE OR DELETE ON trap.documents FOR EACH ROW EXECUTE FUNCTION trap.on_write()',
    ],
    ['an index', 'CREATE INDEX ON trap.documents (trap.indexed(title))'],
    ['a check', 'ALTER TABLE trap.syncs ADD CHECK (trap.escalate())'],
    ['a default', 'ALTER TABLE trap.repositories ADD COLUMN more boolean DEFAULT trap.escalate()'],
  ])('becomes nobody else by %s of the tables', async (what, statement) => {
    const schema = `trap_${what.replace(/\W/g, '_')}`;
    await cloud.sync(schema, { 'a.md': '# A\n' });
    const text = `SET ROLE app__${schema}__owner; ${escalate(schema)} ${statement.replaceAll('trap.', `${schema}.`)}`;
    await cloud.query(text);

    await cloud.sync(schema, { 'a.md': '# A2\n', 'b.md': '# B\n' });

    const called = await cloud.query(`SELECT DISTINCT who FROM ${schema}.called`);
    expect(called).toEqual([{ who: expect.stringMatching(/^sync_/) }]);
    expect(await cloud.query(`SELECT rolname FROM pg_roles WHERE rolname = 'pwned'`)).toEqual([]);
  });
});
