import { expect, it } from 'vitest';
import { merge } from '../../../../shared/registry/grants/merge.ts';
import { emptySet } from '../../../../shared/registry/grants/model.ts';
import { expire, settle, wantedWithout } from '../../../../shared/registry/grants/outcome.ts';

const at = (minutes: number) => new Date(Date.UTC(2026, 0, 1) + minutes * 60_000);

it('an expiry that is undone gives nothing back that is over', () => {
  const scope = { instance: 'acme:europe-west1:main', database: 'app', schema: 'billing' };
  const author = { operation: 'granting', publishedAt: at(0) };
  const grant = { principal: 'alice', kind: 'login', role: 'reader', expiresAt: at(5) } as const;
  const wish = { mode: 'add', author, grants: [grant], customRoles: [] } as const;
  const merged = merge(emptySet(scope), wish).set;
  const { set } = settle(merged, { operation: 'granting', epoch: 1 }, { now: at(1), keepDays: 400 });
  const expiring = expire(set, Object.values(set.grants), 'expiring');

  expect(wantedWithout(expiring, ['expiring']).grants).toEqual([
    { principal: 'alice', role: 'reader', present: true, notAfter: at(5) },
  ]);
});
