import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SecretInfo } from '../../../shared/gcp/secrets.ts';
import {
  annotation,
  formatManaged,
  isManaged,
  type ManagedSecret,
  managedLabel,
  readManaged,
  secretId,
} from '../../../shared/secrets/managed.ts';

const info = (more: Partial<SecretInfo> = {}): SecretInfo => ({
  id: 'app-billing',
  etag: '"1"',
  labels: { [managedLabel.key]: managedLabel.value },
  annotations: {},
  aliases: {},
  ...more,
});

const days = fc.integer({ min: 1, max: 3650 });
const settings = {
  graceMinutes: fc.integer({ min: 1, max: 525_600 }),
  policy: fc.option(fc.record({ everyDays: days, jitterDays: days })),
};
const name = fc.string({ minLength: 1, maxLength: 63 });
const secrets: fc.Arbitrary<ManagedSecret> = fc.oneof(
  fc.record({
    kind: fc.constant('postgres' as const),
    strategy: fc.constantFrom('two-user' as const, 'single-user' as const),
    instance: name,
    database: name,
    schema: fc.option(name),
    role: fc.option(name),
    logins: fc.array(name, { minLength: 1, maxLength: 2 }),
    probe: fc.option(fc.string()),
    ...settings,
  }),
  fc.record({ kind: fc.constant('api-key' as const), prefix: name, ...settings }),
  fc.record({
    kind: fc.constant('api-key' as const),
    prefix: name,
    tenant: fc.option(fc.record({ id: name, incarnation: days, scopes: fc.array(name) })),
    ...settings,
  }),
  fc.record({ kind: fc.constant('random' as const), ...settings }),
);

describe('what Drover knows of a secret', () => {
  it('is written on it and read from it again, beside what others wrote there', () => {
    fc.assert(
      fc.property(secrets, (secret) => {
        const annotations = { team: 'billing', ...formatManaged(secret) };
        expect(readManaged(info({ annotations }))).toEqual(secret);
      }),
    );
  });

  it('has room on the secret', () => {
    const long = (of: number) => 'é'.repeat(of);
    const largest: ManagedSecret = {
      kind: 'postgres',
      strategy: 'two-user',
      instance: long(64),
      database: long(31),
      schema: long(31),
      role: long(31),
      logins: [long(31), long(31)],
      probe: long(1000),
      graceMinutes: 525_600,
      policy: { everyDays: 3650, jitterDays: 365 },
    };
    // Secret Manager allows 16 KiB for all annotations.
    expect(Buffer.byteLength(JSON.stringify(formatManaged(largest)))).toBeLessThan(8192);
  });
});

describe('a secret', () => {
  it('without the label is not Drover’s, whatever its annotations say', () => {
    const annotations = formatManaged({ kind: 'random', graceMinutes: 60, policy: null });
    for (const labels of [{}, { [managedLabel.key]: 'terraform' }, { drover: managedLabel.key }]) {
      const others = info({ labels, annotations });
      expect(isManaged(others)).toBe(false);
      expect(() => readManaged(others)).toThrow(
        expect.objectContaining({
          code: 'SECRET_NOT_MANAGED',
          retryable: false,
          details: { name: 'app-billing' },
        }),
      );
    }
  });

  it.each([
    ['no annotation', undefined],
    ['an empty one', ''],
    ['no JSON', '{"kind":'],
    ['an unknown kind', '{"kind":"ssh-key","graceMinutes":60,"policy":null}'],
    ['no grace period', '{"kind":"random","policy":null}'],
    ['no logins', JSON.stringify({ ...postgres(), logins: [] })],
    ['three logins', JSON.stringify({ ...postgres(), logins: ['a', 'b', 'c'] })],
    ['an unknown strategy', JSON.stringify({ ...postgres(), strategy: 'three-user' })],
  ])('with %s can’t be worked on: nothing is guessed', (_, text) => {
    const annotations: Record<string, string> = text === undefined ? {} : { [annotation.managed]: text };
    expect(() => readManaged(info({ annotations }))).toThrow(
      expect.objectContaining({
        code: 'SECRET_UNREADABLE',
        retryable: false,
        details: { name: 'app-billing', place: `annotations.${annotation.managed}` },
      }),
    );
  });
});

function postgres() {
  return {
    kind: 'postgres',
    strategy: 'two-user',
    instance: 'acme:europe-west1:main',
    database: 'app',
    schema: null,
    role: null,
    logins: ['a', 'b'],
    probe: null,
    graceMinutes: 60,
    policy: null,
  };
}

describe('the id of a secret', () => {
  it.each(['a', 'App_billing-2', 'x'.repeat(255)])('may be %s', (id) => {
    expect(secretId.safeParse(id).success).toBe(true);
  });

  it.each(['', 'x'.repeat(256), 'a/b', 'a b', 'é', 'projects/p/secrets/s', 'a\n', '../x', 'a.b'])(
    'can’t be %j',
    (id) => {
      expect(secretId.safeParse(id).success).toBe(false);
    },
  );
});
