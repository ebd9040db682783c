import { beforeAll, describe, expect, it } from 'vitest';
import { claimsOf, isClaimed } from '../../../../functions/ingest-object/manifest/claims.ts';
import { itemsOf, revocationItems } from '../../../../functions/ingest-object/manifest/items.ts';
import { grant, instance, read } from './manifests.ts';

beforeAll(() => {
  process.env['GOOGLE_CLOUD_PROJECT'] = 'acme';
});

const about = (database: string, principal: string) =>
  read({
    version: 1,
    onDelete: 'revoke',
    database: { instance, database },
    schemas: { core: { grants: [grant(principal, 'reader')] } },
  });

const takenBack = (...given: Parameters<typeof revocationItems>) =>
  revocationItems(...given).map(({ wanted: { key, grants }, where }) => [
    key,
    where.target.database,
    grants.map(({ principal }) => principal).join(),
  ]);

describe('what is taken back', () => {
  const [one, two] = [about('one', 'ann@acme.com'), about('two', 'bob@acme.com')];

  it('is where each generation’s things are, also of a file that is gone', () => {
    expect(takenBack([one, two], undefined, 'revoke', new Map())).toEqual([
      [`revoke core of ${instance}/one`, 'one', 'ann@acme.com'],
      ['revoke core', 'two', 'bob@acme.com'],
    ]);
    expect(takenBack([one, two], about('three', 'cy@acme.com'), 'revoke', new Map())).toEqual([
      [`revoke core of ${instance}/one`, 'one', 'ann@acme.com'],
      [`revoke core of ${instance}/two`, 'two', 'bob@acme.com'],
    ]);
  });

  it('is one item, and each grant once, where several generations say the same', () => {
    const timed = (expiresAt: string) =>
      read({
        version: 1,
        onDelete: 'revoke',
        database: { instance, database: 'one' },
        schemas: { core: { grants: [grant('ann@acme.com', 'reader', { expiresAt, reason: expiresAt })] } },
      });
    const former = [timed('2030-01-01T00:00:00Z'), timed('2031-01-01T00:00:00Z'), one];
    expect(takenBack(former, undefined, 'revoke', new Map())).toEqual([
      ['revoke core', 'one', 'ann@acme.com'],
    ]);
  });

  it('is told apart of two tenants in one database', () => {
    const tenant = (id: string) =>
      read({
        version: 1,
        onDelete: 'revoke',
        tenant: {
          ...{ id, displayName: id, contact: 'it@acme.example', plan: 'STARTER' },
          ...{
            target: { instance, database: 'shared' },
            schema: { grants: [grant('ann@acme.com', 'reader')] },
          },
        },
      });
    const keys = takenBack([tenant('acme'), tenant('globex')], undefined, 'revoke', new Map());
    expect(new Set(keys.map(([key]) => key)).size).toBe(2);
  });
});

describe('the claims of a tenant that isn’t there yet', () => {
  const tenant = (id: string, isolation: string, opaqueNames = true) =>
    read({
      version: 1,
      tenant: {
        ...{ id, displayName: id, contact: 'it@acme.example', plan: 'STARTER', isolation },
        target: { instance, ...(isolation === 'schema' ? { database: 'shared' } : {}) },
        features: { opaqueNames },
        schema: { grants: [grant('ann@acme.com', 'reader')] },
      },
    });

  it.each(['schema', 'database'])('are its own where its names are opaque (isolation %s)', (isolation) => {
    const [one, two] = ['acme', 'globex'].map((id) => itemsOf(tenant(id, isolation), new Map()));
    const claims = claimsOf(one ?? []);
    expect(claims).toEqual([{ scope: ['tenant', 'acme'], names: ['tenant'] }]);
    expect(claimsOf(two ?? [])).toEqual([{ scope: ['tenant', 'globex'], names: ['tenant'] }]);
    expect(one?.every((item) => isClaimed(item, claims))).toBe(true);
  });

  it('are also its schema where that is known', () => {
    expect(claimsOf(itemsOf(tenant('acme', 'schema', false), new Map()))).toContainEqual({
      scope: expect.arrayContaining(['database', instance, 'shared']) as string[],
      names: ['schema tenant_acme'],
    });
  });
});
