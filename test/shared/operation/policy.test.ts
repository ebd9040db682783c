import { describe, expect, it } from 'vitest';
import type { PolicyRule } from '../../../shared/config.ts';
import { type AccessRequest, authorize, subjectOf } from '../../../shared/operation/policy.ts';

const rule = (more: Partial<PolicyRule> = {}): PolicyRule => ({
  functions: ['create-schema'],
  targets: ['acme:europe-west1:main/app*'],
  secrets: [],
  repositories: [],
  levels: [],
  principals: [],
  actions: [],
  ...more,
});

const now = new Date('2026-03-01T10:00:00Z');

const ask = (
  rules: readonly PolicyRule[],
  {
    database = 'app',
    functionName = 'create-schema',
    ...request
  }: Partial<AccessRequest & { database: string; functionName: string }> = {},
) => {
  const target = { instance: 'acme:europe-west1:main', database };
  return authorize(functionName, { target, levels: [], principals: [], actions: [], ...request }, rules, now);
};

describe('the policy', () => {
  it('denies everything where there is no rule', () => {
    expect(ask([])).toMatchObject({
      code: 'NOT_ALLOWED',
      retryable: false,
      message: expect.stringContaining('No rule allows create-schema on acme:europe-west1:main/app.'),
      details: { target: 'acme:europe-west1:main/app' },
    });
  });

  it('allows what a rule names', () => {
    const rules = [rule({ levels: ['reader', 'writer'], actions: ['adopt'] })];
    expect(ask(rules, { levels: ['writer'], actions: ['adopt'], database: 'app_eu' })).toBeUndefined();
  });

  it.each([
    ['another function', { functionName: 'grant-roles' }],
    ['another database', { database: 'billing' }],
    ['a database whose name a rule’s pattern would have to cross a slash for', { database: 'app/x' }],
  ])('denies %s', (_, request) => {
    expect(ask([rule()], request)).toMatchObject({ code: 'NOT_ALLOWED' });
  });

  it('says which levels and actions are missing', () => {
    const denied = ask([rule({ levels: ['reader'] })], {
      levels: ['owner', 'reader', 'writer'],
      actions: ['adopt'],
    });
    expect(denied).toMatchObject({
      message: expect.stringContaining("don't allow: level owner, level writer, adopt."),
      details: { missing: ['level owner', 'level writer', 'adopt'] },
    });
  });

  it('allows a login that one of the rule’s patterns covers, and no other', () => {
    const rules = [rule({ principals: ['*@acme.com', 'ci'] })];
    expect(ask(rules, { principals: ['dora@acme.com'] })).toBeUndefined();
    expect(ask(rules, { principals: ['ci'] })).toBeUndefined();
    expect(ask(rules, { principals: ['postgres'] })).toMatchObject({
      details: { missing: ['principal postgres'] },
    });
    expect(ask([rule()], { principals: ['dora@acme.com'] })).toMatchObject({ code: 'NOT_ALLOWED' });
  });

  it('allows principals by pattern, and says which are missing', () => {
    const rules = [rule({ principals: ['*@example.com', 'app'] })];
    expect(ask(rules, { principals: ['alice@example.com', 'app'] })).toBeUndefined();
    expect(ask(rules, { principals: ['alice@example.org', 'app', 'application'] })).toMatchObject({
      details: { missing: ['principal alice@example.org', 'principal application'] },
    });
    expect(ask([rule()], { principals: ['app'] })).toMatchObject({ code: 'NOT_ALLOWED' });
  });

  it('wants one rule that allows all: rights of several are not added up', () => {
    const rules = [rule({ levels: ['reader'] }), rule({ levels: ['writer'], actions: ['adopt'] })];
    expect(ask(rules, { levels: ['reader'] })).toBeUndefined();
    expect(ask(rules, { levels: ['writer'] })).toBeUndefined();
    expect(ask(rules, { levels: ['reader', 'writer'] })).toMatchObject({ code: 'NOT_ALLOWED' });
  });

  it('says what is missing from the rule that comes nearest', () => {
    const rules = [rule(), rule({ levels: ['reader', 'writer'] }), rule({ levels: ['reader'] })];
    expect(ask(rules, { levels: ['reader', 'writer'], actions: ['adopt'] })).toMatchObject({
      details: { missing: ['adopt'] },
    });
  });

  it('lets any of several targets and rules match', () => {
    const rules = [
      rule({ functions: ['grant-roles'] }),
      rule({ targets: ['other:europe-west1:main/*', 'acme:*:main/app'] }),
    ];
    expect(ask(rules)).toBeUndefined();
  });

  it('takes custom roles for levels of a kind of their own', () => {
    const missing = (levels: string[]) =>
      ask([rule({ levels })], { levels: ['custom:support'] })?.details?.['missing'];
    expect(missing(['custom:support'])).toBeUndefined();
    expect(missing(['custom:*'])).toBeUndefined();
    for (const pattern of ['*', 'support', 'custom:supporter', 'custom:sup']) {
      expect(missing([pattern]), pattern).toEqual(['level custom:support']);
    }
    expect(ask([rule({ levels: ['custom:*'] })], { levels: ['owner'] })).toMatchObject({
      details: { missing: ['level owner'] },
    });
  });

  it('wants each predefined role named among the actions', () => {
    const rules = [rule({ actions: ['customRoles', 'native:pg_monitor'] })];
    expect(ask(rules, { actions: ['customRoles', 'native:pg_monitor'] })).toBeUndefined();
    expect(ask(rules, { actions: ['customRoles', 'native:pg_checkpoint'] })).toMatchObject({
      details: { missing: ['native:pg_checkpoint'] },
    });
  });

  it('wants grants to end in time where a rule says so', () => {
    const day = [rule({ longestGrantHours: 24 })];
    const inHours = (hours: number, milliseconds = 0) =>
      new Date(now.getTime() + hours * 3_600_000 + milliseconds);
    expect(ask(day), 'nothing is granted').toBeUndefined();
    expect(ask(day, { until: inHours(24) })).toBeUndefined();
    for (const until of [inHours(24, 1), 'never' as const]) {
      expect(ask(day, { until })).toMatchObject({
        code: 'NOT_ALLOWED',
        details: { missing: ['grants for more than 24 hours'] },
      });
      expect(ask([rule()], { until }), 'without a limit').toBeUndefined();
    }
    const longer = [...day, rule({ longestGrantHours: 0.5 }), rule({ longestGrantHours: 48 })];
    expect(ask(longer, { until: inHours(48) })).toBeUndefined();
    expect(ask([rule({ longestGrantHours: 0.5 })], { until: inHours(0.5, 1) })).toMatchObject({
      details: { missing: ['grants for more than 0.5 hours'] },
    });
  });
});

describe('the policy for secrets', () => {
  const request = { levels: [], principals: [], actions: [] };
  const target = { instance: 'acme:europe-west1:main', database: 'app' };
  const rules = (...some: Partial<PolicyRule>[]) =>
    some.map((more) => rule({ functions: ['rotate-secret'], ...more }));
  const allowed = (more: Partial<AccessRequest>, of: readonly PolicyRule[]) =>
    authorize('rotate-secret', { ...request, ...more }, of, now) === undefined;

  it('allows those that one of a rule’s patterns covers', () => {
    const some = rules({ targets: [], secrets: ['app-*', 'stripe'] });
    for (const id of ['app-billing', 'app-', 'stripe'])
      expect(allowed({ secrets: [id] }, some), id).toBe(true);
    for (const id of ['app', 'App-billing', 'my-app-billing', 'stripes', 'app-x/y'])
      expect(allowed({ secrets: [id] }, some), id).toBe(false);
  });

  it('says which secret no rule speaks of', () => {
    expect(authorize('rotate-secret', { ...request, secrets: ['shop'] }, rules({}), now)).toMatchObject({
      code: 'NOT_ALLOWED',
      retryable: false,
      message: expect.stringContaining('No rule allows rotate-secret on secret shop.'),
      details: { names: ['shop'] },
    });
  });

  it('wants one rule for all of several, and for a secret with its database', () => {
    const apart = rules({ secrets: ['app-a'] }, { secrets: ['app-b'] });
    expect(allowed({ secrets: ['app-a'] }, apart)).toBe(true);
    expect(allowed({ secrets: ['app-a', 'app-b'] }, apart)).toBe(false);
    expect(allowed({ secrets: ['app-a', 'app-b'] }, rules({ secrets: ['app-*'] }))).toBe(true);

    const both = rules({ secrets: ['app-a'] });
    expect(allowed({ secrets: ['app-a'], target }, both)).toBe(true);
    expect(allowed({ secrets: ['app-b'], target }, both)).toBe(false);
    expect(allowed({ secrets: ['app-a'], target: { ...target, database: 'shop' } }, both)).toBe(false);
    const split = rules({ secrets: ['app-a'], targets: ['acme:*:*/shop'] }, { secrets: [] });
    expect(allowed({ secrets: ['app-a'], target }, split)).toBe(false);
  });

  it('has nothing to say of a database where none is asked for, and the other way round', () => {
    expect(allowed({ secrets: ['app-a'] }, rules({ targets: [], secrets: ['app-*'] }))).toBe(true);
    expect(allowed({ target }, rules({ secrets: [] }))).toBe(true);
    expect(allowed({ target }, rules({ targets: [], secrets: ['*'] }))).toBe(false);
    expect(allowed({ secrets: ['app-a'] }, rules({ targets: ['*:*:*/*'], secrets: [] }))).toBe(false);
  });

  it('wants its actions, too', () => {
    const some = rules({ secrets: ['app-*'], actions: ['force'] });
    expect(allowed({ secrets: ['app-a'], actions: ['force'] }, some)).toBe(true);
    expect(
      authorize('rotate-secret', { ...request, secrets: ['app-a'], actions: ['force', 'create'] }, some, now),
    ).toMatchObject({
      message: expect.stringContaining('on secret app-a don'),
      details: { names: ['app-a'], missing: ['create'] },
    });
  });
});

describe('what a request is about', () => {
  const request = { levels: [], principals: [], actions: [] };
  const target = { instance: 'acme:europe-west1:main', database: 'app' };

  it('is its database, or else its secrets', () => {
    expect(subjectOf({ ...request, target })).toBe('acme:europe-west1:main/app');
    expect(subjectOf({ ...request, target, secrets: ['app-a'] })).toBe('acme:europe-west1:main/app');
    expect(subjectOf({ ...request, secrets: ['app-a'] })).toBe('secret app-a');
    expect(subjectOf({ ...request, secrets: ['app-a', 'app-b'] })).toBe('secret app-a, app-b');
    expect(subjectOf({ ...request, secrets: [] })).toBeUndefined();
    expect(subjectOf(request)).toBeUndefined();
  });
});
