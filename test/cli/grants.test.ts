import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { localInstance } from '../../local/stack.ts';
import { schemaRoles } from '../../shared/postgres/schema/inspect.ts';
import { startTestStack, type TestStack, target } from '../support/stack.ts';
import { drover, droverHere } from './fixture.ts';

let stack: TestStack;
const { reader, writer, owner } = schemaRoles('app', 'billing');
const app = `${localInstance}/app`;
const oddName = `d'Arc "joan" 🦒`;

const grants = (...args: string[]) => drover(['grants', ...args], { environment: { ...stack.environment } });

/** The cells of the line of a table that begins with these. */
function row(stdout: string, ...first: readonly string[]): string[] | undefined {
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/))
    .find((cells) => first.every((cell, index) => cells[index] === cell));
}

beforeAll(async () => {
  stack = await startTestStack({ databases: { open: ['app', 'app_two'], closed: ['closed'] } });
  await stack.query('postgres', 'CREATE ROLE dora LOGIN');
  await stack.send(
    'create-schema',
    { target: target('app'), schema: 'billing', owner: 'dora' },
    { id: 'one' },
  );
  await stack.send('create-schema', { target: target('app_two'), schema: 'shop' }, { id: 'two' });
  for (const id of ['one', 'two']) {
    expect(await stack.ended('create-schema', id)).toMatchObject({ state: 'succeeded' });
  }
  await stack.query(
    'app',
    `CREATE ROLE "alice@acme.com" LOGIN IN ROLE cloudsqliamuser;
     CREATE ROLE bob LOGIN CREATEDB; CREATE ROLE team_x; GRANT team_x TO bob;
     CREATE ROLE "d'Arc ""joan"" 🦒" LOGIN;
     GRANT ${reader} TO "alice@acme.com";
     GRANT ${writer} TO team_x;
     GRANT USAGE ON SCHEMA billing TO "d'Arc ""joan"" 🦒";
     CREATE TABLE billing.invoice (); ALTER TABLE billing.invoice OWNER TO bob`,
  );
  await stack.query('app_two', `GRANT app_two__shop__reader TO "alice@acme.com"`);
});

afterAll(() => stack.stop());

describe('drover grants who', () => {
  test('shows who may do what, by what way, and how', async () => {
    const { code, stdout, stderr } = await grants('who', app, '--schema', 'billing');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(row(stdout, 'billing', 'alice@acme.com')).toEqual([
      ...['billing', 'alice@acme.com', 'IAM user', 'reader', 'read, execute', 'inherits', '-'],
      ...[`alice@acme.com → ${reader}`, 'cloudsqladmin'],
    ]);
    expect(row(stdout, 'billing', 'bob')?.slice(3)).toEqual([
      ...['writer, reader', 'read, write, execute', 'inherits', '-'],
      ...[`bob → team_x → ${writer} → ${reader}`, 'cloudsqladmin → cloudsqladmin'],
    ]);
    expect(row(stdout, 'billing', 'dora')?.slice(3, 6)).toEqual([
      ...['owner', 'create, own', `SET ROLE ${owner}`],
    ]);
    expect(row(stdout, 'billing', oddName)?.slice(3)).toEqual([
      ...['use', 'USAGE on the schema', 'itself', '-', owner],
    ]);
    expect(stdout).toContain('owns table invoice');
    expect(stdout).toMatch(/^Superusers, who may do everything: cloudsqladmin$/m);
    expect(stdout).toMatch(/^Act as Drover does: .*drover-create-schema@acme-dev\.iam/m);
  });

  test('prints the same as JSON, and nothing else', async () => {
    const { code, stdout, stderr } = await grants('who', app, '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ instance: localInstance, database: 'app', schemas: ['billing'] });
    expect(report.managed).toContainEqual(
      expect.objectContaining({
        principal: 'dora',
        levels: ['owner'],
        how: 'set',
        setRole: owner,
        path: ['dora', owner],
      }),
    );
  });

  test('can be limited to a level, and says if there is none of that name', async () => {
    const { stdout } = await grants('who', app, '--level', 'writer');
    expect(row(stdout, 'billing', 'bob')).toBeDefined();
    expect(stdout).not.toMatch(/alice|dora|owns/);
    expect((await grants('who', app, '--level', 'analyst')).stdout).toContain(
      'Nobody has the level analyst.',
    );
    const { code, stdout: nothing, stderr } = await grants('who', app, '--level', 'reder');
    expect({ code, nothing }).toEqual({ code: 1, nothing: '' });
    expect(stderr).toMatch(/^NOT_FOUND: There is no level or custom role reder here.* Did you mean reader\?/);
  });

  test('says if there is no such schema, or no such database', async () => {
    const schema = await grants('who', app, '--schema', 'biling');
    expect(schema).toMatchObject({ code: 1, stdout: '' });
    expect(schema.stderr).toMatch(/^SCHEMA_NOT_FOUND: There is no schema biling in .*\/app$/m);
    const database = await grants('who', `${localInstance}/missing`);
    expect(database).toMatchObject({ code: 1, stdout: '' });
    expect(database.stderr).toMatch(/^DATABASE_NOT_FOUND: /);
  });

  test('looks into a schema that is not Drover’s, and says that it is not', async () => {
    await stack.query('app', 'CREATE SCHEMA attic AUTHORIZATION bob');
    const { code, stdout, stderr } = await grants('who', app, '--schema', 'attic');
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'Drover does not manage this schema.\n' });
    expect(row(stdout, 'attic', 'bob')?.slice(3, 5)).toEqual(['create, own', 'owns the schema']);
  });
});

describe('drover grants list', () => {
  test('shows what a principal may do in every database, and its attributes', async () => {
    const { code, stdout, stderr } = await grants('list', 'Alice@acme.com', localInstance);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^alice@acme\.com {2}IAM user on /);
    expect(row(stdout, 'billing', 'alice@acme.com')?.slice(3, 6)).toEqual([
      'reader',
      'read, execute',
      'inherits',
    ]);
    expect(row(stdout, 'shop', 'alice@acme.com')?.slice(3, 6)).toEqual([
      'reader',
      'read, execute',
      'inherits',
    ]);
    expect(stdout).toMatch(/^closed\n {2}nothing$/m);
    const bob = await grants('list', 'bob', app);
    expect(bob.stdout).toMatch(/^ {2}attributes +CREATEDB$/m);
    expect(bob.stdout).toMatch(/^ {2}member of +team_x \(inherits\)$/m);
    expect(bob.stdout).not.toContain('shop');
  });

  test('does not list the roles by which Drover acts as groups of somebody', async () => {
    const { stdout } = await grants('list', 'postgres', app);
    expect(stdout).toMatch(/^ {2}member of +cloudsqlsuperuser \(inherits\)$/m);
    expect(stdout).toMatch(/^ {2}Act as Drover does: postgres$/m);
  });

  test('prints the same as JSON', async () => {
    const { code, stdout } = await grants('list', 'bob', localInstance, '--json');
    expect(code).toBe(0);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({
      principal: 'bob',
      kind: 'login',
      attributes: ['CREATEDB'],
      notLookedInto: [],
    });
    const names = report.databases.map(({ database }: { database: string }) => database);
    expect(names).toEqual(['app', 'app_two', 'closed', 'postgres']);
    expect(report.databases[0]).toMatchObject({ connect: true, managed: [{ levels: ['writer', 'reader'] }] });
  });

  test('takes a name with anything in it', async () => {
    const { code, stdout } = await grants('list', oddName, app, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout).databases[0].direct).toMatchObject([
      { principal: oddName, privileges: ['USAGE'] },
    ]);
  });

  test('says if there is no such principal', async () => {
    for (const where of [app, localInstance]) {
      const { code, stdout, stderr } = await grants('list', `x'; --`, where);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(/^PRINCIPAL_NOT_FOUND: There is no role x'; -- on /);
    }
  });

  test('tells of the other databases where one can’t be looked at, and of those that are closed', async () => {
    await stack.query('postgres', 'ALTER DATABASE closed CONNECTION LIMIT 0');
    await stack.query('postgres', 'REVOKE CONNECT ON DATABASE app_two FROM PUBLIC');
    await stack.query('postgres', 'REVOKE CONNECT ON DATABASE app_two FROM cloudsqlsuperuser');
    const [people, programs] = [
      await grants('list', 'alice@acme.com', localInstance),
      await grants('list', 'alice@acme.com', localInstance, '--json'),
    ];
    expect(people.code).toBe(1);
    expect(people.stdout).toMatch(/^closed\n {2}DATABASE_OVERLOADED: /m);
    expect(row(people.stdout, 'billing', 'alice@acme.com')).toBeDefined();
    expect(people.stderr).toBe('Not looked into, for the login may not connect there: app_two\n');
    expect(programs.code).toBe(1);
    const { databases, notLookedInto } = JSON.parse(programs.stdout);
    expect(databases).toContainEqual({
      database: 'closed',
      error: { code: 'DATABASE_OVERLOADED', message: expect.any(String) },
    });
    expect(notLookedInto).toEqual(['app_two']);
  });
});

describe('drover grants', () => {
  test.each([
    ['no place', ['who'], /^drover: Where\? /],
    ['no database', ['who', localInstance], /^drover: Which database\? /],
    ['what is no instance', ['who', 'app'], /^drover: The instance "app" must be a connection name/],
    [
      'a database of the server',
      ['who', `${localInstance}/template1`],
      /"template1" is a database of the server/,
    ],
    ['no schema’s name', ['who', app, '--schema', `x"; --`], /^drover: --schema "x\\"; --" must be letters/],
    ['no level', ['who', app, '--level', 'The Boss'], /^drover: --level "The Boss" must be lower case/],
    ['no time', ['who', app, '--timeout', '0'], /^drover: --timeout must be a number/],
    ['nobody', ['list'], /^drover: Who\? /],
    ['nowhere', ['list', 'alice'], /^drover: Where\? /],
    [
      'a name that is too long',
      ['list', '🦒'.repeat(16), app],
      /^drover: The principal must be at most 63 bytes/,
    ],
    ['a line break', ['list', 'a\nb', app], /^drover: The principal must not contain control characters/],
  ])('refuses %s with 2', async (_case, args, message) => {
    const { code, stdout, stderr } = await droverHere('grants', ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/See drover grants (who|list) --help\n$/);
  });

  test.each(['who', 'list'])('has a help with an example for %s', async (name) => {
    const { code, stdout } = await droverHere('grants', name, '--help');
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`Usage:\n  drover grants ${name} .*PROJECT:REGION:NAME`));
    expect(stdout).toMatch(new RegExp(`Examples:\n  drover grants ${name} `));
  });

  test('says what to do where no entry of DROVER_INSTANCES covers the instance', async () => {
    const { code, stderr } = await grants('who', 'acme-prod:europe-west1:main/app');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^TARGET_NOT_ALLOWED: .*DROVER_INSTANCES covers it\. Add one/);
  });

  test('reads the entries from a file, too, as npm start leaves them', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'drover-grants-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, 'instances.json');
    writeFileSync(file, stack.environment['DROVER_INSTANCES'] ?? '');
    const environment = { ...stack.environment, DROVER_INSTANCES: `@${file}` };
    expect((await drover(['grants', 'who', app], { environment })).code).toBe(0);
  });

  test('gives up on a database that does not answer', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    onTestFinished(() => void silent.close());
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as AddressInfo;
    const entry = {
      instances: '*:*:*',
      connector: 'direct',
      host: '127.0.0.1',
      port,
      tls: 'off',
      user: 'me',
    };
    const environment = { GOOGLE_CLOUD_PROJECT: 'p', DROVER_INSTANCES: JSON.stringify([entry]) };
    const startedAt = performance.now();
    for (const args of [
      ['who', app],
      ['list', 'alice', app],
      ['list', 'alice', localInstance],
    ]) {
      const { code, stdout, stderr } = await drover(['grants', ...args, '--timeout', '0.5'], { environment });
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toMatch(/^DEADLINE_EXCEEDED: .* has not answered for 0\.5 s$/m);
    }
    expect(performance.now() - startedAt).toBeLessThan(15_000);
  });
});
