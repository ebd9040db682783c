import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { grantRolesMessage } from '../../../../functions/grant-roles/message.ts';
import { compareAll } from '../../../../functions/ingest-object/manifest/compare/all.ts';
import type { CurrentState } from '../../../../functions/ingest-object/manifest/state.ts';
import { wantedOf } from '../../../../functions/ingest-object/manifest/want.ts';
import type { Wanted, WantedGrants } from '../../../../functions/ingest-object/manifest/wanted.ts';
import { type Where, whereOf } from '../../../../functions/ingest-object/manifest/where.ts';
import { indexGrants } from '../../../../shared/postgres/grants/found.ts';
import type { InspectedGrants } from '../../../../shared/postgres/grants/model.ts';
import { tenantRecord } from '../../../support/tenant-record.ts';
import { appliedState, now, principal, where } from './applied.ts';
import { anyManifest, database, read } from './manifests.ts';

beforeAll(() => {
  process.env['GOOGLE_CLOUD_PROJECT'] = 'acme';
});

const nothing: CurrentState = { catalog: undefined, schemas: new Map(), sets: new Map(), secrets: new Map() };

const compare = (wanted: readonly Wanted[], state: CurrentState, at: Where = where, former = wanted) =>
  compareAll(wanted, { where: at, state, tenant: undefined, former, now });

/** What is left to do, by key. */
const changesOf = (wanted: readonly Wanted[], state: CurrentState) =>
  Object.fromEntries(
    compare(wanted, state).flatMap(({ wanted: { key }, parts }) => {
      const changes = parts.flatMap((part) => part.changes);
      return changes.length > 0 ? [[key, changes]] : [];
    }),
  );

const grant = (name: string, level: 'reader' | 'writer' = 'reader', more = {}) => ({
  principal: name,
  kind: 'login' as const,
  level,
  ...more,
});

const grants = (list: WantedGrants['grants'], more: Partial<WantedGrants> = {}): WantedGrants => ({
  kind: 'grants',
  key: 'grants billing',
  after: [],
  schema: 'billing',
  mode: 'add',
  grants: list,
  customRoles: [],
  createMissing: false,
  ...more,
});

const billing = (more = {}): Wanted[] =>
  wantedOf(read(database({ schemas: { billing: { levels: ['reader', 'writer'], ...more } } })));

/** The same catalog, but for what is said. */
function withFound(
  state: CurrentState,
  change: (found: InspectedGrants) => Partial<InspectedGrants>,
): CurrentState {
  if (state.catalog === undefined) throw new Error('there is no catalog');
  const { found } = state.catalog.grants;
  return { ...state, catalog: { ...state.catalog, grants: indexGrants({ ...found, ...change(found) }) } };
}

describe('a comparison', () => {
  it('with what was made of the same manifest finds nothing to do', () => {
    fc.assert(
      fc.property(anyManifest, (written) => {
        const manifest = read(written);
        const all = wantedOf(manifest);
        const at = { ...whereOf(manifest, all, undefined), exists: true };
        const wanted = all.filter(({ kind }) => kind !== 'tenant');
        const compared = compare(wanted, appliedState(wanted, at), at);
        expect(compared.flatMap(({ parts }) => parts.flatMap(({ changes }) => changes))).toEqual([]);
        expect(compared.flatMap(({ parts }) => parts.flatMap(({ derived }) => derived ?? []))).toEqual([]);
      }),
    );
  });

  it('with nothing finds everything to do, in messages that can be sent', () => {
    fc.assert(
      fc.property(anyManifest, (written) => {
        const manifest = read(written);
        const all = wantedOf(manifest);
        const at = whereOf(manifest, all, undefined);
        for (const { wanted, parts } of compare(all, nothing, at, [])) {
          // Nobody is to have what isn't there: so it is.
          if (wanted.kind === 'grants' && wanted.grants.length + wanted.customRoles.length === 0) continue;
          expect(parts.length).toBeGreaterThan(0);
          for (const { derived } of parts) {
            expect(derived).toBeDefined();
            if (wanted.kind === 'grants')
              expect(() => grantRolesMessage.parse(derived?.message)).not.toThrow();
          }
        }
      }),
    );
  });
});

describe('a schema', () => {
  const wanted = billing({ owner: 'ann', comment: 'Bills' });
  const state = appliedState(wanted);
  const stored = state.schemas.get('billing');
  if (stored === undefined) throw new Error('it was not made');
  const withDocument = (more: object) => ({
    ...state,
    schemas: new Map([['billing', { ...stored, ...more }]]),
  });

  it.each([
    [
      'has another comment',
      billing({ owner: 'ann', comment: 'Invoices' }),
      state,
      /comment Bills → Invoices/,
    ],
    [
      'has more levels',
      billing({ owner: 'ann', comment: 'Bills', levels: ['reader'] }),
      state,
      /levels reader, writer → reader/,
    ],
    ['is being changed by another', wanted, withDocument({ intents: [stored.applied] }), /under way/],
    ['was never applied', wanted, withDocument({ applied: undefined }), /bring the schema/],
    [
      'carries a number that the registry doesn’t know',
      wanted,
      withDocument({ appliedEpoch: 0 }),
      /doesn’t know/,
    ],
    ['lost its owner', wanted, withFound(state, () => ({ members: [] })), /let ann act as the owner/],
    [
      'lost a role',
      wanted,
      withFound(state, ({ roles }) => ({
        roles: roles.filter(({ name }) => name !== 'app__billing__writer'),
      })),
      /create the role app__billing__writer/,
    ],
  ])('that %s is made as it should be', (_, asked, found, text) => {
    expect(changesOf(asked, found)).toEqual({
      'schema billing': expect.arrayContaining([expect.stringMatching(text)]),
    });
  });

  it('says the same in another order', () => {
    expect(
      changesOf(billing({ owner: 'ann', comment: 'Bills', levels: ['writer', 'reader'] }), state),
    ).toEqual({});
  });

  it('of somebody else’s is refused, if it is not to be adopted', () => {
    const foreign = withFound(state, () => ({ roles: [] }));
    expect(compare(wanted, foreign)[0]?.refusals).toMatchObject([{ code: 'SCHEMA_NOT_MANAGED' }]);
    expect(compare(billing({ adopt: true }), foreign)[0]?.refusals).toEqual([]);
  });
});

describe('grants', () => {
  const given = grants([grant('ann'), grant('bob', 'writer', { reason: 'ü'.repeat(150) })]);
  const state = appliedState([...billing(), given]);
  const set = state.sets.get('billing');
  if (set === undefined) throw new Error('nothing was granted');

  it('of which one is new are one message with that one', () => {
    const wanted = grants([...given.grants, grant('cy')]);
    const [compared] = compare(
      [wanted],
      withFound(state, ({ principals }) => ({ principals: [...principals, principal('cy')] })),
    );
    expect(compared?.parts).toMatchObject([
      { changes: ['grant reader to cy'], derived: { message: { mode: 'add', grants: [grant('cy')] } } },
    ]);
  });

  it.each([
    ['ends at another time', grants([grant('ann', 'reader', { expiresAt: '2027-01-01T00:00:00Z' })])],
    ['has another reason', grants([grant('ann', 'reader', { reason: 'because' })])],
    ['is of another kind', grants([{ ...grant('ann'), kind: 'iam-user' }])],
  ])('that %s is asked for again', (_, wanted) => {
    expect(Object.keys(changesOf([wanted], state))).toEqual(['grants billing']);
  });

  it('that are over are not asked for', () => {
    const over = grants([...given.grants, grant('cy', 'reader', { expiresAt: '2026-03-01T09:59:00Z' })]);
    const [compared] = compare([over], state);
    expect(compared).toMatchObject({ expired: 1, parts: [{ derived: undefined }] });
    expect(compared?.parts[0]?.whole?.message['grants']).toHaveLength(2);
  });

  it('that nobody decided yet, or that the catalog lacks, are asked for', () => {
    const key = 'reader:ann';
    const open = {
      ...set,
      grants: { ...set.grants, [key]: { ...set.grants[key], undecided: true } },
    } as typeof set;
    expect(changesOf([given], { ...state, sets: new Map([['billing', open]]) })).toEqual({
      'grants billing': ['grant reader to ann'],
    });
    const lacking = withFound(state, ({ members }) => ({
      members: members.filter(({ members: [name] }) => name !== 'bob'),
    }));
    expect(changesOf([given], lacking)).toEqual({ 'grants billing': ['grant writer to bob'] });
  });

  it('that are exact are one whole where anything differs', () => {
    const exact = grants(given.grants.slice(0, 1), { mode: 'exact' });
    const [compared] = compare([exact], state);
    expect(compared?.parts).toMatchObject([
      {
        changes: ['revoke writer from bob'],
        derived: { message: { mode: 'exact', grants: [grant('ann')] } },
      },
    ]);
    const foreign = withFound(state, ({ members: [first, ...rest] }) => ({
      members: [
        { ...(first as (typeof rest)[number]), members: ['eve'] },
        ...(first ? [first] : []),
        ...rest,
      ],
    }));
    expect(changesOf([{ ...given, mode: 'exact' }], foreign)).toEqual({
      'grants billing': [expect.stringContaining('eve')],
    });
  });

  it('that somebody else made are told of, for nobody of ours can take them back', () => {
    const byHand = withFound(state, ({ members }) => ({
      members: [
        ...members,
        {
          role: 'app__billing__reader',
          grantor: 'postgres',
          admin: false,
          inherit: true,
          set: false,
          members: ['eve'],
        },
      ],
    }));
    const notesOf = (wanted: WantedGrants, found = byHand) =>
      compare([wanted], found).flatMap(({ parts, notes }) => [
        ...parts.flatMap(({ changes }) => changes),
        ...notes.map(({ code, message }) => `${code}: ${message.split(',')[0]}`),
      ]);
    const note = 'FOREIGN_MEMBERSHIP: eve has app__billing__reader';
    expect(notesOf({ ...given, mode: 'exact' })).toEqual([note]);
    expect(notesOf({ ...given, mode: 'exact' }, state)).toEqual([]);
    expect(notesOf(given)).toEqual([]);
    expect(notesOf(grants([grant('eve')], { mode: 'revoke' }))).toEqual([]);
    const known = withFound(byHand, ({ principals }) => ({ principals: [...principals, principal('eve')] }));
    expect(notesOf(grants([grant('eve')], { mode: 'revoke' }), known)).toEqual([note]);
  });

  it('of which only the end or the reason is another are no new ones', () => {
    const soon = { expiresAt: '2030-01-01T00:00:00Z' };
    const kept = given.grants.slice(1);
    expect(changesOf([grants([grant('ann', 'reader', soon), ...kept])], state)).toEqual({
      'grants billing': ['change the end of reader of ann to 2030-01-01T00:00:00Z'],
    });
    const limited = appliedState([...billing(), grants([grant('ann', 'reader', soon)])]);
    expect(changesOf([grants([grant('ann')])], limited)).toEqual({
      'grants billing': ['change the end of reader of ann to never'],
    });
    expect(changesOf([grants([grant('ann', 'reader', { ...soon, reason: 'Audit' })])], limited)).toEqual({
      'grants billing': ['change the reason of reader of ann'],
    });
    const gone = withFound(limited, () => ({ members: [] }));
    expect(changesOf([grants([grant('ann', 'reader', soon)])], gone)).toEqual({
      'grants billing': ['grant reader to ann until 2030-01-01T00:00:00Z'],
    });
    // The registry knows nothing of it: its members have it without end.
    const unknown = { ...limited, sets: new Map() };
    expect(changesOf([grants([grant('ann', 'reader', soon)])], unknown)).toEqual({
      'grants billing': ['change the end of reader of ann to 2030-01-01T00:00:00Z'],
    });
  });

  it('that are to be taken back are, as long as there is something to take', () => {
    const back = grants([grant('ann'), grant('cy')], { mode: 'revoke' });
    const [compared] = compare([back], state);
    expect(compared?.parts).toMatchObject([
      {
        changes: ['revoke reader from ann'],
        derived: { message: { mode: 'revoke', grants: [grant('ann')] } },
      },
    ]);
    const gone = withFound(state, () => ({ roles: [], members: [] }));
    expect(compare([back], gone)[0]?.parts).toMatchObject([{ derived: undefined, whole: undefined }]);
  });

  it('that others granted, or that ran out, are not taken back, and the message is older than what came since', () => {
    const known = state.sets.get('billing');
    if (known === undefined) throw new Error('nothing was granted');
    const at = (minutes: number) => new Date(now.getTime() - minutes * 60_000);
    const by = (operation: string, publishedAt: Date, more = {}) => ({
      operation,
      publishedAt,
      present: true,
      ...more,
    });
    const names = ['ann', 'bob', 'cy', 'dan', 'eve'];
    const of = (name: string, rest: object) => [
      `reader:${name}`,
      { principal: name, kind: 'login', role: 'reader', ...rest },
    ];
    const grantsOf = Object.fromEntries([
      of('ann', { value: by('mine-1', at(30)) }),
      of('bob', { value: by('a person', at(20)) }),
      of('cy', { value: by('mine-2', at(10)) }),
      of('dan', { value: by('mine-1', at(30), { expiresAt: at(1) }) }),
      // Somebody is about to decide: what was before counts as long as nobody knows.
      of('eve', { value: by('a person', at(5)), undecided: true, before: by('mine-2', at(15)) }),
    ]) as typeof known.grants;
    const given = { ...state, sets: new Map([['billing', { ...known, grants: grantsOf }]]) };
    const back = grants(
      names.map((name) => grant(name)),
      {
        mode: 'revoke',
        grantedBy: new Set(['mine-1', 'mine-2']),
      },
    );
    const [compared] = compare([back], given);
    expect(compared?.parts).toMatchObject([
      {
        derived: { message: { mode: 'revoke', grants: [grant('ann'), grant('cy'), grant('eve')] } },
        dated: new Date(at(10).getTime() + 1),
      },
    ]);
    expect(compared?.notes).toMatchObject([
      { code: 'KEPT', message: expect.stringMatching(/bob reader\.$/) },
    ]);
  });

  it('beyond what one message has are parts by their places, whatever is left to do', () => {
    const names = Array.from({ length: 250 }, (_, index) => `n${index}`);
    const many = grants(names.map((name) => grant(name)));
    const done = appliedState([...billing(), many]);
    const lacking = withFound(done, ({ members }) => ({
      members: members.filter(({ members: [name] }) => name !== 'n120' && name !== 'n240'),
    }));
    const [compared] = compare([many], lacking);
    expect(compared?.parts.map(({ index, changes }) => [index, changes])).toEqual([
      [0, []],
      [1, ['grant reader to n120']],
      [2, ['grant reader to n240']],
    ]);
    const wholes = compared?.parts.map(({ whole }) => whole?.message['grants']) as unknown[][];
    expect(wholes.map(({ length }) => length)).toEqual([100, 100, 50]);
  });

  it('to whom there is not are refused, unless somebody makes them', () => {
    const refusalsOf = (wanted: WantedGrants, more: Wanted[] = []) =>
      compare([wanted, ...more], state)[0]?.refusals.map(({ code }) => code);
    expect(refusalsOf(grants([grant('nobody')]))).toEqual(['PRINCIPAL_NOT_FOUND']);
    const user = { ...grant('zoe@acme.com'), kind: 'iam-user' as const };
    expect(refusalsOf(grants([user]))).toEqual(['PRINCIPAL_NOT_FOUND']);
    expect(refusalsOf(grants([user], { createMissing: true }))).toEqual([]);
    const secrets = wantedOf(
      read(database({ secrets: { 'bill-api': { kind: 'postgres', schema: 'billing', level: 'reader' } } })),
    );
    expect(refusalsOf(grants([grant('bill-api_a')]), secrets)).toEqual([]);
  });
});

describe('a secret', () => {
  const secretOf = (more = {}) =>
    wantedOf(
      read(
        database({
          secrets: { 'bill-api': { kind: 'postgres', schema: 'billing', level: 'reader', ...more } },
        }),
      ),
    );
  const state = appliedState(secretOf({ grace: '24h' }));
  const record = state.secrets.get('bill-api');
  if (record === undefined) throw new Error('it was not made');
  const withRecord = (more: object) => ({
    ...state,
    secrets: new Map([['bill-api', { ...record, ...more }]]),
  });
  const changes = (more = {}, found = state, former: readonly Wanted[] = []) =>
    compare(secretOf(more), found, where, former).flatMap(({ parts }) =>
      parts.flatMap((part) => part.changes),
    );

  it('that is there is left alone, whatever its manifest doesn’t say', () => {
    expect(changes()).toEqual([]);
    expect(changes({ grace: '1d' })).toEqual([]);
    expect(changes({ grace: '2d' })).toEqual(['bill-api: graceMinutes 1440 → 2880']);
    expect(changes({ policy: { everyDays: 30, jitterDays: 3 } })).toHaveLength(1);
  });

  it('that was never finished, or whose last change failed, is gone on with', () => {
    expect(changes({}, withRecord({ current: null }))).toEqual(['create the secret bill-api']);
    const last = { at: now, operation: 'x', action: 'create', code: 'LOGIN_REFUSED' };
    expect(changes({}, withRecord({ last }))).toHaveLength(1);
    expect(changes({}, withRecord({ last: { ...last, action: 'rotate' } }))).toEqual([]);
  });

  it('of which the registry doesn’t know all is asked for, unless the same was done before', () => {
    const probed = { probe: 'SELECT 1' };
    expect(changes(probed)).toHaveLength(1);
    expect(changes(probed, state, secretOf(probed))).toEqual([]);
    expect(changes(probed, state, secretOf({ probe: 'SELECT 2' }))).toHaveLength(1);
  });

  it('that says what can’t be changed of one that is there is refused', () => {
    const refusals = (more = {}, found = state) =>
      compare(secretOf(more), found).flatMap((one) => one.refusals.map(({ code }) => code));
    expect(refusals({ grace: '2d', policy: { everyDays: 3, jitterDays: 1 } })).toEqual([]);
    for (const more of [{ level: 'writer' }, { schema: 'sales' }, { strategy: 'single-user' }])
      expect(refusals(more)).toEqual(['SECRET_MISMATCH']);
    const random = wantedOf(read(database({ secrets: { 'bill-api': { kind: 'random' } } })));
    expect(compare(random, state)).toMatchObject([
      {
        parts: [{ changes: ['bill-api: kind postgres → random'] }],
        refusals: [{ message: expect.stringContaining('with kind "postgres" and not "random"') }],
      },
    ]);
    // It was never finished: what is said now counts.
    expect(refusals({ level: 'writer' }, withRecord({ current: null }))).toEqual([]);
  });
});

describe('a tenant', () => {
  const wanted = (more = {}) =>
    wantedOf(
      read({
        version: 1,
        tenant: {
          ...{ id: 'acme', displayName: 'Acme', contact: 'ops@acme.example', plan: 'STARTER' },
          target: { instance: where.target.instance, database: 'app' },
          ...more,
        },
      }),
    );
  const found = tenantRecord('acme', {}, { isolation: 'schema' });
  const refusals = (more = {}, record: object = {}) => {
    const tenant = { ...found, ...record };
    const comparing = { where, state: nothing, tenant, former: [], now };
    return compareAll(wanted(more), comparing).flatMap((one) => one.refusals.map(({ code }) => code));
  };

  it.each([
    [{}, {}, []],
    [{ displayName: 'Acme Ltd', plan: 'SCALE' }, {}, []],
    [{ level: 'writer' }, {}, ['TENANT_MISMATCH']],
    [{ isolation: 'database' }, {}, ['TENANT_MISMATCH']],
    [{ target: { instance: where.target.instance, database: 'other' } }, {}, ['TENANT_MISMATCH']],
    [{ features: { opaqueNames: true } }, {}, ['TENANT_MISMATCH']],
    [{ level: 'writer' }, { state: 'failed' }, []],
    [{ plan: 'NONE' }, {}, ['UNKNOWN_PLAN']],
    [{ plan: 'constructor' }, { state: 'failed' }, ['UNKNOWN_PLAN']],
    [{}, { state: 'removed' }, ['TENANT_REMOVED']],
    [{}, { state: 'removing' }, ['TENANT_REMOVING']],
  ])('that is to be %j, and is %j, is refused: %j', (more, record, codes) => {
    expect(refusals(more, record)).toEqual(codes);
  });
});

describe('an item that is refused', () => {
  it('is held against nothing, though others of the same place are', () => {
    const wanted = [...billing({ exact: true, grants: [grant('ann')] })];
    const state = appliedState(billing({ grants: [grant('ann'), grant('bob')] }));
    const hidden = new Set(['grants billing']);
    const compared = compareAll(wanted, { where, state, tenant: undefined, former: [], now, hidden });
    expect(compared).toMatchObject([
      { wanted: { kind: 'schema' }, parts: [{ changes: [] }] },
      { wanted: { kind: 'grants' }, parts: [], refusals: [], notes: [] },
    ]);
    expect(changesOf(wanted, state)).toEqual({ 'grants billing': ['revoke reader from bob'] });
  });
});
