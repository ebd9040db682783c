import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isOlder } from '../../../../shared/registry/intents.ts';
import { decideTenant, type TenantWish } from '../../../../shared/registry/tenants/decide.ts';
import type { TenantState } from '../../../../shared/registry/tenants/model.ts';

type Known = NonNullable<Parameters<typeof decideTenant>[0]>;

const at = (minute: number) => new Date(Date.UTC(2026, 2, 1, 10, minute));
const states: readonly TenantState[] = [
  'bootstrapping',
  'active',
  'compensating',
  'failed',
  'removing',
  'removed',
];
const mine = 'mine';
const known: Known = {
  tenant: 'acme',
  state: 'active',
  incarnation: 3,
  holder: null,
  operation: 'other',
  order: { publishedAt: at(5) },
  failure: null,
};
const wish: TenantWish = {
  operation: mine,
  action: 'bootstrap',
  reuse: false,
  order: { publishedAt: at(9) },
};

/** What is decided, in a word. */
function verdict(found: Partial<Known> | undefined, asked: Partial<TenantWish> = {}, ended = true): string {
  const decision = decideTenant(found && { ...known, ...found }, { ...wish, ...asked }, ended);
  if (decision.kind === 'refused') return decision.error.code;
  return decision.kind === 'begin' ? `begin ${decision.incarnation}` : decision.kind;
}

describe('a tenant that nobody has heard of', () => {
  it('begins, and can’t be removed', () => {
    for (const reuse of [false, true]) {
      expect(verdict(undefined, { reuse })).toBe('begin 1');
      expect(verdict(undefined, { reuse, action: 'remove' })).toBe('TENANT_NOT_FOUND');
    }
  });
});

describe('a bootstrap of a tenant at which nobody is', () => {
  it.each([
    ['bootstrapping', 'go-on', 'go-on'],
    ['active', 'go-on', 'go-on'],
    ['compensating', 'go-on', 'go-on'],
    ['failed', 'begin 3', 'begin 3'],
    ['removing', 'TENANT_REMOVING', 'TENANT_REMOVING'],
    ['removed', 'TENANT_REMOVED', 'begin 4'],
  ] as const)('that is %s', (state, without, withReuse) => {
    expect(verdict({ state })).toBe(without);
    expect(verdict({ state }, { reuse: true })).toBe(withReuse);
    expect(verdict({ state, holder: 'other' })).toBe(without);
  });
});

describe('a bootstrap that was at a tenant before', () => {
  it.each([
    ['bootstrapping', 'go-on'],
    ['active', 'go-on'],
    ['compensating', 'compensate'],
  ] as const)('and left it %s', (state, decided) => {
    for (const ended of [false, true]) {
      expect(verdict({ state, holder: mine, operation: mine }, {}, ended)).toBe(decided);
    }
  });

  it('begins anew where it had failed, and somebody replays it', () => {
    expect(verdict({ state: 'failed', operation: mine })).toBe('begin 3');
  });
});

describe('a removal', () => {
  it.each([
    ['bootstrapping', 'go-on'],
    ['active', 'go-on'],
    ['compensating', 'go-on'],
    ['failed', 'TENANT_NOT_FOUND'],
    ['removing', 'go-on'],
    ['removed', 'done'],
  ] as const)('of a tenant that is %s', (state, decided) => {
    for (const holder of [null, mine, 'other']) {
      expect(verdict({ state, holder }, { action: 'remove' })).toBe(decided);
    }
  });

  it('is gone on with by whoever removes it next', () => {
    expect(verdict({ state: 'removing', holder: mine, operation: mine }, { action: 'remove' }, false)).toBe(
      'go-on',
    );
  });
});

describe('another operation that hasn’t ended', () => {
  it.each(states)('stands against every wish about a tenant that is %s, for a while', (state) => {
    for (const action of ['bootstrap', 'remove'] as const) {
      const found = { ...known, state, holder: 'other' };
      const decision = decideTenant(found, { ...wish, action, reuse: true }, false);
      expect(decision).toMatchObject({
        kind: 'refused',
        error: { code: 'TENANT_BUSY', retryable: true, details: { tenant: 'acme', operation: 'other' } },
      });
    }
  });
});

describe('an older wish', () => {
  it('is superseded, by time or by revision', () => {
    expect(verdict({}, { order: { publishedAt: at(4) } })).toBe('superseded');
    expect(verdict({}, { order: { publishedAt: at(5) } })).toBe('go-on');
    const order = { publishedAt: at(5), revision: 7 };
    expect(verdict({ order }, { order: { publishedAt: at(4), revision: 8 } })).toBe('go-on');
    expect(verdict({ order }, { order: { publishedAt: at(9), revision: 6 } })).toBe('superseded');
  });

  it('is not older than itself', () => {
    expect(verdict({ holder: mine, operation: 'other' }, { order: { publishedAt: at(4) } })).toBe('go-on');
    const failure = { code: 'GOOGLE_PERMISSION_DENIED', message: 'denied' };
    expect(verdict({ operation: mine, failure }, { order: { publishedAt: at(4) } })).toBe('go-on');
  });

  it('has announced the tenant: whatever fails now comes too late', () => {
    expect(verdict({ operation: mine }, { order: { publishedAt: at(4) } })).toBe('done');
  });
});

const order = fc.record(
  { publishedAt: fc.integer({ min: 0, max: 9 }).map(at), revision: fc.integer({ min: 0, max: 3 }) },
  { requiredKeys: ['publishedAt'] },
);
const operation = fc.constantFrom(mine, 'other', 'third');
const anyKnown: fc.Arbitrary<Known> = fc.record({
  tenant: fc.constant('acme'),
  state: fc.constantFrom(...states),
  incarnation: fc.integer({ min: 1, max: 5 }),
  holder: fc.option(operation),
  operation,
  order,
  failure: fc.constantFrom(null, { code: 'X', message: 'x' }),
});
const anyWish: fc.Arbitrary<TenantWish> = fc.record({
  operation: fc.constant(mine),
  order,
  action: fc.constantFrom('bootstrap', 'remove'),
  reuse: fc.boolean(),
});

describe('whatever is found and asked', () => {
  const always = (property: (found: Known, asked: TenantWish, ended: boolean) => void) =>
    fc.assert(fc.property(anyKnown, anyWish, fc.boolean(), property), { numRuns: 2000 });
  const acts = (kind: string) => ['begin', 'go-on', 'compensate'].includes(kind);

  it('no two operations are at a tenant', () => {
    always((found, asked, ended) => {
      const { kind } = decideTenant(found, asked, ended);
      const isAnothers = found.holder !== null && found.holder !== mine && !ended;
      if (isAnothers) expect(kind).toBe('refused');
    });
  });

  it('an older wish overrules no newer one, but for one that came to nothing', () => {
    always((found, asked, ended) => {
      const { kind } = decideTenant(found, asked, ended);
      const isNew = found.holder !== mine && found.operation !== mine;
      if (!isNew || !isOlder(asked.order, found.order)) return;
      if (found.state === 'failed') expect(kind).not.toBe('superseded');
      else expect(acts(kind)).toBe(false);
    });
  });

  it('the id of a removed tenant is used only by who says so, and as another tenant’s', () => {
    always((found, asked, ended) => {
      const decision = decideTenant(found, asked, ended);
      if (found.state !== 'removed' || !acts(decision.kind)) return;
      expect(asked).toMatchObject({ action: 'bootstrap', reuse: true });
      expect(decision).toEqual({ kind: 'begin', incarnation: found.incarnation + 1 });
    });
  });

  it('only what is begun, and by whom it was, is taken back', () => {
    always((found, asked, ended) => {
      const { kind } = decideTenant(found, asked, ended);
      if (kind !== 'compensate') return;
      expect(found).toMatchObject({ state: 'compensating', holder: mine });
      expect(asked.action).toBe('bootstrap');
    });
  });

  it('what is being removed is made again by nobody', () => {
    always((found, asked, ended) => {
      const { kind } = decideTenant(found, asked, ended);
      if (found.state === 'removing' && asked.action === 'bootstrap') expect(acts(kind)).toBe(false);
    });
  });

  it('only what another can end is to be tried again', () => {
    always((found, asked, ended) => {
      const decision = decideTenant(found, asked, ended);
      if (decision.kind !== 'refused') return;
      expect(decision.error.retryable).toBe(decision.error.code === 'TENANT_BUSY');
    });
  });
});
