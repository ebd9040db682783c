import { describe, expect, it } from 'vitest';
import { readConfig } from '../../../shared/config.ts';
import { defaultPlans, plansSchema } from '../../../shared/tenants/plans.ts';

const plan = {
  connections: 5,
  statementTimeoutSeconds: 30,
  operationsPerMinute: 10,
  operationsPerDay: 100,
  concurrentOperations: 2,
};

const configured = (plans?: unknown) =>
  readConfig({
    GOOGLE_CLOUD_PROJECT: 'acme',
    ...(plans === undefined
      ? {}
      : { DROVER_PLANS: typeof plans === 'string' ? plans : JSON.stringify(plans) }),
  }).DROVER_PLANS;

function wrong(plans: unknown): string[] {
  const parsed = plansSchema.safeParse(plans);
  return parsed.success ? [] : parsed.error.issues.map(({ path }) => path.join('.'));
}

describe('without a configuration', () => {
  it.each([
    ['STARTER', 2, 3, 6, 3],
    ['PROFESSIONAL', 6, 6, 25, 5],
    ['SCALE', 11, 10, 100, 10],
  ])('there is %s', (name, teamMembers, providers, operationsPerDay, concurrentOperations) => {
    expect(configured()[name]).toMatchObject({
      entitlements: { teamMembers, providers },
      operationsPerDay,
      concurrentOperations,
      operationsPerMinute: 100,
    });
  });

  it('there are no others, and each is one that could be configured', () => {
    expect(Object.keys(configured())).toEqual(['STARTER', 'PROFESSIONAL', 'SCALE']);
    expect(plansSchema.parse(defaultPlans)).toEqual(defaultPlans);
  });
});

describe('a configuration', () => {
  it('replaces all of them', () => {
    const small = { ...plan, tableExpiryDays: 30, entitlements: { seats: 3 } };
    expect(configured({ small, large: plan })).toEqual({ small, large: { ...plan, entitlements: {} } });
  });

  it.each(Object.keys(plan))('says the %s of each plan', (field) => {
    expect(wrong({ small: { ...plan, [field]: undefined } })).toEqual([`small.${field}`]);
    for (const value of [0, -1, 1.5, 1_000_001, '5', null, [5]]) {
      expect(wrong({ small: { ...plan, [field]: value } })).toEqual([`small.${field}`]);
    }
  });

  it.each([
    ['a plan that is none', { small: 5 }, ['small']],
    ['no plans', [], ['']],
    ['an empty name', { '': plan }, ['']],
    ['a name that no message can say', { [`x${'x'.repeat(50)}`]: plan }, [`x${'x'.repeat(50)}`]],
    ['a name with a blank', { 'very small': plan }, ['very small']],
    ['an unknown limit', { small: { ...plan, disk: 5 } }, ['small']],
    [
      'a timeout of more than a day',
      { small: { ...plan, statementTimeoutSeconds: 86_401 } },
      ['small.statementTimeoutSeconds'],
    ],
    ['tables that never were', { small: { ...plan, tableExpiryDays: 0 } }, ['small.tableExpiryDays']],
    [
      'an entitlement to nothing',
      { small: { ...plan, entitlements: { seats: 0 } } },
      ['small.entitlements.seats'],
    ],
    [
      'an entitlement without a name',
      { small: { ...plan, entitlements: { Seats: 1 } } },
      ['small.entitlements.Seats'],
    ],
  ])('can’t have %s', (_, plans, paths) => {
    expect(wrong(plans)).toEqual(paths);
  });

  it('has plans under names that objects have only where it says so', () => {
    expect(Object.keys(configured(`{"__proto__":${JSON.stringify(plan)}}`))).toEqual([]);
    expect(Object.keys(configured({ constructor: plan }))).toEqual(['constructor']);
  });

  it('that can’t be used says so, by its variable and the place in it', () => {
    expect(() => configured('{')).toThrow(/DROVER_PLANS/);
    expect(() => configured({ small: { ...plan, connections: 0 } })).toThrow(
      /DROVER_PLANS\.small\.connections/,
    );
    expect(() => configured('@/nowhere/plans.json')).toThrow(/DROVER_PLANS/);
  });
});
