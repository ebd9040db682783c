import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { grantRolesMessage, roleOf } from '../../../../functions/grant-roles/message.ts';
import { keptNotes } from '../../../../functions/ingest-object/manifest/notes.ts';
import {
  isSamePlace,
  neverTakenBack,
  noLongerNamed,
  revocationsOf,
} from '../../../../functions/ingest-object/manifest/revoke.ts';
import { wantedOf } from '../../../../functions/ingest-object/manifest/want.ts';
import { ownSchemaOfTenant } from '../../../../functions/ingest-object/manifest/wanted.ts';
import { anyManifest, database, grant, instance, read, type Written } from './manifests.ts';

const schemas = (entries: Record<string, Written>, more: Written = {}) =>
  read(database({ schemas: entries, onDelete: 'revoke', ...more }));
const ann = grant('ann@acme.com', 'reader');
const bob = grant('bob@acme.com', 'reader');

/** `revoke a: ann@acme.com reader` */
const told = (...args: Parameters<typeof revocationsOf>) =>
  revocationsOf(...args).map(
    ({ key, grants }) => `${key}: ${grants.map((one) => `${one.principal} ${roleOf(one)}`).join(', ')}`,
  );

describe('grants that a manifest no longer has', () => {
  const before = schemas({ a: { grants: [ann, bob] }, b: { grants: [ann] } });

  it('are taken back: a line, a schema, the whole file', () => {
    expect(told(before, schemas({ a: { grants: [bob] }, b: { grants: [ann] } }), 'revoke')).toEqual([
      'revoke a: ann@acme.com reader',
    ]);
    expect(told(before, schemas({ a: { grants: [bob, ann] } }), 'revoke')).toEqual([
      'revoke b: ann@acme.com reader',
    ]);
    expect(told(before, undefined, 'revoke')).toEqual([
      'revoke a: ann@acme.com reader, bob@acme.com reader',
      'revoke b: ann@acme.com reader',
    ]);
    expect(told(before, before, 'revoke')).toEqual([]);
  });

  it('stay unless the file that counts says revoke', () => {
    const keeping = read(database());
    expect(told(before, keeping)).toEqual([]);
    expect(told(keeping, before)).toEqual([]);
    expect(told(before, schemas({}))).toHaveLength(2);
    expect(told(before, undefined)).toHaveLength(2);
    expect(told(read(database({ schemas: { a: { grants: [ann] } } })), undefined)).toEqual([]);
  });

  it('keep their places in the list when they run out, and what says when is no part of them', () => {
    const expiring = schemas({ a: { grants: [{ ...ann, expiresAt: '2020-05-31T23:59:59Z' }, bob] } });
    const [revocation] = revocationsOf(expiring, undefined, 'revoke');
    expect(revocation?.grants.map(({ expiresAt, principal }) => [principal, expiresAt])).toEqual([
      ['ann@acme.com', undefined],
      ['bob@acme.com', undefined],
    ]);
  });

  it('are the same whoever writes the principal how, and in however many lines', () => {
    const { principal: _, ...rest } = ann;
    const after = schemas({
      a: { grants: [{ ...rest, principals: ['BOB@acme.com', 'Ann@acme.com'] }] },
      b: { grants: [ann] },
    });
    expect(told(before, after, 'revoke')).toEqual([]);
  });

  it('and whose principal gets another role instead are taken back after that is granted', () => {
    const after = schemas({ a: { grants: [grant('ann@acme.com', 'writer')] }, b: { grants: [ann] } });
    const revocations = revocationsOf(before, after, 'revoke');
    expect(told(before, after, 'revoke')).toEqual([
      'revoke a: bob@acme.com reader',
      'replaced a: ann@acme.com reader',
    ]);
    expect(revocations.map((one) => one.after)).toEqual([[], ['grants a']]);
    expect(wantedOf(after).map(({ key }) => key)).toContain('grants a');
  });

  it('of a schema that is exact need not be taken back: it has no others', () => {
    const after = schemas({ a: { exact: true, grants: [bob] }, b: { grants: [ann] } });
    expect(told(before, after, 'revoke')).toEqual([]);
  });

  it('are all of them where the file is about another database now', () => {
    const moved = read({ ...database({ onDelete: 'revoke' }), database: { instance, database: 'other' } });
    const after = { ...moved, schemas: before.schemas };
    expect(told(before, after, 'revoke')).toHaveLength(2);
    expect(isSamePlace(before, after)).toBe(false);
    expect(isSamePlace(before, before)).toBe(true);
  });

  it('may be the database’s own, or of a tenant’s schema', () => {
    const monitor = read(database({ grants: [grant('ann@acme.com', 'monitor')], onDelete: 'revoke' }));
    expect(revocationsOf(monitor, undefined)).toMatchObject([{ schema: undefined, mode: 'revoke' }]);
    const tenant = {
      ...{ id: 'acme', displayName: 'Acme', contact: 'it@acme.example', plan: 'STARTER' },
      ...{ target: { instance, database: 'shared' }, schema: { grants: [ann] } },
    };
    const own = read({ version: 1, onDelete: 'revoke', tenant });
    expect(revocationsOf(own, undefined)).toMatchObject([{ schema: ownSchemaOfTenant }]);
  });

  it('are what is in the one and not in the other, for any two manifests', () => {
    const all = (manifest: Written | undefined) =>
      new Set(
        (manifest ? wantedOf(read(manifest)) : []).flatMap((one) =>
          one.kind === 'grants' && one.mode === 'add'
            ? one.grants.map((wish) => JSON.stringify([String(one.schema), wish.principal, roleOf(wish)]))
            : [],
        ),
      );
    const added = (written: Written): Written => ({
      ...written,
      schemas: Object.fromEntries(
        Object.entries((written['schemas'] ?? {}) as object).map(([name, one]) => [
          name,
          { ...one, exact: false },
        ]),
      ),
    });
    const manifests = anyManifest.filter((one) => !('tenant' in one)).map(added);
    fc.assert(
      fc.property(manifests, fc.option(manifests, { nil: undefined }), (one, other) => {
        const gone = [...all(one)].filter((key) => !all(other).has(key));
        const revocations = revocationsOf(read(one), other && read(other), 'revoke');
        const revoked = revocations.flatMap(({ schema, grants }) =>
          grants.map((wish) => JSON.stringify([String(schema), wish.principal, roleOf(wish)])),
        );
        expect(revoked.sort()).toEqual(gone.sort());
        for (const { schema, mode, grants } of revocations) {
          const message = { target: { instance, database: 'app' }, schema, mode, grants };
          expect(grantRolesMessage.safeParse(message).success).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe('what a manifest no longer names', () => {
  it('is told, grants and what is never taken back', () => {
    const before = read(
      database({
        schemas: { a: { grants: [ann] }, constructor: {} },
        secrets: { s: { kind: 'random' } },
        grants: [grant('bob@acme.com', 'monitor')],
      }),
    );
    expect(noLongerNamed(before, undefined)).toEqual([
      'schema a',
      'schema constructor',
      'secret s',
      'bob@acme.com monitor of app',
      'ann@acme.com reader of a',
    ]);
    expect(noLongerNamed(before, read(database()))).toHaveLength(5);
    expect(noLongerNamed(before, before)).toEqual([]);
  });

  it('is an owner that nobody takes back, unless a grant says the same', () => {
    const owned = schemas({ a: { owner: 'boss' } });
    expect(neverTakenBack(owned, schemas({ a: {} }))).toEqual(['boss as the owner of a']);
    expect(neverTakenBack(owned, undefined)).toEqual(['schema a', 'boss as the owner of a']);
    expect(neverTakenBack(owned, owned)).toEqual([]);
    expect(neverTakenBack(owned, schemas({ a: { owner: 'ann' } }))).toEqual(['boss as the owner of a']);
    const listed = { principal: 'boss', kind: 'login', level: 'owner' };
    expect(neverTakenBack(owned, schemas({ a: { grants: [listed] } }))).toEqual([]);
    expect(keptNotes([owned], schemas({ a: {} }), 'revoke')).toMatchObject([
      { code: 'KEPT', message: expect.stringContaining('boss as the owner of a') as string },
    ]);
  });

  it('is a tenant, too', () => {
    const tenant = {
      ...{ id: 'acme', displayName: 'Acme', contact: 'it@acme.example', plan: 'STARTER' },
      ...{ target: { instance, database: 'shared' }, schema: { grants: [ann] } },
    };
    const named = ['tenant acme', 'ann@acme.com reader of tenant acme'];
    expect(noLongerNamed(read({ version: 1, tenant }), undefined)).toEqual(named);
    const other = { ...tenant, id: 'globex' };
    expect(noLongerNamed(read({ version: 1, tenant }), read({ version: 1, tenant: other }))).toEqual(named);
  });
});
