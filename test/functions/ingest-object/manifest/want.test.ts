import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bootstrapTenantMessage } from '../../../../functions/bootstrap-tenant/message.ts';
import { createSchemaMessage } from '../../../../functions/create-schema/message.ts';
import {
  type GrantWish,
  grantRolesMessage,
  mostGrants,
  roleOf,
} from '../../../../functions/grant-roles/message.ts';
import { wantedOf } from '../../../../functions/ingest-object/manifest/want.ts';
import { ownSchemaOfTenant, type Wanted } from '../../../../functions/ingest-object/manifest/wanted.ts';
import { rotateSecretMessage } from '../../../../functions/rotate-secret/message.ts';
import { anyManifest, database, grant, instance, read, type Written } from './manifests.ts';

const want = (written: Written) => wantedOf(read(written));
const keys = (wanted: readonly Wanted[]) => wanted.map(({ key }) => key);
const find = (wanted: readonly Wanted[], key: string) => wanted.find((one) => one.key === key);

describe('what any manifest wants', () => {
  it('comes after all that it needs, and nothing twice', () => {
    fc.assert(
      fc.property(anyManifest, (written) => {
        const wanted = want(written);
        const before = new Set<string>();
        for (const { key, after } of wanted) {
          expect(before.has(key)).toBe(false);
          expect(new Set(after).size).toBe(after.length);
          for (const other of after) expect([...before]).toContain(other);
          before.add(key);
        }
      }),
    );
  });

  it('is the same each time, and in whatever order its maps are written but for the order', () => {
    fc.assert(
      fc.property(anyManifest, (written) => {
        const wanted = want(written);
        expect(want(written)).toEqual(wanted);
        const sorted = (all: readonly Wanted[]) =>
          [...all].sort((a, b) => (a.key < b.key ? -1 : 1)).map(unordered);
        const other = sorted(want(reversed(written) as Written));
        expect(other).toEqual(sorted(wanted));
      }),
    );
  });

  it('makes messages that their functions take', () => {
    fc.assert(
      fc.property(anyManifest, (written) => {
        for (const one of want(written))
          for (const problem of problemsOf(one)) expect(problem).toBeUndefined();
      }),
    );
  });

  it('has each grant and secret of the file, and no other but those of logins', () => {
    fc.assert(
      fc.property(anyManifest, (written) => {
        const { schemas = {}, secrets = {} } = written as {
          schemas?: Record<string, { grants: object[] }>;
          secrets?: object;
        };
        const wanted = want(written);
        for (const [name, { grants }] of Object.entries(schemas)) {
          const set = find(wanted, `grants ${name}`);
          const wishes = set?.kind === 'grants' ? set.grants : [];
          expect(wishes.filter(({ kind }) => kind !== 'login')).toHaveLength(grants.length);
          expect(find(wanted, `schema ${name}`)).toBeDefined();
        }
        expect(wanted.filter(({ kind }) => kind === 'secret')).toHaveLength(Object.keys(secrets).length);
      }),
    );
  });
});

/** The order of `after` and of grants that come of the secrets is the file's. */
function unordered(one: Wanted): Wanted {
  const by = (wish: GrantWish) => `${wish.principal} ${roleOf(wish)}`;
  const after = [...one.after].sort();
  if (one.kind !== 'grants') return { ...one, after };
  return { ...one, after, grants: [...one.grants].sort((a, b) => (by(a) < by(b) ? -1 : 1)) };
}

/** The same with the names of its maps the other way round. But the database's own grants come after the first schema. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  const { schemas, ...rest } = Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, one]) => [name, name === 'schemas' ? one : reversed(one)]),
  );
  return schemas === undefined ? rest : { ...rest, schemas };
}

function problemsOf(one: Wanted): (string | undefined)[] {
  const target = { instance, database: 'app' };
  switch (one.kind) {
    case 'tenant':
      return [bootstrapTenantMessage.safeParse(one.message).error?.message];
    case 'schema':
      return [createSchemaMessage.safeParse({ target, ...one.message }).error?.message];
    case 'secret': {
      const place = one.inDatabase ? { target } : {};
      return [rotateSecretMessage.safeParse({ ...one.message, ...place }).error?.message];
    }
    case 'grants': {
      const { mode, grants, customRoles, createMissing } = one;
      const schema = one.schema === ownSchemaOfTenant ? 'own' : one.schema;
      const place = { target, ...(schema === undefined ? {} : { schema }) };
      expect(grants.length).toBeLessThanOrEqual(mostGrants);
      const message = { ...place, mode, grants, customRoles, createMissing, allowEmpty: mode === 'exact' };
      return [grantRolesMessage.safeParse(message).error?.message];
    }
  }
}

describe('the order', () => {
  it('is the tenant, schemas by what they come after, grants, secrets', () => {
    const wanted = want(
      database({
        secrets: { x: { kind: 'random' }, s: { kind: 'postgres', schema: 'b', level: 'reader' } },
        grants: [grant('ann@acme.com', 'monitor')],
        schemas: {
          a: { after: ['c', 'b'], grants: [grant('ann@acme.com', 'reader')] },
          b: { after: ['c'], customRoles: [{ name: 'helper', version: 1 }] },
          c: {},
        },
      }),
    );
    expect(wanted.map(({ key, after }) => [key, ...after])).toEqual([
      ['schema c'],
      ['schema b', 'schema c'],
      ['schema a', 'schema c', 'schema b'],
      ['grants (database)', 'schema c'],
      ['grants a', 'schema a'],
      ['grants b', 'schema b'],
      ['secret x'],
      ['secret s', 'schema b', 'grants b'],
    ]);
  });

  it('of a tenant’s has it before everything', () => {
    const wanted = want({
      version: 1,
      tenant: {
        ...{ id: 'acme', displayName: 'Acme', contact: 'it@acme.example', plan: 'STARTER' },
        ...{ isolation: 'database', target: { instance }, quotas: { connections: 3 } },
        schema: { grants: [grant('ANN@acme.com', 'reader')] },
      },
      schemas: { reports: {} },
      secrets: { s: { kind: 'postgres', schema: 'app', level: 'reader' } },
    });
    expect(wanted.map(({ key, after }) => [key, ...after])).toEqual([
      ['tenant acme'],
      ['schema reports', 'tenant acme'],
      ['grants (tenant)', 'tenant acme'],
      ['secret s', 'tenant acme', 'grants (tenant)'],
    ]);
    expect(wanted[0]).toMatchObject({
      tenant: 'acme',
      message: { scope: 'tenant', tenant: 'acme', quotas: { connections: 3 } },
    });
    expect(wanted[0]).not.toHaveProperty('message.schema');
    expect(wanted[2]).toMatchObject({ schema: ownSchemaOfTenant, grants: [{ principal: 'ann@acme.com' }] });
  });
});

describe('a schema whose grants are exact', () => {
  const exact = (role: object, more: object = {}) =>
    want(
      database({
        schemas: {
          a: {
            exact: true,
            customRoles: [{ name: 'helper', version: 1 }],
            grants: [grant('ann@acme.com', 'reader')],
            ...more,
          },
        },
        secrets: { app: { kind: 'postgres', schema: 'a', ...role }, other: { kind: 'random' } },
      }),
    );

  it('leaves the logins of its secrets what they have, and is done after them', () => {
    const wanted = exact({ level: 'writer' });
    expect(keys(wanted)).toEqual(['schema a', 'secret app', 'secret other', 'grants a']);
    expect(find(wanted, 'grants a')).toMatchObject({
      mode: 'exact',
      after: ['schema a', 'secret app'],
      customRoles: [{ name: 'helper' }],
      grants: [
        { principal: 'ann@acme.com', level: 'reader' },
        { principal: 'app_a', kind: 'login', level: 'writer' },
        { principal: 'app_b', kind: 'login', level: 'writer' },
      ],
    });
  });

  it('has the custom roles before the secret that needs one', () => {
    const wanted = exact({ customRole: 'helper', strategy: 'single-user' });
    expect(wanted.map(({ key, after }) => [key, ...after])).toEqual([
      ['schema a'],
      ['roles a', 'schema a'],
      ['secret app', 'schema a', 'roles a'],
      ['secret other'],
      ['grants a', 'schema a', 'roles a', 'secret app'],
    ]);
    expect(find(wanted, 'roles a')).toMatchObject({
      mode: 'add',
      grants: [],
      customRoles: [{ name: 'helper' }],
    });
    expect(find(wanted, 'grants a')).toMatchObject({
      customRoles: [],
      grants: [{ level: 'reader' }, { principal: 'app', customRole: 'helper' }],
    });
  });

  it('may list a login itself', () => {
    const grants = [{ principal: 'app_a', kind: 'login', level: 'reader' }];
    expect(find(exact({ level: 'reader' }, { grants }), 'grants a')).toMatchObject({
      grants: [{ principal: 'app_a' }, { principal: 'app_b' }],
    });
  });

  it('leaves those of a secret theirs that are called otherwise, for it was adopted', () => {
    const manifest = read(
      database({
        schemas: { a: { exact: true, grants: [] } },
        secrets: { app: { kind: 'postgres', schema: 'a', level: 'reader' } },
      }),
    );
    const logins = new Map([['app', ['legacy', 'legacy_b']]]);
    expect(find(wantedOf(manifest, logins), 'grants a')).toMatchObject({
      grants: [
        { principal: 'legacy', kind: 'login', level: 'reader' },
        { principal: 'legacy_b', kind: 'login', level: 'reader' },
      ],
    });
  });

  it('may be nobody’s', () => {
    const wanted = want(database({ schemas: { a: { exact: true, grants: [] } } }));
    expect(find(wanted, 'grants a')).toMatchObject({ mode: 'exact', grants: [] });
  });

  it('and that is a tenant’s leaves the tenant’s logins theirs', () => {
    const tenant = {
      ...{ id: 'acme', displayName: 'Acme', contact: 'it@acme.example', plan: 'STARTER', level: 'writer' },
      ...{ target: { instance, database: 'shared' }, schema: { exact: true, grants: [] } },
    };
    expect(find(want({ version: 1, tenant }), 'grants (tenant)')).toMatchObject({
      grants: [
        { principal: 'tenant_acme_a', kind: 'login', level: 'writer' },
        { principal: 'tenant_acme_b', kind: 'login', level: 'writer' },
      ],
    });
  });
});
