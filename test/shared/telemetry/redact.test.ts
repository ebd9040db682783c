import { createHash, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newApiKey } from '../../../shared/api-keys/key.ts';
import { redact } from '../../../shared/telemetry/redact.ts';

/** As a generator of passwords would make it; what may stand in a URL may be more. */
const secret = fc.string({
  unit: fc.constantFrom(...'ABCDEFGHabcdefgh0123456789-_'),
  minLength: 12,
  maxLength: 40,
});
const word = fc.constantFrom('it', 'could', 'not', 'log', 'in', '42', '(twice)');
const around = fc.tuple(fc.array(word, { maxLength: 4 }), fc.array(word, { maxLength: 4 }));

const pem = (type: string, body: string) => `-----BEGIN ${type}-----\n${body}\n-----END ${type}-----`;

const shapes: Record<string, (secret: string) => string> = {
  'a password in a URL': (s) => `postgres://drover:${s}@10.0.0.1:5432/app`,
  'a password in a URL without a user': (s) => `redis://:${s}@10.0.0.1:6379`,
  'a password with an @ in a URL': (s) => `postgres://drover:x@${s}@10.0.0.1/app`,
  'a bearer token': (s) => `Authorization: Bearer ${s}`,
  'basic credentials': (s) => `authorization: basic ${s}=`,
  'a verifier': (s) => `SCRAM-SHA-256$4096:${s}$${s}:${s}`,
  'a statement': (s) => `ALTER ROLE app PASSWORD '${s}'`,
  'a statement with a quote': (s) => `alter role app password 'it''s ${s}' valid until 'infinity'`,
  'a private key': (s) => pem('PRIVATE KEY', s),
  'a private key of an algorithm': (s) => pem('RSA PRIVATE KEY', s),
  'a private key that was cut off': (s) => `-----BEGIN EC PRIVATE KEY-----\n${s}`,
};

const names = [
  'password',
  'PGPASSWORD',
  'old_passwd',
  'clientSecret',
  'accessToken',
  'private_key',
  'privateKey',
  'Authorization',
  'credentials',
  'api_key',
  'apiKey',
  'verifier',
  'Set-Cookie',
];

describe('a secret', () => {
  it.each(Object.entries(shapes))('does not survive in a text: %s', (_, shape) => {
    fc.assert(
      fc.property(secret, around, (planted, [before, after]) => {
        const text = [...before, shape(planted), ...after].join(' ');
        expect(redact(text)).not.toContain(planted);
        expect(JSON.stringify(redact({ details: [{ text }] }))).not.toContain(planted);
      }),
    );
  });

  it.each(names)('does not survive under a name that tells: %s', (name) => {
    fc.assert(
      fc.property(secret, (planted) => {
        for (const value of [planted, [planted], { value: planted }, Buffer.from(planted)]) {
          const shown = JSON.stringify(redact({ list: [{ [name]: value }] }));
          expect(shown).toBe(`{"list":[{"${name}":"[redacted]"}]}`);
        }
      }),
    );
  });

  it('does not survive where it is an API key, whatever it is glued to', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9_]{3,50}$/), around, (tenant, [before, after]) => {
        const key = newApiKey(tenant);
        const text = `${before.join(' ')}"${key}"${after.join('')}`;
        expect(redact(text)).not.toContain(key.slice(-43));
        expect(redact(text)).toContain(`${tenant}_api_[redacted]`);
      }),
    );
  });

  it('does not survive in an error, its message or its stack', () => {
    const error = new Error('no answer from postgres://drover:hunter2@10.0.0.1/app');
    expect(redact(error)).toMatch(
      /^Error: no answer from postgres:\/\/drover:\[redacted\]@10\.0\.0\.1\/app\n/,
    );
    expect(JSON.stringify(redact({ error }))).not.toContain('hunter2');
  });

  it('does not survive where there are several of them', () => {
    const text = "PASSWORD 'one' postgres://a:two@h and postgres://b:three@h Bearer four";
    expect(redact(text)).toBe(
      "PASSWORD '[redacted]' postgres://a:[redacted]@h and postgres://b:[redacted]@h Bearer [redacted]",
    );
  });

  it('does not survive as a real key', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const text = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(redact(`key:\n${text}after`)).toBe('key:\n[redacted]\nafter');
  });
});

describe('what is no secret', () => {
  it.each([
    'relation "billing" does not exist',
    'acme:europe-west1:main/app',
    'https://console.cloud.google.com:443/sql?project=acme',
    'http://127.0.0.1:8080/projects/acme/topics/a@b',
    'alice@example.com asked for https://example.com/~bob',
    'the basics of it',
    "COMMENT ON ROLE app IS 'a password is set'",
    "CREATE SCHEMA billing AUTHORIZATION 'x'",
    createHash('sha256').update('x').digest('hex'),
    pem('CERTIFICATE', 'MIIB'),
  ])('survives in a text: %s', (text) => {
    expect(redact(text)).toBe(text);
  });

  it('survives as a value of any type', () => {
    const at = new Date('2026-03-01T00:00:00Z');
    const bytes = Buffer.from('abc');
    const value = { a: [1, true, null, undefined, 'x'], at, bytes, nested: { level: 'reader', key: 'k' } };
    expect(redact(value)).toEqual(value);
  });

  it('survives whatever it is, if neither its names nor its texts tell', () => {
    const harmless = fc.string({ unit: fc.constantFrom(...'abcXYZ019 .,:/-_\n\'"') }).filter((text) => {
      return !/:\/\/|passw/i.test(text);
    });
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('name', 'kind', 'detail'), harmless), (value) => {
        expect(redact(value)).toEqual(value);
      }),
    );
  });

  it('is copied, not changed', () => {
    const value = { list: [{ password: 'x' }] };
    redact(value);
    expect(value).toEqual({ list: [{ password: 'x' }] });
  });
});
