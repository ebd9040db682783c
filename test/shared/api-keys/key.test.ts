import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashOf, newApiKey, parseApiKey } from '../../../shared/api-keys/key.ts';

const tenants = fc.stringMatching(/^[a-z0-9_]{3,50}$/);
/** Ids that look like a part of a key. */
const confusing = fc.constantFrom('_api_', 'a_api', 'acme_api_', '___', 'api_api_api', 'x'.repeat(50));

describe('an API key', () => {
  it('says whose it is, whatever the tenant is called', () => {
    fc.assert(
      fc.property(fc.oneof(tenants, confusing), (tenant) => {
        const key = newApiKey(tenant);
        expect(key.startsWith(`${tenant}_api_`)).toBe(true);
        expect(key.slice(tenant.length + 5)).toMatch(/^[0-9A-Za-z]{43}$/);
        const hash = createHash('sha256').update(key).digest();
        expect(parseApiKey(key)).toEqual({ tenant, hash });
        expect(hashOf(key)).toEqual(hash);
      }),
    );
  });

  it('is made of 32 random bytes, and another one each time', () => {
    const asked: number[] = [];
    const key = newApiKey('acme', (bytes) => {
      asked.push(bytes);
      return Buffer.alloc(bytes, 7);
    });
    expect(asked).toEqual([32]);
    expect(newApiKey('acme', (bytes) => Buffer.alloc(bytes, 7))).toBe(key);
    const keys = Array.from({ length: 1000 }, () => newApiKey('acme'));
    expect(new Set(keys).size).toBe(1000);
  });

  it('is of no other tenant after a change in the id', () => {
    const key = newApiKey('acme_1');
    expect(parseApiKey(key.replace('acme_1', 'acme__1'))?.tenant).toBe('acme__1');
    expect(parseApiKey(key.replace('acme_1', 'acme__1'))?.hash).not.toEqual(hashOf(key));
  });
});

const secret = newApiKey('acme').slice(-43);

describe('what can’t be a key', () => {
  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a number', 42],
    ['an object', { toString: () => `acme_api_${secret}` }],
    ['a list', [`acme_api_${secret}`]],
    ['a String', new String(`acme_api_${secret}`)],
    ['a Buffer', Buffer.from(`acme_api_${secret}`)],
    ['an empty text', ''],
    ['only the end', secret],
    ['without a tenant', `_api_${secret}`],
    ['of a tenant whose id is too short', `ab_api_${secret}`],
    ['of a tenant whose id is too long', `${'a'.repeat(51)}_api_${secret}`],
    ['of a tenant in capitals', `Acme_api_${secret}`],
    ['with another separator', `acme-api-${secret}`],
    ['with a digit less', `acme_api_${secret.slice(1)}`],
    ['with a digit more', `acme_api_${secret}0`],
    ['with more than 32 bytes', `acme_api_${'z'.repeat(43)}`],
    ['with a space before it', ` acme_api_${secret}`],
    ['with a line after it', `acme_api_${secret}\n`],
    ['with a NUL', `acme\0_api_${secret}`],
    ['of ten megabytes', `${'a'.repeat(10_000_000)}_api_${secret}`],
  ])('is taken for none: %s', (_, presented) => {
    expect(parseApiKey(presented)).toBeUndefined();
  });

  it('is never an error', () => {
    fc.assert(
      fc.property(fc.anything(), (presented) => {
        expect(parseApiKey(presented)).toBeUndefined();
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 120 }), (presented) => {
        expect(parseApiKey(presented)).toBeUndefined();
      }),
    );
  });
});
