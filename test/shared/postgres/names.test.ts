import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { actingAdmin, adminShards, roleName, schemaLevels } from '../../../shared/postgres/names.ts';

const awkward = fc.constantFrom(
  '_',
  '__',
  'a',
  'b',
  'A',
  '"',
  "'",
  'é',
  '🐘',
  '9',
  '-',
  ' ',
  '\\',
  '.',
  ',',
  '[',
);
const parts = fc.oneof(
  fc.array(awkward, { minLength: 1, maxLength: 12 }).map((some) => some.join('')),
  fc
    .constantFrom('pg_', 'cloudsql', 'drover_', '_drover_')
    .chain((prefix) => fc.string({ maxLength: 20 }).map((rest) => prefix + rest)),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 63 }),
  fc.integer({ min: 50, max: 63 }).map((length) => 'x'.repeat(length)),
  fc.constantFrom(
    'owner',
    'writer',
    'reader',
    'analyst',
    'monitor',
    'connect',
    'a__owner',
    'a__b',
    'b__owner',
  ),
);
const level = fc.constantFrom(...schemaLevels, 'monitor', 'connect');
const role = fc.record({ database: parts, schema: fc.option(parts, { nil: undefined }), level });
const nameOf = ({
  database,
  schema,
  level,
}: {
  database: string;
  schema: string | undefined;
  level: string;
}) => roleName(database, schema, level);

describe('names of roles', () => {
  test('say the target where that is plain', () => {
    expect(roleName('app', 'billing_eu', 'reader')).toBe('app__billing_eu__reader');
    expect(roleName('app', undefined, 'monitor')).toBe('app__monitor');
  });

  test('never collide for two different targets or levels', () => {
    fc.assert(
      fc.property(role, role, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other));
        expect(nameOf(one)).not.toBe(nameOf(other));
      }),
      { numRuns: 20_000 },
    );
  });

  test('of targets whose letters and underscores are cut in other places never collide', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('_', 'a'), { minLength: 3, maxLength: 14 }),
        fc.nat(),
        fc.nat(),
        (text, i, j) => {
          const cut = (at: number) => [text.slice(0, at).join(''), text.slice(at).join('')] as const;
          const [one, other] = [cut(1 + (i % (text.length - 1))), cut(1 + (j % (text.length - 1)))];
          fc.pre(one[0] !== other[0]);
          expect(roleName(one[0], one[1], 'owner')).not.toBe(roleName(other[0], other[1], 'owner'));
        },
      ),
      { numRuns: 5_000 },
    );
  });

  test('fit PostgreSQL’s 63 bytes and never begin like a role of the system', () => {
    fc.assert(
      fc.property(role, (one) => {
        expect(Buffer.byteLength(nameOf(one))).toBeLessThanOrEqual(63);
        expect(nameOf(one)).not.toMatch(/^(?:pg_|cloudsql|drover_)/);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('the acting admin', () => {
  test('is the same for a target whenever it is asked for, and one of the prepared ones', () => {
    fc.assert(
      fc.property(parts, fc.option(parts, { nil: undefined }), (database, schema) => {
        const admin = actingAdmin(database, schema);
        expect(actingAdmin(database, schema)).toBe(admin);
        expect(admin).toMatch(/^drover_admin_\d\d$/);
        expect(Number(admin.slice(-2))).toBeLessThan(adminShards);
      }),
    );
  });

  test('is spread over all of the prepared ones', () => {
    const admins = new Set(
      Array.from({ length: 2_000 }, (_, index) => actingAdmin('app', `tenant_${index}`)),
    );
    expect(admins.size).toBe(adminShards);
  });
});
