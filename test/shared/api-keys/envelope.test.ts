import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decryptKey,
  type Envelope,
  encryptKey,
  formatEnvelope,
  parseEnvelope,
} from '../../../shared/api-keys/envelope.ts';
import { newApiKey } from '../../../shared/api-keys/key.ts';

const tenants = fc.stringMatching(/^[a-z0-9_]{3,50}$/);
const kmsKey = 'projects/acme/locations/eu/keyRings/drover/cryptoKeys/api-keys';

function sealed(tenant: string) {
  const dataKey = randomBytes(32);
  const key = newApiKey(tenant);
  return { dataKey, key, ...encryptKey(key, dataKey, tenant) };
}

describe('an API key that is encrypted by a data key', () => {
  it('comes back for its tenant and by that key only', () => {
    fc.assert(
      fc.property(tenants, tenants, (tenant, other) => {
        const { dataKey, key, nonce, ciphertext } = sealed(tenant);
        expect(ciphertext.includes(key.slice(-43))).toBe(false);
        expect(decryptKey({ nonce, ciphertext }, dataKey, tenant)).toBe(key);
        expect(decryptKey({ nonce, ciphertext }, randomBytes(32), tenant)).toBeUndefined();
        expect(decryptKey({ nonce, ciphertext }, dataKey.subarray(1), tenant)).toBeUndefined();
        if (other !== tenant) expect(decryptKey({ nonce, ciphertext }, dataKey, other)).toBeUndefined();
      }),
    );
  });

  it('doesn’t come back when a bit of it is another one', () => {
    const { dataKey, nonce, ciphertext } = sealed('acme');
    fc.assert(
      fc.property(fc.nat(nonce.length + ciphertext.length - 1), fc.nat(7), (position, bit) => {
        const damaged = Buffer.concat([nonce, ciphertext]);
        damaged[position] = (damaged[position] ?? 0) ^ (1 << bit);
        const changed = { nonce: damaged.subarray(0, 12), ciphertext: damaged.subarray(12) };
        expect(decryptKey(changed, dataKey, 'acme')).toBeUndefined();
      }),
    );
  });
});

describe('the format of a sealed key', () => {
  const { nonce, ciphertext } = sealed('acme');
  const parts = { tenant: 'acme', kmsKey, dataKey: Buffer.from('wrapped'), nonce, ciphertext };
  const document = JSON.parse(formatEnvelope(parts).toString()) as Record<string, unknown>;

  it('is the JSON that is documented, and is read again', () => {
    expect(document).toEqual({
      version: 1,
      cipher: 'AES-256-GCM',
      tenant: 'acme',
      kmsKey,
      dataKey: Buffer.from('wrapped').toString('base64'),
      nonce: nonce.toString('base64'),
      ciphertext: ciphertext.toString('base64'),
    });
    const expected: Envelope = { version: 1, cipher: 'AES-256-GCM', ...parts };
    expect(parseEnvelope(formatEnvelope(parts))).toEqual(expected);
  });

  it.each([
    ['of another version', { version: 2 }],
    ['of another cipher', { cipher: 'AES-256-CBC' }],
    ['without a tenant', { tenant: undefined }],
    ['with a nonce of another length', { nonce: 'AAAA' }],
    ['with less than a tag', { ciphertext: 'AAAA' }],
    ['with what is no base64', { dataKey: '%' }],
    ['with more than that', { password: 'x' }],
  ])('is refused %s', (_, change) => {
    expect(parseEnvelope(Buffer.from(JSON.stringify({ ...document, ...change })))).toBeUndefined();
  });

  it('is refused where it is rubbish', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(parseEnvelope(Buffer.from(bytes))).toBeUndefined();
      }),
    );
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseEnvelope(Buffer.from(text))).toBeUndefined();
      }),
    );
  });
});
