import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CustomRole,
  checksumOf,
  customRoleDefinition,
  customRoleName,
  maxCustomRoleName,
} from '../../../shared/postgres/custom-role.ts';
import { roleName } from '../../../shared/postgres/names.ts';
import { maxIdentifierBytes } from '../../../shared/postgres/target.ts';

const definition = (more: object = {}) =>
  customRoleDefinition.parse({ name: 'support', version: 1, ...more });
const anyName = fc.stringMatching(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);

describe('a custom role’s name', () => {
  test.each(['support', 'a', 'on_call_2', 'x'.repeat(maxCustomRoleName)])('may be %s', (name) => {
    expect(customRoleName.safeParse(name).success).toBe(true);
  });

  test.each([
    '',
    'Support',
    '1st',
    'on__call',
    '_x',
    'x_',
    'on-call',
    'a b',
    'owner',
    'monitor',
    'connect',
    'x'.repeat(maxCustomRoleName + 1),
  ])('may not be "%s"', (name) => {
    expect(customRoleName.safeParse(name).success).toBe(false);
  });

  test('gives a role whose name PostgreSQL doesn’t cut off, whatever the database and schema', () => {
    const target = fc.string({ unit: 'binary', minLength: 1, maxLength: 63 });
    fc.assert(
      fc.property(target, target, anyName, (database, schema, name) => {
        fc.pre(customRoleName.safeParse(name).success);
        expect(Buffer.byteLength(roleName(database, schema, name))).toBeLessThanOrEqual(maxIdentifierBytes);
      }),
      { examples: [['app', '_hashed', 'x'.repeat(maxCustomRoleName)]] },
    );
  });
});

describe('a definition', () => {
  test('gives no more than it says', () => {
    expect(definition()).toEqual({
      name: 'support',
      version: 1,
      inherits: [],
      privileges: { tables: [], sequences: [], routines: [] },
      native: [],
    });
  });

  test.each([
    ['owning by inheritance', { inherits: ['owner'] }],
    ['a predefined role that reads all data', { native: ['pg_read_all_data'] }],
    ['a predefined role that runs programs', { native: ['pg_execute_server_program'] }],
    ['a privilege that tables don’t have', { privileges: { tables: ['EXECUTE'] } }],
    ['SQL', { privileges: { tables: ['SELECT ON x TO y; --'] } }],
    ['a privilege twice', { privileges: { tables: ['SELECT', 'SELECT'] } }],
    ['an unknown field', { grants: 'ALL' }],
    ['a version that is none', { version: 0 }],
  ])('can’t have %s', (_, more) => {
    expect(customRoleDefinition.safeParse({ name: 'support', version: 1, ...more }).success).toBe(false);
  });
});

describe('a checksum', () => {
  const definitions: fc.Arbitrary<CustomRole> = fc.record({
    name: fc.constantFrom('support', 'audit'),
    version: fc.nat(),
    inherits: fc.shuffledSubarray(['writer', 'reader', 'analyst']),
    privileges: fc.record({
      tables: fc.shuffledSubarray(['SELECT', 'UPDATE']),
      sequences: fc.shuffledSubarray(['SELECT', 'UPDATE']),
      routines: fc.subarray(['EXECUTE']),
    }),
    native: fc.shuffledSubarray(['pg_monitor', 'pg_checkpoint']),
  });
  const rights = ({ name, inherits, privileges, native }: CustomRole) =>
    [[name], inherits, privileges.tables, privileges.sequences, privileges.routines, native].map(
      (list) => new Set<string>(list),
    );

  test('is that of the rights, whatever their order and the version', () => {
    const reversed = ({ inherits, privileges, native, name }: CustomRole): CustomRole => ({
      native: native.toReversed(),
      privileges: {
        sequences: privileges.sequences.toReversed(),
        routines: privileges.routines,
        tables: privileges.tables.toReversed(),
      },
      inherits: inherits.toReversed(),
      version: 7,
      name,
    });
    fc.assert(fc.property(definitions, (one) => checksumOf(reversed(one)) === checksumOf(one)));
  });

  test('is another for other rights', () => {
    fc.assert(
      fc.property(definitions, definitions, (one, other) => {
        fc.pre(!isSame(rights(one), rights(other)));
        expect(checksumOf(one)).not.toBe(checksumOf(other));
      }),
      { numRuns: 500 },
    );
  });
});

function isSame(some: readonly Set<string>[], others: readonly Set<string>[]): boolean {
  return some.every((set, index) => set.symmetricDifference(others[index] ?? new Set()).size === 0);
}
