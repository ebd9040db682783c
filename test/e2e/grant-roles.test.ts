import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ApiError } from '../../local/sqladmin/api-error.ts';
import type { InterceptedCall } from '../../local/sqladmin/interceptor.ts';
import { localInstance } from '../../local/stack.ts';
import { actingAdmin } from '../../shared/postgres/names.ts';
import { mostHistory } from '../../shared/registry/grants/model.ts';
import {
  grantFunctions,
  permissivePolicy,
  startTestStack,
  type TestStack,
  target,
} from '../support/stack.ts';
import { snapshot } from './catalog.ts';
import { isSettled, membersOf, presentIn, registryOf } from './members.ts';

const functionName = 'grant-roles';

const policy = {
  rules: [
    ...permissivePolicy.rules,
    { functions: ['create-schema'], targets: [`${localInstance}/strict`], levels: ['writer', 'reader'] },
    {
      functions: [functionName],
      targets: [`${localInstance}/strict`],
      levels: ['reader', 'custom:auditor'],
      principals: ['a*', '*@acme.com'],
      actions: [],
      longestGrantHours: 24,
    },
  ],
};

let stack: TestStack;

beforeAll(async () => {
  stack = await startTestStack({ only: grantFunctions, databases: { open: ['app', 'strict'] }, policy });
  await stack.query(
    'postgres',
    `DO $$ DECLARE name text;
     BEGIN
       FOREACH name IN ARRAY '{alice,bob,carol,dave,erin,a_b,a_bc,axb}'::text[] LOOP
         EXECUTE format('CREATE ROLE %I LOGIN', name);
       END LOOP;
       FOR n IN 1..100 LOOP EXECUTE format('CREATE ROLE %I LOGIN', 'crowd_' || n); END LOOP;
     END $$;
     CREATE ROLE boss LOGIN SUPERUSER;
     CREATE ROLE copier LOGIN REPLICATION;
     CREATE ROLE seer LOGIN BYPASSRLS;
     CREATE ROLE team NOLOGIN;
     CREATE ROLE "ann@acme.com" LOGIN IN ROLE cloudsqliamuser`,
  );
  const schemas = ['billing', 'lean', 'a_b', 'a_bc', 'shared', 'crowded', 'ordered'];
  await stack.query('app', 'CREATE SCHEMA handmade');
  await Promise.all([
    ...schemas.map((schema) => createSchema('app', schema, schema === 'lean' ? ['reader'] : undefined)),
    createSchema('strict', 'billing', ['writer', 'reader']),
  ]);
});

afterAll(() => stack.stop());

afterEach(() => {
  if (stack.sqladmin) stack.sqladmin.intercept = undefined;
});

async function createSchema(database: string, schema: string, levels: string[] | undefined) {
  const id = `${database}-${schema}`;
  await stack.send('create-schema', { target: target(database), schema, levels }, { id });
  expect(await stack.ended('create-schema', id)).toMatchObject({ state: 'succeeded' });
}

let sent = 0;
async function send(
  message: object,
  { dryRun = false, attributes = {} }: { dryRun?: boolean; attributes?: Record<string, string> } = {},
) {
  sent += 1;
  const id = `grants-${sent}`;
  const whole = { target: target('app'), schema: 'billing', ...message };
  await stack.send(functionName, whole, { id, dryRun, attributes });
  return stack.ended(functionName, id, dryRun);
}

const login = (principal: string, level: string, more = {}) => ({ principal, kind: 'login', level, ...more });
const user = (principal: string, level = 'reader') => ({ principal, kind: 'iam-user', level });
const members = (schema: string | null = 'billing', database = 'app') => membersOf(stack, database, schema);
const registry = (schema: string | null = 'billing', database = 'app') => registryOf(stack, database, schema);

/** The catalog, and the registry without the numbers of attempts. */
async function everything() {
  const { docs } = await stack.db.collection('grants').get();
  const sets = docs
    .map((document) => ({ ...document.data(), id: document.id, epoch: 0, appliedEpoch: 0 }) as object)
    // A wish that was refused may leave a document that says nothing.
    .filter((set) => 'grants' in set && Object.keys(set.grants as object).length > 0);
  return { catalog: await snapshot(stack, 'app'), sets };
}

/** Begins a test with these members and no others, whatever the one before left. */
async function begin(grants: object[], schema = 'billing') {
  const record = await send({ schema, mode: 'exact', allowEmpty: true, grants });
  expect(record).toMatchObject({ state: 'succeeded' });
}

describe('grant-roles', () => {
  it('adds, makes exact and revokes, and touches only what differs', async () => {
    await begin([login('alice', 'reader')]);
    const rows = () => stack.query('app', `SELECT oid FROM pg_auth_members WHERE member = 'alice'::regrole`);
    const before = await rows();

    const added = await send({ mode: 'add', grants: [login('alice', 'reader'), login('bob', 'writer')] });
    expect(added).toMatchObject({
      state: 'succeeded',
      changes: [{ action: 'grant', kind: 'membership', name: 'app__billing__writer', detail: 'to bob' }],
      summary: { granted: 1, revoked: 0, kept: 1 },
    });
    const exact = await send({
      mode: 'exact',
      grants: [login('alice', 'reader'), login('carol', 'analyst'), login('dave', 'owner')],
    });
    expect(exact).toMatchObject({ state: 'succeeded', summary: { granted: 2, revoked: 1, kept: 1 } });
    expect(await members()).toEqual(['analyst carol', 'owner dave', 'reader alice']);
    expect(await rows(), 'the same membership all along').toEqual(before);

    const revoked = await send({
      mode: 'revoke',
      grants: [login('carol', 'analyst'), login('bob', 'writer'), login('dropped_long_ago', 'reader')],
    });
    expect(revoked).toMatchObject({ state: 'succeeded', summary: { granted: 0, revoked: 1, kept: 0 } });
    expect(await members()).toEqual(['owner dave', 'reader alice']);
    expect(presentIn(await registry())).toEqual(['owner dave', 'reader alice']);
    expect(isSettled(await registry())).toBe(true);
  });

  it('executes nothing where everything is as it should be', async () => {
    await begin([login('alice', 'reader')]);
    const before = await everything();
    const again = await send({ mode: 'exact', grants: [login('alice', 'reader')] });

    expect(again).toMatchObject({
      state: 'succeeded',
      changes: [],
      summary: { granted: 0, revoked: 0, kept: 1 },
    });
    expect((await everything()).catalog).toEqual(before.catalog);
  });

  it('takes all away with an empty list where that is meant', async () => {
    await begin([login('alice', 'reader'), login('bob', 'writer')]);
    expect(await send({ mode: 'exact', grants: [], allowEmpty: true })).toMatchObject({
      state: 'succeeded',
      summary: { granted: 0, revoked: 2, kept: 0 },
    });
    expect(await members()).toEqual([]);
  });

  it('grants the database’s own roles where no schema is named', async () => {
    const record = await send({ schema: undefined, mode: 'add', grants: [login('erin', 'monitor')] });
    expect(record).toMatchObject({ state: 'succeeded', summary: { granted: 1, revoked: 0, kept: 0 } });
    expect(await members(null)).toEqual(['monitor erin']);
    expect(presentIn(await registry(null))).toEqual(['monitor erin']);
  });

  it('never takes a name for the beginning of another', async () => {
    const all = ['a_b', 'a_bc', 'axb'].map((name) => login(name, 'reader'));
    await begin(all, 'a_b');
    await begin(all, 'a_bc');

    await send({ schema: 'a_b', mode: 'revoke', grants: [login('a_b', 'reader')] });

    expect(await members('a_b')).toEqual(['reader a_bc', 'reader axb']);
    expect(await members('a_bc')).toEqual(['reader a_b', 'reader a_bc', 'reader axb']);
    await send({ schema: 'a_b', mode: 'exact', allowEmpty: true, grants: [] });
    expect(await members('a_bc')).toEqual(['reader a_b', 'reader a_bc', 'reader axb']);
  });

  it('says in a dry run what it would do, and does nothing', async () => {
    await begin([login('alice', 'reader'), login('bob', 'writer')]);
    const message = {
      mode: 'exact',
      createMissing: true,
      grants: [login('alice', 'reader'), login('carol', 'owner'), user('planned@acme.com')],
    };
    const before = await everything();
    const planned = await send(message, { dryRun: true });
    expect(await everything()).toEqual(before);

    expect(planned).toMatchObject({ state: 'planned', summary: { granted: 2, revoked: 1, kept: 1 } });
    const acting = actingAdmin('app', 'billing');
    expect(planned.statements).toEqual([
      'GRANT "app__billing__owner" TO "carol" WITH INHERIT FALSE, SET TRUE',
      'GRANT "app__billing__reader" TO "planned@acme.com" WITH INHERIT TRUE, SET FALSE',
      `REVOKE "app__billing__writer" FROM "bob" GRANTED BY "${acting}" CASCADE`,
    ]);
    const done = await send(message);
    expect(done.changes).toEqual(planned.changes);
    expect(await members()).toEqual(['owner carol', 'reader alice', 'reader planned@acme.com']);
  });
});

describe('IAM principals', () => {
  const expected = ['reader robot@acme-dev.iam', 'reader team@acme.com', 'writer zoe@acme.com'];

  it('become users of the instance where the message says so', async () => {
    await begin([]);
    const grants = [
      user('Zoe@Acme.com', 'writer'),
      { principal: 'robot@acme-dev.iam.gserviceaccount.com', kind: 'iam-service-account', level: 'reader' },
      { principal: 'team@acme.com', kind: 'iam-group', level: 'reader' },
    ];
    const refused = await send({ mode: 'add', grants });
    expect(refused).toMatchObject({
      state: 'failed',
      error: {
        code: 'PRINCIPAL_NOT_FOUND',
        details: { problems: [0, 1, 2].map((index) => ({ path: `data.grants[${index}].principal` })) },
      },
    });

    const record = await send({ mode: 'add', createMissing: true, grants });
    expect(record).toMatchObject({ state: 'succeeded', summary: { granted: 3, revoked: 0, kept: 0 } });
    expect(record.changes?.filter(({ kind }) => kind === 'user')).toEqual([
      { action: 'create', kind: 'user', name: 'zoe@acme.com', detail: 'IAM user' },
      { action: 'create', kind: 'user', name: 'robot@acme-dev.iam', detail: 'IAM service account' },
      { action: 'create', kind: 'user', name: 'team@acme.com', detail: 'IAM group' },
    ]);
    expect(await members()).toEqual(expected);
    expect(await listedUsers()).toMatchObject({
      'zoe@acme.com': 'CLOUD_IAM_USER',
      'robot@acme-dev.iam': 'CLOUD_IAM_SERVICE_ACCOUNT',
      'team@acme.com': 'CLOUD_IAM_GROUP',
    });
    const again = await send({ mode: 'exact', createMissing: true, grants });
    expect(again).toMatchObject({ state: 'succeeded', changes: [], summary: { kept: 3 } });
  });

  it('are created once, though the answer is lost while the creation is under way', async () => {
    let inserted = 0;
    intercept(({ method, phase }) => {
      if (method !== 'users.insert' || phase !== 'after') return;
      inserted += 1;
      throw new ApiError(503, 'backendError', 'lost by the test');
    });
    const record = await send({ mode: 'add', createMissing: true, grants: [user('late@acme.com')] });

    expect(record).toMatchObject({ state: 'succeeded', summary: { granted: 1 } });
    expect(inserted).toBe(1);
    expect(record.epoch).toBeGreaterThan(1);
    expect(await members()).toContain('reader late@acme.com');
  });

  const keep = [login('alice', 'reader'), user('ann@acme.com', 'writer')];

  /** A principal of which the function can't know yet: it has to ask. */
  async function stranger(name: string) {
    await stack.query('postgres', `CREATE ROLE "${name}" LOGIN IN ROLE cloudsqliamuser`);
    return user(name);
  }

  const faults: { what: string; name: string; fault: (answer: Record<string, unknown>) => void }[] = [
    {
      what: 'is truncated',
      name: 'truncated',
      fault: (answer) => {
        const items = answer['items'] as object[];
        Object.assign(answer, { items: items.slice(0, 1), nextPageToken: 'more' });
      },
    },
    {
      what: 'is empty',
      name: 'empty',
      fault: (answer) => {
        delete answer['items'];
      },
    },
    {
      what: 'fails',
      name: 'failing',
      fault: () => {
        throw new ApiError(429, 'rateLimitExceeded', 'too often');
      },
    },
  ];

  it.each(faults)('keep what they have while the answer of the Admin API $what', async ({ name, fault }) => {
    await begin(keep);
    const grants = [...keep, await stranger(`${name}@acme.com`)];
    const before = await members();
    const seen: string[][] = [];
    intercept(async ({ method, phase, answer = {} }) => {
      if (method !== 'users.list' || phase !== 'after' || seen.length === 3) return;
      seen.push(await members());
      fault(answer);
    });
    const record = await send({ mode: 'exact', grants });

    expect(seen).toEqual([before, before, before]);
    expect(record).toMatchObject({
      state: 'succeeded',
      epoch: 4,
      summary: { granted: 1, revoked: 0, kept: 2 },
    });
    expect(await members()).toEqual([...before, `reader ${name}@acme.com`].sort());
  });

  it('keep what they have while the Admin API does not answer', async () => {
    await begin(keep);
    const before = await members();
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const slow = await stranger('slow@acme.com');
    intercept(({ method, phase }) => {
      if (method !== 'users.list' || phase !== 'before') return undefined;
      asked.resolve();
      return answer.promise;
    });
    const sending = send({ mode: 'exact', grants: [slow] });
    await asked.promise;

    expect(await members()).toEqual(before);
    answer.resolve();
    expect(await sending).toMatchObject({
      state: 'succeeded',
      epoch: 1,
      summary: { granted: 1, revoked: 2 },
    });
  });

  it('are not forgotten where somebody is missing from a list that does not say so', async () => {
    await begin(keep);
    const before = await members();
    const unlisted = await stranger('unlisted@acme.com');
    intercept(({ method, phase, answer }) => {
      if (method !== 'users.list' || phase !== 'after' || !answer) return;
      const items = answer['items'] as { name: string }[];
      answer['items'] = items.filter((one) => one.name !== unlisted.principal);
    });
    const record = await send({ mode: 'exact', grants: [...keep, unlisted] });

    expect(record).toMatchObject({
      state: 'failed',
      error: { code: 'PRINCIPAL_NOT_FOUND', details: { problems: [{ path: 'data.grants[2].principal' }] } },
    });
    expect(await members()).toEqual(before);
    expect(presentIn(await registry())).toEqual(before);
  });
});

function intercept(by: (call: InterceptedCall) => void | Promise<void>): void {
  if (!stack.sqladmin) throw new Error('the test needs the local Admin API');
  stack.sqladmin.intercept = by;
}

/** What the Admin API says itself, by its REST interface. */
async function listedUsers(): Promise<Record<string, string | undefined>> {
  const { url = '' } = stack.sqladmin ?? {};
  const form = { method: 'POST', body: new URLSearchParams({ subject_token: 'test' }) };
  const { access_token: token } = (await (await fetch(`${url}/token`, form)).json()) as {
    access_token: string;
  };
  const response = await fetch(`${url}/v1/projects/acme-dev/instances/main/users`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const { items } = (await response.json()) as { items: { name: string; type?: string }[] };
  return Object.fromEntries(items.map(({ name, type }) => [name, type]));
}

describe('a message that can not be done', () => {
  const add = (...grants: object[]) => ({ mode: 'add', grants });
  const strict = { target: target('strict') };
  const hours = (count: number) => new Date(Date.now() + count * 3_600_000).toISOString();

  interface BadInput {
    readonly what: string;
    readonly message: () => object;
    readonly code: string;
    /** Where, or for the policy: what is missing. */
    readonly place: unknown;
  }
  const table: readonly BadInput[] = [
    {
      what: 'exactly nobody',
      message: () => ({ mode: 'exact', grants: [] }),
      code: 'INVALID_MESSAGE',
      place: 'data.grants',
    },
    {
      what: '101 grants',
      message: () => add(...Array.from({ length: 101 }, (_, n) => login(`crowd_${n}`, 'reader'))),
      code: 'INVALID_MESSAGE',
      place: 'data.grants',
    },
    ...['pg_read_all_data', 'postgres', 'cloudsqlsuperuser', 'drover_admin_07', 'public'].map((name) => ({
      what: `the system role ${name}`,
      message: () => add(login('alice', 'reader'), login(name, 'reader')),
      code: 'INVALID_MESSAGE',
      place: 'data.grants[1].principal',
    })),
    ...['boss', 'copier', 'seer', 'team', 'app__lean__reader', 'drover-create-schema@acme-dev.iam'].map(
      (name) => ({
        what: `a role that is no principal: ${name}`,
        message: () => add(login('alice', 'reader'), login(name, 'reader')),
        code: 'PRINCIPAL_NOT_ALLOWED',
        place: 'data.grants[1].principal',
      }),
    ),
    {
      what: 'a login that does not exist',
      message: () => add(login('alice', 'reader'), login('nobody_here', 'reader')),
      code: 'PRINCIPAL_NOT_FOUND',
      place: 'data.grants[1].principal',
    },
    {
      what: 'an IAM user that does not exist, exactly',
      message: () => ({ mode: 'exact', grants: [user('nobody@acme.com')] }),
      code: 'PRINCIPAL_NOT_FOUND',
      place: 'data.grants[0].principal',
    },
    {
      what: 'an IAM user as a login',
      message: () => add(login('ann@acme.com', 'reader')),
      code: 'PRINCIPAL_KIND_MISMATCH',
      place: 'data.grants[0].principal',
    },
    {
      what: 'an IAM user as a group',
      message: () => add({ principal: 'ann@acme.com', kind: 'iam-group', level: 'reader' }),
      code: 'PRINCIPAL_KIND_MISMATCH',
      place: 'data.grants[0].principal',
    },
    {
      what: 'an end that is over',
      message: () => add(login('alice', 'reader'), login('bob', 'reader', { expiresAt: hours(-1 / 3600) })),
      code: 'EXPIRY_PAST',
      place: 'data.grants[1].expiresAt',
    },
    {
      what: 'a level that the schema does not have',
      message: () => ({ schema: 'lean', ...add(login('alice', 'reader'), login('bob', 'writer')) }),
      code: 'LEVEL_NOT_FOUND',
      place: 'data.grants[1].level',
    },
    {
      what: 'a custom role that nobody defined',
      message: () => add({ principal: 'alice', kind: 'login', customRole: 'auditor' }),
      code: 'LEVEL_NOT_FOUND',
      place: 'data.grants[0].customRole',
    },
    {
      what: 'a schema that Drover does not manage',
      message: () => ({ schema: 'handmade', ...add(login('alice', 'reader')) }),
      code: 'SCHEMA_NOT_MANAGED',
      place: 'data.schema',
    },
    {
      what: 'a schema that does not exist',
      message: () => ({ schema: 'missing', ...add(login('alice', 'reader')) }),
      code: 'SCHEMA_NOT_MANAGED',
      place: 'data.schema',
    },
    {
      what: 'a level that the policy does not allow',
      message: () => ({ ...strict, ...add(login('alice', 'writer', { expiresAt: hours(1) })) }),
      code: 'NOT_ALLOWED',
      place: ['level writer'],
    },
    {
      what: 'a principal that the policy does not name',
      message: () => ({ ...strict, ...add(login('bob', 'reader', { expiresAt: hours(1) })) }),
      code: 'NOT_ALLOWED',
      place: ['principal bob'],
    },
    {
      what: 'exactness where the policy does not allow it',
      message: () => ({
        ...strict,
        mode: 'exact',
        grants: [login('alice', 'reader', { expiresAt: hours(1) })],
      }),
      code: 'NOT_ALLOWED',
      place: ['exact'],
    },
    {
      what: 'creation where the policy does not allow it',
      message: () => ({
        ...strict,
        createMissing: true,
        ...add({ ...user('new@acme.com'), expiresAt: hours(1) }),
      }),
      code: 'NOT_ALLOWED',
      place: ['createMissing'],
    },
    {
      what: 'offboarding where the policy does not allow it',
      message: () => ({
        ...strict,
        schema: undefined,
        mode: 'offboard',
        grants: [{ principal: 'alice', kind: 'login' }],
      }),
      code: 'NOT_ALLOWED',
      place: ['offboard'],
    },
    ...[25, undefined].map((end) => ({
      what: `a grant for ${end ?? 'more than all'} hours where the policy allows 24`,
      message: () => ({
        ...strict,
        ...add(
          login('alice', 'reader', { expiresAt: hours(1) }),
          login('a_b', 'reader', end === undefined ? {} : { expiresAt: hours(end) }),
        ),
      }),
      code: 'NOT_ALLOWED',
      place: ['grants for more than 24 hours'],
    })),
    {
      what: 'a database that no rule names',
      message: () => ({ target: target('postgres'), ...add(login('alice', 'reader')) }),
      code: 'NOT_ALLOWED',
      place: undefined,
    },
  ];

  let before: unknown;

  beforeAll(async () => {
    await begin([login('dave', 'reader')]);
    await begin([], 'lean');
    before = await everything();
  });

  it.each(table)('changes nothing and says why and where: $what', async ({ message, code, place }) => {
    const record = await send(message());

    expect(record).toMatchObject({ state: 'failed', error: { code } });
    const details = record.error?.details ?? {};
    const problems = details['problems'] as { path: string }[] | undefined;
    const said = problems ? problems.map(({ path }) => path) : [details['place'] ?? details['missing']];
    expect(said).toEqual([place]);
    expect(await everything()).toEqual(before);
  });

  it('tells all that is wrong at once', async () => {
    const past = { expiresAt: hours(-1) };
    const record = await send({
      schema: 'lean',
      ...add(login('boss', 'writer', past), login('no_one', 'reader')),
    });
    expect(record.error).toMatchObject({
      code: 'LEVEL_NOT_FOUND',
      details: {
        problems: [
          { code: 'LEVEL_NOT_FOUND', path: 'data.grants[0].level' },
          { code: 'EXPIRY_PAST', path: 'data.grants[0].expiresAt' },
          { code: 'PRINCIPAL_NOT_ALLOWED', path: 'data.grants[0].principal' },
          { code: 'PRINCIPAL_NOT_FOUND', path: 'data.grants[1].principal' },
        ],
      },
    });
  });

  it('is allowed within the limits of the policy', async () => {
    const record = await send({ ...strict, ...add(login('alice', 'reader', { expiresAt: hours(23) })) });
    expect(record).toMatchObject({ state: 'succeeded' });
    expect(await members('billing', 'strict')).toEqual(['reader alice']);
  });
});

describe('grants made by hand', () => {
  it('by another grantor are reported with the statements that take them back', async () => {
    await begin([login('alice', 'reader')], 'shared');
    await stack.query('app', 'GRANT app__shared__reader TO bob; GRANT app__shared__writer TO carol');
    const before = await members('shared');

    const added = await send({ schema: 'shared', ...{ mode: 'add', grants: [login('alice', 'reader')] } });
    expect(added, 'adding is not about others').toMatchObject({ state: 'succeeded', notes: [], changes: [] });
    const record = await send({ schema: 'shared', mode: 'exact', grants: [login('alice', 'reader')] });

    expect(record).toMatchObject({ state: 'succeeded', partial: true, changes: [] });
    expect(record.notes).toMatchObject([
      { code: 'FOREIGN_MEMBERSHIP', message: expect.stringContaining('cloudsqladmin') },
      { code: 'FOREIGN_MEMBERSHIP' },
    ]);
    expect(await members('shared')).toEqual(before);
    const revoked = await send({ schema: 'shared', mode: 'revoke', grants: [login('bob', 'reader')] });
    expect(revoked).toMatchObject({
      state: 'succeeded',
      partial: true,
      notes: [{ code: 'FOREIGN_MEMBERSHIP' }],
    });

    for (const { statements = [] } of record.notes ?? []) await stack.query('app', statements.join(';\n'));
    expect(await members('shared')).toEqual(['reader alice']);
    const again = await send({ schema: 'shared', mode: 'exact', grants: [login('alice', 'reader')] });
    expect(again).toMatchObject({ state: 'succeeded', notes: [], changes: [] });
    expect(again.partial).toBeUndefined();
  });

  it('by a member who was given the right to go when a message says exactly who', async () => {
    await begin([login('alice', 'reader')], 'shared');
    await stack.query(
      'app',
      `SET ROLE ${actingAdmin('app', 'shared')};
       GRANT app__shared__reader TO alice WITH ADMIN OPTION;
       SET ROLE alice;
       GRANT app__shared__reader TO bob;
       GRANT app__shared__reader TO carol`,
    );
    const added = await send({ schema: 'shared', mode: 'add', grants: [login('alice', 'reader')] });
    expect(added).toMatchObject({ notes: [{ code: 'GRANT_PASSED_ON' }], changes: [] });
    expect(await members('shared')).toEqual(['reader alice', 'reader bob', 'reader carol']);

    const exact = await send({
      schema: 'shared',
      mode: 'exact',
      grants: [login('alice', 'reader'), login('carol', 'reader')],
    });

    expect(exact).toMatchObject({ state: 'succeeded', notes: [] });
    expect(await members('shared')).toEqual(['reader alice', 'reader carol']);
    expect(
      await stack.query(
        'app',
        `SELECT member FROM pg_auth_members WHERE admin_option AND member IN ('alice'::regrole, 'carol'::regrole)`,
      ),
    ).toEqual([]);
  });
});

describe('messages about the same grants', () => {
  const at = (revision: number) => ({ attributes: { revision: String(revision) } });

  it('are superseded where something newer was decided, grant by grant', async () => {
    const schema = 'ordered';
    await send({ schema, mode: 'add', grants: [login('alice', 'reader'), login('bob', 'reader')] }, at(1));
    await send({ schema, mode: 'revoke', grants: [login('alice', 'reader')] }, at(5));

    const part = await send(
      { schema, mode: 'add', grants: [login('alice', 'reader'), login('carol', 'reader')] },
      at(3),
    );
    expect(part).toMatchObject({
      state: 'succeeded',
      summary: { granted: 1 },
      notes: [{ code: 'SUPERSEDED', message: expect.stringContaining('reader:alice') }],
    });
    const whole = await send({ schema, mode: 'add', grants: [login('alice', 'reader')] }, at(4));
    expect(whole).toMatchObject({ state: 'succeeded', changes: [], notes: [{ code: 'SUPERSEDED' }] });
    expect(await members(schema)).toEqual(['reader bob', 'reader carol']);

    await send({ schema, mode: 'exact', grants: [login('dave', 'reader')] }, at(10));
    const older = await send({ schema, mode: 'exact', grants: [login('erin', 'reader')] }, at(9));
    expect(older).toMatchObject({ state: 'succeeded', changes: [], notes: [{ code: 'SUPERSEDED' }] });
    const unknown = await send({ schema, mode: 'add', grants: [login('axb', 'writer')] }, at(9));
    expect(unknown, 'not on the newer list').toMatchObject({ changes: [], notes: [{ code: 'SUPERSEDED' }] });
    expect(await members(schema)).toEqual(['reader dave']);
    expect(presentIn(await registry(schema))).toEqual(['reader dave']);
  });
});

describe('the registry', () => {
  it('knows who asked, when, why and until when', async () => {
    await begin([]);
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const later = new Date(Date.now() + 7_200_000).toISOString();
    const attributes = { 'claimed-actor': 'pat@acme.com' };
    const grant = { reason: 'incident 42', expiresAt };
    const added = await send({ mode: 'add', grants: [login('alice', 'reader', grant)] }, { attributes });

    const set = await registry();
    expect(set.grants['reader:alice']).toEqual({
      principal: 'alice',
      kind: 'login',
      role: 'reader',
      value: {
        present: true,
        expiresAt: new Date(expiresAt),
        reason: 'incident 42',
        actor: 'pat@acme.com',
        operation: expect.stringMatching(/^[0-9a-f]{40}$/),
        publishedAt: added.publishedAt.toDate(),
      },
    });
    expect(set).toMatchObject({
      instance: localInstance,
      principals: ['alice'],
      nextExpiry: new Date(expiresAt),
    });

    await send({ mode: 'add', grants: [login('alice', 'reader', { expiresAt: later })] });
    expect(await registry()).toMatchObject({ nextExpiry: new Date(later) });
    await send({ mode: 'revoke', grants: [login('alice', 'reader')] });
    const revoked = await registry();
    expect(revoked).toMatchObject({ principals: [], nextExpiry: null });
    expect(revoked.history.slice(0, 3)).toMatchObject([
      { action: 'revoke', principal: 'alice', role: 'reader', at: expect.any(Date) },
      { action: 'renew', expiresAt: new Date(later) },
      { action: 'grant', expiresAt: new Date(expiresAt), actor: 'pat@acme.com', reason: 'incident 42' },
    ]);
  });

  it('remembers so much and no more', async () => {
    const grants = Array.from({ length: 100 }, (_, index) => login(`crowd_${index + 1}`, 'reader'));
    for (const mode of ['add', 'revoke', 'add']) {
      const record = await send({ schema: 'crowded', mode, grants });
      expect(record).toMatchObject({ state: 'succeeded' });
      expect(record.changes).toHaveLength(100);
    }
    const { history } = await registry('crowded');
    expect(history).toHaveLength(mostHistory);
    expect(mostHistory).toBeLessThan(300);
    expect(history.slice(0, 100).map(({ action }) => action)).toEqual(Array(100).fill('grant'));
    expect(await members('crowded')).toHaveLength(100);
  });
});
