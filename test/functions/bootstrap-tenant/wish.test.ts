import { beforeAll, describe, expect, it } from 'vitest';
import { bootstrapTenantMessage, type TenantMessage } from '../../../functions/bootstrap-tenant/message.ts';
import { wantedTenant } from '../../../functions/bootstrap-tenant/wish.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import type { TenantDecision } from '../../../shared/registry/tenants/decide.ts';
import type { TenantRecord, TenantState } from '../../../shared/registry/tenants/model.ts';
import { defaultPlans } from '../../../shared/tenants/plans.ts';

beforeAll(() => {
  process.env['GOOGLE_CLOUD_PROJECT'] = 'acme';
  process.env['DROVER_TENANTS_BUCKET'] = 'acme-tenants';
});

const instance = 'acme:europe-west1:main';
const message = {
  scope: 'tenant',
  tenant: 'acme',
  displayName: 'Acme Ltd.',
  contact: 'it@acme.example',
  plan: 'STARTER',
  target: { instance, database: 'app' },
};
const parse = (more: object = {}) => bootstrapTenantMessage.parse({ ...message, ...more }) as TenantMessage;
const manifest = 'gs://archive/tenants/acme/1/database/manifest.json';

const publishedAt = new Date('2026-03-01T10:00:00Z');
const asked = { publishedAt, revision: 4, claimedActor: 'ann@acme.example' };
const begin: TenantDecision = { kind: 'begin', incarnation: 1 };
const goOn: TenantDecision = { kind: 'go-on' };

const want = (
  more: object = {},
  found?: TenantRecord,
  decision: TenantDecision = found ? goOn : begin,
  id = 'op-2',
) => wantedTenant(parse(more), found, decision, { id, asked });

/** A tenant as an earlier operation left it. */
const left = (state: TenantState, more: object = {}, fields: Partial<TenantRecord> = {}): TenantRecord => ({
  ...want(more, undefined, begin, 'op-1'),
  state,
  holder: null,
  ...fields,
});

function refusal(wanting: () => unknown): OperationError {
  try {
    wanting();
  } catch (error) {
    if (error instanceof OperationError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('a tenant that begins', () => {
  it('is what the message says, with its plan’s limits and names of its own', () => {
    expect(want()).toMatchObject({
      tenant: 'acme',
      state: 'bootstrapping',
      incarnation: 1,
      displayName: 'Acme Ltd.',
      plan: 'STARTER',
      limits: defaultPlans['STARTER'],
      isolation: 'schema',
      region: null,
      level: 'owner',
      scopes: ['read', 'write'],
      place: { database: 'app', schema: 'tenant_acme', storage: 'gs://acme-tenants/tenants/acme/' },
      holder: 'op-2',
      operation: 'op-2',
      order: { publishedAt, revision: 4 },
      removedAt: null,
      failure: null,
      archive: null,
      restored: null,
    });
  });

  it('doesn’t say who says to have asked: that is no part of its place among others', () => {
    expect(want().order).not.toHaveProperty('claimedActor');
  });

  it('with opaque names has them again where it is restored, and others where it isn’t', () => {
    const opaque = { features: { opaqueNames: true } };
    const former = left('removed', opaque, { archive: manifest, removedAt: publishedAt });
    const second: TenantDecision = { kind: 'begin', incarnation: 2 };
    const again = want({ ...opaque, restore: manifest }, former, second).place;
    const { schema, logins, secret } = former.place;
    expect(again).toMatchObject({ schema, logins, secret });
    expect(want(opaque, former, second).place.schema).not.toBe(schema);
    const elsewhere = { ...opaque, restore: manifest, target: { instance, database: 'app2' } };
    expect(want(elsewhere, former, second).place.schema).not.toBe(schema);
  });

  it('after one that failed or was removed is another one: nothing of that is left but its archive', () => {
    const former = left(
      'removed',
      { features: { opaqueNames: true } },
      {
        archive: manifest,
        removedAt: publishedAt,
        createdAt: publishedAt,
        failure: { code: 'X', message: 'x' },
      },
    );
    const next = want({ restore: manifest }, former, { kind: 'begin', incarnation: 2 });
    expect(next).toMatchObject({
      state: 'bootstrapping',
      incarnation: 2,
      archive: manifest,
      restored: manifest,
      removedAt: null,
      failure: null,
      place: { schema: 'tenant_acme' },
    });
    expect(next.createdAt).not.toEqual(publishedAt);
  });

  it('may be something else than a former one of its id', () => {
    const former = left('failed');
    const own = { isolation: 'database', target: { instance } };
    expect(want(own, former, begin).place).toMatchObject({ database: 'tenant_acme', schema: 'app' });
  });
});

describe('a plan', () => {
  it.each(['GOLD', '', 'starter', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'S\0'])(
    'that isn’t configured is told: %j',
    (plan) => {
      for (const found of [undefined, left('active')]) {
        expect(refusal(() => want({ plan }, found))).toMatchObject({
          code: 'UNKNOWN_PLAN',
          retryable: false,
          message: expect.stringContaining('STARTER, PROFESSIONAL, SCALE'),
          details: { problems: [{ path: 'data.plan' }] },
        });
      }
    },
  );
});

describe('quotas', () => {
  const starter = defaultPlans['STARTER'];

  it('are instead of the plan’s limits, of entitlements each by itself', () => {
    const quotas = { connections: 40, entitlements: { teamMembers: 7, seats: 1 } };
    expect(want({ quotas })).toMatchObject({ plan: 'STARTER', quotas });
    expect(want({ quotas }).limits).toEqual({
      ...starter,
      connections: 40,
      entitlements: { ...starter?.entitlements, teamMembers: 7, seats: 1 },
    });
  });

  it('that say nothing leave the plan’s limits', () => {
    expect(want({ quotas: {} }).limits).toEqual(starter);
    expect(want()).toMatchObject({ quotas: null, limits: starter });
  });

  it('may be what the plan has nothing of', () => {
    expect(want({ quotas: { tableExpiryDays: 30 } }).limits).toEqual({ ...starter, tableExpiryDays: 30 });
  });

  it('are the plan’s again where a message says none, and stay known until that is done', () => {
    const quotas = { operationsPerDay: 99 };
    const found = left('active', { quotas });
    expect(want({}, found)).toMatchObject({
      quotas: null,
      limits: starter,
      before: { quotas, limits: { operationsPerDay: 99 } },
    });
    const scaled = want({ plan: 'SCALE', quotas }, found).limits;
    expect(scaled).toEqual({ ...defaultPlans['SCALE'], ...quotas });
  });

  it('that something was begun with end it', () => {
    const limits = { ...defaultPlans['STARTER'], connections: 77 } as TenantRecord['limits'];
    const found = left('bootstrapping', {}, { limits, operation: 'op-2' });
    expect(want({ quotas: { connections: 40 } }, found).limits).toEqual(limits);
  });
});

describe('a message about a tenant that is there', () => {
  it('changes what can be changed, and it goes on working meanwhile', () => {
    const found = left('active');
    const changed = {
      displayName: 'Acme Inc.',
      contact: 'cto@acme.example',
      plan: 'SCALE',
      scopes: ['read'],
      readers: ['ann@acme.example'],
      region: 'US',
    };
    expect(want(changed, found)).toMatchObject({
      ...changed,
      state: 'active',
      limits: defaultPlans['SCALE'],
      holder: 'op-2',
      operation: 'op-2',
      order: { publishedAt, revision: 4 },
      createdAt: found.createdAt,
      incarnation: 1,
      failure: null,
      place: found.place,
    });
  });

  it.each(['bootstrapping', 'compensating'] as const)('goes on with one that is %s', (state) => {
    const found = left(state, {}, { failure: { code: 'X', message: 'x' } });
    expect(want({}, found)).toMatchObject({ state: 'bootstrapping', failure: null, holder: 'op-2' });
  });

  it('that is taken back leaves it so, with the reason', () => {
    const failure = { code: 'X', message: 'x', step: 'schema' };
    const found = left('compensating', {}, { failure });
    expect(want({}, found, { kind: 'compensate' })).toMatchObject({ state: 'compensating', failure });
  });

  it('leaves what is archived and restored of it', () => {
    const found = left('active', { restore: manifest }, { archive: 'gs://old/manifest.json' });
    for (const more of [{}, { restore: manifest }]) {
      expect(want(more, found)).toMatchObject({ restored: manifest, archive: 'gs://old/manifest.json' });
    }
  });

  it.each([
    ['isolation', { isolation: 'database' }],
    ['target.instance', { target: { instance: 'acme:europe-west1:other', database: 'app' } }],
    ['target.database', { target: { instance, database: 'other' } }],
    ['features.opaqueNames', { features: { opaqueNames: true } }],
    ['level', { level: 'writer' }],
    ['restore', { restore: manifest }],
  ])('can’t change its %s', (path, more) => {
    for (const state of ['active', 'bootstrapping', 'compensating'] as const) {
      expect(refusal(() => want(more, left(state)))).toMatchObject({
        code: 'TENANT_MISMATCH',
        retryable: false,
        details: { problems: [{ path: `data.${path}`, message: expect.stringMatching(/^is /) }] },
      });
    }
  });

  it('can’t restore into it what is from somewhere else', () => {
    const found = left('active', { restore: manifest });
    const restore = 'gs://archive/tenants/acme/2/database/manifest.json';
    expect(refusal(() => want({ restore }, found)).code).toBe('TENANT_MISMATCH');
  });

  it('need not say again what its own database is called', () => {
    const own = { isolation: 'database', target: { instance, database: 'acme_prod' } };
    const found = left('active', own);
    expect(want({ ...own, target: { instance } }, found).place.database).toBe('acme_prod');
  });
});

describe('the names of a tenant that is there', () => {
  it('are kept, opaque ones too', () => {
    const features = { opaqueNames: true };
    const found = left('active', { features });
    expect(found.place.schema).toMatch(/^t_[0-9a-f]{20}$/);
    expect(want({ features }, found).place).toEqual(found.place);
  });

  it('are kept where new ones are called otherwise', () => {
    const found = left('active');
    const place = { ...found.place, logins: ['old_a', 'old_b'], secret: 'old', storage: 'gs://old/acme/' };
    expect(want({}, { ...found, place }).place).toEqual(place);
  });

  it('are kept of what it has and the message doesn’t ask for', () => {
    const found = left('active');
    const features = { analytics: false, storage: false, apiKey: false };
    expect(want({ features }, found).place).toEqual(found.place);
  });

  it('get more where the message asks for what it hasn’t yet', () => {
    const found = left('active', { features: { analytics: false, storage: false, apiKey: false } });
    expect(found.place).toMatchObject({ dataset: null, storage: null, apiKeySecret: null });
    expect(want({}, found).place).toEqual({
      ...found.place,
      dataset: 'tenant_acme',
      storage: 'gs://acme-tenants/tenants/acme/',
      apiKeySecret: 'tenant-acme-api-key',
    });
  });
});
