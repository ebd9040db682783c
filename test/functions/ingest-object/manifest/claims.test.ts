import { describe, expect, it } from 'vitest';
import { claimInWords, claimsOf, isClaimed } from '../../../../functions/ingest-object/manifest/claims.ts';
import { itemsOf } from '../../../../functions/ingest-object/manifest/items.ts';
import { decideClaims } from '../../../../shared/registry/manifests/decide.ts';
import { database, instance, read } from './manifests.ts';

const mostDocumentBytes = 1024 ** 2;

describe('the claims of a manifest', () => {
  it('of as many things as there may be, with names as long as there may be, fit into their documents', () => {
    const name = (index: number) => `${'x'.repeat(58)}_${index}`;
    const thousand = Array.from({ length: 1000 }, (_, index) => name(index));
    const secrets = Object.fromEntries(thousand.map((one) => [one, { kind: 'random' }]));
    const schemas = Object.fromEntries(thousand.map((one) => [one, {}]));
    const items = itemsOf(read(database({ schemas, secrets })), new Map());
    const claims = claimsOf(items);
    expect(claims.flatMap(({ names }) => names)).toHaveLength(2000);

    const place = { bucket: 'b'.repeat(222), object: 'ü'.repeat(512) };
    const { changed } = decideClaims(place, [], claims, new Map(), () => false);
    const sizes = [...changed.values()].map((document) => Buffer.byteLength(JSON.stringify(document)));
    // So that many such manifests may speak of one database.
    expect(Math.max(...sizes)).toBeLessThan(mostDocumentBytes / 5);
    expect(items.every((item) => isClaimed(item, claims))).toBe(true);
  });

  it('are told in words that say nothing of how they are kept', () => {
    const more = {
      schemas: { billing: {} },
      grants: [{ principal: 'ann@acme.com', kind: 'iam-user', level: 'monitor' }],
      secrets: { 'bill-api': { kind: 'random' } },
    };
    const claims = claimsOf(itemsOf(read(database(more)), new Map()));
    const words = claims.flatMap(({ scope, names }) => names.map((name) => claimInWords(scope, name)));
    expect(words.toSorted()).toEqual([
      `the own roles of ${instance}/app`,
      `the schema billing of ${instance}/app`,
      'the secret bill-api',
    ]);
  });
});
