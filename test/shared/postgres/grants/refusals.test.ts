import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OperationError } from '../../../../shared/operation/errors.ts';
import type { CustomRole } from '../../../../shared/postgres/custom-role.ts';
import { convergeGrants } from '../../../../shared/postgres/grants/converge.ts';
import type { InspectedGrants, InspectedPrincipal } from '../../../../shared/postgres/grants/model.ts';
import {
  type ExaminedGrant,
  examineGrants,
  refusedGrants,
  refuseScope,
} from '../../../../shared/postgres/grants/refusals.ts';
import { formatMarker } from '../../../../shared/postgres/marker.ts';
import {
  connected,
  desired as desiredSchema,
  functionLogin,
  instance,
  type PreparedCluster,
  run,
  startPrepared,
} from '../../../support/postgres.ts';

const scope = { database: 'app', schema: 'billing' };
const now = '2026-01-01T12:00:00.000Z';
const alice: InspectedPrincipal = {
  name: 'alice@example.com',
  login: true,
  privileged: false,
  writer: false,
  managed: false,
  iam: ['cloudsqliamuser'],
  ownsElsewhere: false,
};
const reader: ExaminedGrant = { principal: alice.name, kind: 'iam-user', role: 'reader', present: true };

const roleOf = (level: string, more: { name?: string; schema?: string } = {}) => ({
  name: more.name ?? `app__billing__${level}`,
  comment: formatMarker({ managedBy: 'drover', database: 'app', schema: more.schema ?? 'billing', level }),
});

const foundOf = (more: Partial<InspectedGrants> = {}): InspectedGrants => ({
  serverVersion: 180000,
  now,
  roles: [roleOf('owner'), roleOf('reader')],
  members: [],
  principals: [alice],
  cycles: [],
  unmarked: [],
  ...more,
});

const codesOf = (grants: ExaminedGrant[], found = foundOf(), defined: string[] = []) =>
  examineGrants(
    scope,
    grants,
    found,
    defined.map((name) => ({ name, inherits: [] })),
  ).map(({ code, index, field }) => `${code} ${index}.${field}`);

describe('what a message grants', () => {
  it('stands where nothing is against it', () => {
    expect(codesOf([reader])).toEqual([]);
    expect(refusedGrants([])).toBeUndefined();
  });

  it.each([
    ['is a superuser', { privileged: true }, 'PRINCIPAL_NOT_ALLOWED'],
    ['is one of Drover’s own roles', { managed: true }, 'PRINCIPAL_NOT_ALLOWED'],
    ['may act as Drover’s admins', { writer: true }, 'PRINCIPAL_NOT_ALLOWED'],
    ['is a service account', { iam: ['cloudsqliamserviceaccount'] }, 'PRINCIPAL_KIND_MISMATCH'],
    ['is no IAM principal', { iam: [] }, 'PRINCIPAL_KIND_MISMATCH'],
  ])('is refused to who %s', (_, more, code) => {
    const found = foundOf({ principals: [{ ...alice, ...more }] });
    expect(codesOf([reader], found)).toEqual([`${code} 0.principal`]);
    // Whatever has become of somebody, a right can be taken back.
    expect(codesOf([{ ...reader, present: false }], found)).toEqual([]);
  });

  it.each([
    ['an IAM principal', {}, 'PRINCIPAL_KIND_MISMATCH'],
    ['a group that can’t log in', { iam: [], login: false }, 'PRINCIPAL_NOT_ALLOWED'],
  ])('is refused to a login that is %s', (_, more, code) => {
    const found = foundOf({ principals: [{ ...alice, ...more }] });
    expect(codesOf([{ ...reader, kind: 'login' }], found)).toEqual([`${code} 0.principal`]);
  });

  it('is granted to a group of IAM’s, which can’t log in', () => {
    const found = foundOf({ principals: [{ ...alice, login: false, iam: ['cloudsqliamgroup'] }] });
    expect(codesOf([{ ...reader, kind: 'iam-group' }], found)).toEqual([]);
  });

  it('is refused to who isn’t there; from him it may be taken', () => {
    const found = foundOf({ principals: [] });
    expect(codesOf([reader], found)).toEqual(['PRINCIPAL_NOT_FOUND 0.principal']);
    expect(codesOf([{ ...reader, present: false }], found)).toEqual([]);
  });

  it('is over at the very time it ends, by the database’s clock', () => {
    const ending = (ms: number) => [{ ...reader, expiresAt: new Date(Date.parse(now) + ms) }];
    expect(codesOf(ending(0))).toEqual(['EXPIRY_PAST 0.expiresAt']);
    expect(codesOf(ending(-1))).toEqual(['EXPIRY_PAST 0.expiresAt']);
    expect(codesOf(ending(1))).toEqual([]);
  });

  it('is a role that is there, or that the message defines', () => {
    const auditor = { ...reader, role: 'auditor' };
    expect(codesOf([{ ...reader, role: 'writer' }])).toEqual(['LEVEL_NOT_FOUND 0.level']);
    expect(codesOf([auditor])).toEqual(['LEVEL_NOT_FOUND 0.customRole']);
    expect(codesOf([auditor], foundOf(), ['auditor'])).toEqual([]);
    expect(codesOf([auditor], foundOf({ roles: [roleOf('auditor')] }))).toEqual([]);
  });

  it('is no role that is only called so: the marker says whose it is', () => {
    for (const roles of [
      [roleOf('reader', { schema: 'other' })],
      [roleOf('writer', { name: 'app__billing__reader' })],
      [roleOf('reader', { name: 'app__other__reader' })],
      [{ name: 'app__billing__reader', comment: 'made by hand' }],
    ]) {
      expect(codesOf([reader], foundOf({ roles }))).toEqual(['LEVEL_NOT_FOUND 0.level']);
    }
  });

  it('is refused with every reason, each with its place, and the first one’s code', () => {
    const refusals = examineGrants(
      scope,
      [
        reader,
        { ...reader, role: 'writer', expiresAt: new Date(0) },
        { ...reader, principal: 'nobody@example.com' },
      ],
      foundOf(),
    );
    const error = refusedGrants(refusals);
    expect(error).toBeInstanceOf(OperationError);
    expect(error).toMatchObject({
      code: 'LEVEL_NOT_FOUND',
      retryable: false,
      details: {
        problems: [
          { path: 'data.grants[1].level', code: 'LEVEL_NOT_FOUND' },
          { path: 'data.grants[1].expiresAt', code: 'EXPIRY_PAST' },
          { path: 'data.grants[2].principal', code: 'PRINCIPAL_NOT_FOUND' },
        ],
      },
    });
    expect(error?.message).toContain('data.grants[2].principal: There is no IAM user nobody@example.com');
  });
});

describe('a scope', () => {
  it('is a schema with an owner that is marked as its', () => {
    expect(refuseScope(scope, foundOf())).toBeUndefined();
    for (const roles of [
      [],
      [roleOf('reader')],
      [roleOf('owner', { schema: 'other' })],
      [roleOf('owner', { name: 'app__other__owner', schema: 'other' })],
    ]) {
      expect(refuseScope(scope, foundOf({ roles }))).toMatchObject({
        code: 'SCHEMA_NOT_MANAGED',
        retryable: false,
        details: { place: 'data.schema' },
      });
    }
  });

  it('is a database with a monitor', () => {
    const database = { database: 'app', schema: undefined };
    const monitor = {
      name: 'app__monitor',
      comment: formatMarker({ managedBy: 'drover', database: 'app', level: 'monitor' }),
    };
    expect(refuseScope(database, foundOf({ roles: [monitor] }))).toBeUndefined();
    expect(refuseScope(database, foundOf())).toMatchObject({
      code: 'SCHEMA_NOT_MANAGED',
      details: { place: 'data.target.database' },
    });
  });
});

describe('against a real catalog', () => {
  let cluster: PreparedCluster;
  const auditor: CustomRole = {
    name: 'auditor',
    version: 1,
    inherits: [],
    privileges: { tables: ['SELECT'], sequences: [], routines: [] },
    native: [],
  };

  beforeAll(async () => {
    cluster = await startPrepared();
    await cluster.open('app');
    await cluster.converge(desiredSchema('app', 'billing', { levels: ['reader'], customRoles: [auditor] }));
    await cluster.converge(desiredSchema('app', 'other'));
    await cluster.createLogin('app@acme.iam', 'iam');
    await cluster.createLogin('fallback', 'password');
    await run(
      cluster.superuserUrl(),
      'CREATE ROLE root LOGIN SUPERUSER',
      'CREATE ROLE copier LOGIN REPLICATION',
      'CREATE ROLE team NOLOGIN',
      'CREATE ROLE friend LOGIN IN ROLE drover_admin_07',
      'CREATE ROLE "alice@example.com" LOGIN IN ROLE cloudsqliamuser',
      'CREATE ROLE "dbas@example.com" NOLOGIN IN ROLE cloudsqliamgroup',
    );
  });

  afterAll(() => cluster.remove());

  /** Asks for these grants; whatever comes of it, nothing is to be changed in the catalog. */
  async function examined(
    grants: ExaminedGrant[],
    schema: string | undefined = 'billing',
    expected: string[] = [],
  ): Promise<void> {
    let codes: string[] | undefined;
    const memberships = () =>
      connected(cluster.superuserUrl('app'), async (client) => {
        const { rows } = await client.query('SELECT to_jsonb(a) AS one FROM pg_auth_members a ORDER BY oid');
        return rows;
      });
    const before = await memberships();
    const converging = convergeGrants(
      cluster.pools,
      { instance, database: 'app' },
      [
        {
          database: 'app',
          schema,
          grants: grants.map(({ role, principal, present }) => ({ role, principal, present })),
          customRoles: [],
          surplus: 'ignore',
          undecided: [],
          fence: { epoch: 1, outstanding: false },
        },
      ],
      {
        signal: new AbortController().signal,
        remainingMs: () => 60_000,
        examine: (found) => {
          const refusals = examineGrants({ database: 'app', schema }, grants, found);
          codes = refusals.map(({ code, index, field }) => `${code} ${index}.${field}`);
          throw refusedGrants(refusals) ?? new OperationError('NOTHING_AGAINST_IT', 'no');
        },
      },
    );
    await expect(converging).rejects.toBeInstanceOf(OperationError);
    expect(codes).toEqual(expected);
    expect(await memberships()).toEqual(before);
  }

  const login = (principal: string, more: Partial<ExaminedGrant> = {}): ExaminedGrant => ({
    principal,
    kind: 'login',
    role: 'reader',
    present: true,
    ...more,
  });

  it('finds who is no principal', async () => {
    const principals = [
      'root',
      'copier',
      'cloudsqladmin',
      'team',
      'postgres',
      'friend',
      functionLogin,
      'drover_admin',
      'drover_admin_63',
      'drover_writers',
      'app__billing__owner',
      'app__other__reader',
      'pg_read_all_data',
      'cloudsqliamuser',
      'nobody',
    ];
    await examined(
      principals.map((name) => login(name)),
      'billing',
      principals.map((name, index) =>
        name === 'nobody'
          ? `PRINCIPAL_NOT_FOUND ${index}.principal`
          : `PRINCIPAL_NOT_ALLOWED ${index}.principal`,
      ),
    );
  });

  it('knows people by their kind', async () => {
    const names = {
      'iam-user': 'alice@example.com',
      'iam-service-account': 'app@acme.iam',
      'iam-group': 'dbas@example.com',
      login: 'fallback',
    };
    for (const kind of ['iam-user', 'iam-service-account', 'iam-group', 'login'] as const) {
      const grants = Object.values(names).map((name) => login(name, { kind }));
      const wrong = Object.values(names).flatMap((name, index) =>
        name === names[kind] ? [] : [`PRINCIPAL_KIND_MISMATCH ${index}.principal`],
      );
      await examined(grants, 'billing', wrong);
    }
  });

  it('finds levels and custom roles that the schema has, and no other', async () => {
    await examined(
      ['owner', 'reader', 'auditor', 'writer', 'nothing', 'monitor'].map((role) =>
        login('fallback', { role }),
      ),
      'billing',
      ['LEVEL_NOT_FOUND 3.level', 'LEVEL_NOT_FOUND 4.customRole', 'LEVEL_NOT_FOUND 5.level'],
    );
  });

  it('tells the time by the database’s own clock', async () => {
    const [time] = await connected(cluster.superuserUrl('app'), async (client) => {
      const { rows } = await client.query('SELECT clock_timestamp() AS time');
      return rows as { time: Date }[];
    });
    const at = (minutes: number) => new Date((time?.time.getTime() ?? 0) + minutes * 60_000);
    await examined(
      [login('fallback', { expiresAt: at(0) }), login('fallback', { expiresAt: at(10) })],
      'billing',
      ['EXPIRY_PAST 0.expiresAt'],
    );
  });

  it('refuses a schema that isn’t there, or whose owner by the name isn’t marked as Drover’s', async () => {
    await run(cluster.adminUrl('app'), 'CREATE ROLE app__handmade__owner');
    for (const [schema, code] of [
      ['handmade', 'MARKER_LOST'],
      ['nowhere', 'SCHEMA_NOT_MANAGED'],
    ] as const) {
      const converging = convergeGrants(
        cluster.pools,
        { instance, database: 'app' },
        [
          {
            database: 'app',
            schema,
            grants: [{ role: 'reader', principal: 'fallback', present: true }],
            customRoles: [],
            surplus: 'revoke',
            undecided: [],
            fence: { epoch: 1, outstanding: false },
          },
        ],
        { signal: new AbortController().signal, remainingMs: () => 60_000 },
      );
      await expect(converging).rejects.toMatchObject({ code, retryable: false });
    }
  });
});
