import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Difference } from '../../../functions/reconcile/differences.ts';
import { driftEvent, mostEventBytes } from '../../../functions/reconcile/event.ts';
import type { Change } from '../../../shared/operation/outcome.ts';

const target = { instance: 'acme-dev:europe-west1:main', database: 'app' };

beforeAll(() => {
  process.env['GOOGLE_CLOUD_PROJECT'] = 'acme-dev';
});

const dataOf = (differences: readonly Difference[]) => driftEvent(target, differences, true, 'one').data;
const bytesOf = (differences: readonly Difference[]) =>
  Buffer.byteLength(JSON.stringify(driftEvent(target, differences, true, 'one')));

/** All privileges on so many tables are missing. */
function ruined(schema: string, tables: number): Difference {
  const names = Array.from({ length: tables }, (_, n) => `customer_order_items_archive_${n}`);
  return {
    schema,
    changes: names.map(
      (name): Change => ({ action: 'grant', kind: 'table', name, detail: 'SELECT to app__s__reader' }),
    ),
    notes: [],
    statements: names.map(
      (name) => `GRANT SELECT ON TABLE "${schema}"."${name}" TO "app__${schema}__reader"`,
    ),
  };
}

describe('an event about drift', () => {
  it('is small where a schema is ruined that has more tables than a message of Pub/Sub has room for', () => {
    const one = ruined('billing', 60_000);
    expect(JSON.stringify(one).length).toBeGreaterThan(10_000_000);
    expect(bytesOf([one])).toBeLessThan(mostEventBytes + 4096);
    const { differences, truncated } = dataOf([one]);
    expect(truncated).toBe(true);
    expect(differences).toMatchObject([{ schema: 'billing', truncated: true }]);
    expect(differences[0]?.changes).toEqual(one.changes.slice(0, differences[0]?.changes.length));
    expect(differences[0]?.statements.length).toBeGreaterThan(1000);
  });

  it('has something about each of a hundred schemas, and all about those that differ in little', () => {
    const many = Array.from({ length: 101 }, (_, n) => ruined(`s${n}`, n % 2 === 0 ? 1 : 2000));
    const { differences, truncated } = dataOf(many);
    expect(bytesOf(many)).toBeLessThan(mostEventBytes + 4096);
    expect(truncated).toBe(true);
    expect(differences).toHaveLength(100);
    differences.forEach(({ truncated, ...shown }, index) => {
      if (index % 2 === 0) expect(shown).toEqual(many[index]);
      else expect([truncated, shown.changes.length > 10]).toEqual([true, true]);
    });
  });

  it('is whole, or says that it isn’t, and has room for whatever differs', () => {
    const text = fc.oneof(
      { weight: 5, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 100_000 }).map(long) },
    );
    const difference = fc.record({
      schema: fc.option(fc.string({ maxLength: 63 }), { nil: undefined }),
      changes: fc.array(
        fc.record({
          action: fc.constant('grant'),
          kind: fc.constant('table'),
          name: text,
        }) as fc.Arbitrary<Change>,
      ),
      notes: fc.array(fc.record({ code: fc.constant('FOREIGN_GRANT'), message: text }), { maxLength: 5 }),
      statements: fc.array(text, { maxLength: 5 }),
    });
    let cut = 0;
    fc.assert(
      fc.property(fc.array(difference, { maxLength: 30 }), (differences) => {
        const { truncated, differences: shown } = dataOf(differences);
        expect(bytesOf(differences)).toBeLessThan(mostEventBytes + 4096);
        const whole = differences.map(({ schema, ...rest }) => ({ schema: schema ?? null, ...rest }));
        if (truncated) cut += 1;
        else expect(shown).toEqual(whole);
      }),
      { numRuns: 60 },
    );
    expect(cut, 'some were cut').toBeGreaterThan(0);
  });
});

function long(length: number): string {
  return '字'.repeat(length);
}
