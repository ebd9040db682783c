import { describe, expect, it } from 'vitest';
import { referencesOf } from '../../../../functions/sync-repo-metadata/catalog/references.ts';

const declared = Array.from({ length: 20 }, () => ({ field: 'a.b', collection: 'others' }));

describe('references', () => {
  it('end at the thousandth of a document, and what comes after it is not read', () => {
    let read = 0;
    const metadata = {
      get a() {
        read += 1;
        return Array.from({ length: 600 }, (_, index) => ({ b: [`${index}`] }));
      },
    };
    const found = referencesOf(metadata, declared);
    expect(found).toHaveLength(1000);
    expect(found[999]).toEqual({ field: 'a.b', collection: 'others', key: '399' });
    expect(read).toBe(2);
  });

  it('pass over what no key can be', () => {
    const b = ['x'.repeat(1000), 'x'.repeat(1001), 'ä'.repeat(501), 'a\0b', true, null, 0, ''];
    const keys = referencesOf({ a: { b } }, declared.slice(0, 1)).map(({ key }) => key);
    expect(keys).toEqual(['x'.repeat(1000), '0', '']);
  });
});
