import { describe, expect, it } from 'vitest';
import { notAllowed, refusedItems } from '../../../../functions/ingest-object/manifest/authorize.ts';
import { wantedOf } from '../../../../functions/ingest-object/manifest/want.ts';
import type { PolicyRule } from '../../../../shared/config.ts';
import { where } from './applied.ts';
import { database, grant, read } from './manifests.ts';

const rule: PolicyRule = {
  functions: ['ingest-object'],
  targets: ['acme:*:*/app'],
  secrets: ['app-*'],
  repositories: [],
  levels: ['owner', 'reader', 'writer', 'analyst', 'custom:*'],
  principals: ['*@acme.com'],
  actions: ['create', 'customRoles'],
  longestGrantHours: 24,
};

const soon = { expiresAt: new Date(Date.now() + 3_600_000).toISOString() };
const wanted = (more: Record<string, unknown>) => wantedOf(read(database(more)));
const refused = (more: Record<string, unknown>, rules = [rule]) =>
  refusedItems(wanted(more), where, undefined, rules).map(({ key, error }) => `${key}: ${error.message}`);

describe('what the policy lets manifests ask for', () => {
  it('is all of what each function is asked for, by the rules for ingest-object', () => {
    const all = {
      schemas: { billing: { grants: [grant('ann@acme.com', 'reader', soon)] } },
      secrets: { 'app-bills': { kind: 'postgres', schema: 'billing', level: 'reader' } },
    };
    expect(refused(all)).toEqual([]);
    expect(
      refused(all, [{ ...rule, functions: ['create-schema', 'grant-roles', 'rotate-secret'] }]),
    ).toHaveLength(3);
  });

  it.each([
    [{ schemas: { billing: { adopt: true } } }, /^schema billing: .*adopt/],
    [
      { schemas: { billing: { grants: [grant('eve@evil.com', 'reader', soon)] } } },
      /^grants billing: .*eve@evil.com/,
    ],
    [{ schemas: { billing: { grants: [grant('ann@acme.com', 'reader')] } } }, /^grants billing: .*24 hours/],
    [{ schemas: { billing: { exact: true, grants: [grant('ann@acme.com', 'reader', soon)] } } }, /exact/],
    [{ lockDatabase: true, schemas: { billing: {} } }, /^schema billing: .*lockDatabase/],
    [{ secrets: { other: { kind: 'random' } } }, /^secret other: /],
  ])('doesn’t cover %j', (more, text) => {
    expect(refused(more)).toEqual([expect.stringMatching(text)]);
  });

  it('is nothing beyond a tenant’s own where the manifest is in that tenant’s folder', () => {
    const place = {
      ...where.target,
      schema: 'tenant_acme',
      secret: 'tenant-acme-database',
      apiKeySecret: null,
    };
    const folder = { tenant: 'acme', record: { isolation: 'schema', state: 'active', place } } as never;
    const keys = (more: Record<string, unknown>) =>
      refusedItems(wanted(more), where, folder, [rule]).map(({ key }) => key);
    const own = { tenant_acme: { grants: [grant('ann@acme.com', 'reader', soon)] } };
    expect(keys({ schemas: own })).toEqual([]);
    expect(keys({ schemas: { ...own, billing: {} } })).toEqual(['schema billing']);
  });

  it.each(['bootstrapping', 'compensating', 'failed', 'removing', 'removed', undefined] as const)(
    'is nothing in the folder of a tenant that is %s',
    (state) => {
      const place = { ...where.target, schema: 'tenant_acme', secret: 's', apiKeySecret: null };
      const record = state && { isolation: 'schema', place, state };
      const refusals = refusedItems(
        wanted({ schemas: { tenant_acme: { grants: [grant('ann@acme.com', 'reader', soon)] } } }),
        where,
        { tenant: 'acme', record } as never,
        [rule],
      );
      expect(refusals.map(({ error }) => error.code)).toEqual(['TENANT_NOT_ACTIVE', 'TENANT_NOT_ACTIVE']);
      expect(notAllowed(refusals)).toMatchObject({ code: 'TENANT_NOT_ACTIVE', details: { tenant: 'acme' } });
    },
  );

  it('is told of at once, as far as anybody reads', () => {
    const schemas = Object.fromEntries(
      Array.from({ length: 30 }, (_, index) => [`s${index}`, { adopt: true }]),
    );
    const error = notAllowed(refusedItems(wanted({ schemas }), where, undefined, [rule]));
    expect(error).toMatchObject({ code: 'NOT_ALLOWED', retryable: false });
    expect(error?.message).toMatch(/; and 10 more$/);
    expect(error?.details?.['problems']).toHaveLength(20);
    expect(notAllowed([])).toBeUndefined();
  });
});
