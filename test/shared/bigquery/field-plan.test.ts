import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planFields } from '../../../shared/bigquery/field-plan.ts';
import type { Field } from '../../../shared/bigquery/model.ts';

const names = ['a', 'b', 'c', 'D', 'd', 'e'];
const scalar = fc.constantFrom('STRING', 'INTEGER', 'INT64', 'TIMESTAMP');
const mode = fc.constantFrom('NULLABLE', 'REQUIRED', 'REPEATED', undefined);
const description = fc.constantFrom('one', 'two', undefined);

/** Columns as BigQuery takes them: no two names are the same but for their letters' case. */
const fields: fc.Arbitrary<Field[]> = fc.letrec<{ fields: Field[]; field: Field }>((tie) => ({
  field: fc
    .record({
      name: fc.constantFrom(...names),
      type: fc.oneof({ weight: 3, arbitrary: scalar }, fc.constantFrom('RECORD', 'STRUCT')),
      mode,
      description,
      fields: tie('fields'),
    })
    .map(({ fields: within, ...field }) => {
      const isRecord = field.type === 'RECORD' || field.type === 'STRUCT';
      return JSON.parse(JSON.stringify({ ...field, ...(isRecord && { fields: within }) })) as Field;
    }),
  fields: fc.oneof(
    { maxDepth: 3 },
    fc.constant<Field[]>([{ name: 'a', type: 'STRING' }]),
    fc.uniqueArray(tie('field'), { selector: ({ name }) => name.toLowerCase(), maxLength: 4 }),
  ),
})).fields;

const pair = [fields, fields] as const;

/** What a column holds. */
const shape = ({ name, type, mode: given }: Field) => ({ name, type, isRepeated: given === 'REPEATED' });

describe('a plan of columns', () => {
  it('leaves nothing to plan, whatever there was and whatever is wanted', () => {
    fc.assert(
      fc.property(...pair, (current, wanted) => {
        const first = planFields(current, wanted);
        const second = planFields(first.fields, wanted);
        expect(second.changes).toEqual([]);
        expect(second.fields).toEqual(first.fields);
        expect(second.conflicts).toEqual(first.conflicts);
      }),
    );
  });

  it('never takes a column away, moves one, or gives one another type', () => {
    const requireKept = (current: readonly Field[], planned: readonly Field[]) => {
      expect(planned.slice(0, current.length).map(shape)).toEqual(current.map(shape));
      for (const [index, field] of current.entries()) {
        if (field.mode !== 'REQUIRED') expect(planned[index]?.mode).toBe(field.mode);
        requireKept(field.fields ?? [], planned[index]?.fields ?? []);
      }
    };
    fc.assert(
      fc.property(...pair, (current, wanted) => requireKept(current, planFields(current, wanted).fields)),
    );
  });

  it('never adds a column that rows which are there would have to have', () => {
    const requireOptional = (current: readonly Field[], planned: readonly Field[]) => {
      for (const [index, field] of planned.entries()) {
        const before = current[index];
        if (before === undefined) expect(field.mode).not.toBe('REQUIRED');
        requireOptional(before?.fields ?? [], field.fields ?? []);
      }
    };
    fc.assert(
      fc.property(...pair, (current, wanted) => requireOptional(current, planFields(current, wanted).fields)),
    );
  });

  it('has all columns that are wanted, or tells which are something else', () => {
    fc.assert(
      fc.property(...pair, (current, wanted) => {
        const { fields: planned, conflicts } = planFields(current, wanted);
        for (const { name, type, mode: wantedMode } of wanted) {
          const found = planned.find((field) => field.name.toLowerCase() === name.toLowerCase());
          expect(found).toBeDefined();
          const isOther = conflicts.some((text) => text.startsWith(`column ${found?.name} `));
          const alias = (one = '') => one.replace('INT64', 'INTEGER').replace('STRUCT', 'RECORD');
          const differs =
            alias(found?.type) !== alias(type) ||
            (found?.mode === 'REPEATED') !== (wantedMode === 'REPEATED');
          expect(isOther).toBe(differs);
        }
      }),
    );
  });

  it('says nothing where everything is as it should be', () => {
    fc.assert(
      fc.property(fields, (current) => {
        expect(planFields(current, current)).toEqual({ fields: current, changes: [], conflicts: [] });
      }),
    );
  });

  it('keeps what is set on a column that it knows nothing of', () => {
    const current = [{ name: 'a', type: 'STRING', mode: 'REQUIRED', policyTags: { names: ['secret'] } }];
    expect(planFields(current, [{ name: 'a', type: 'STRING', description: 'A' }])).toEqual({
      fields: [{ ...current[0], mode: 'NULLABLE', description: 'A' }],
      changes: ['column a no longer required', 'column a described'],
      conflicts: [],
    });
  });

  it('names columns in records by their whole path', () => {
    const record = (fields: Field[]) => [{ name: 'r', type: 'RECORD', fields }];
    const { changes, conflicts } = planFields(
      record([{ name: 'a', type: 'STRING' }]),
      record([
        { name: 'a', type: 'INTEGER' },
        { name: 'b', type: 'INTEGER' },
      ]),
    );
    expect({ changes, conflicts }).toEqual({
      changes: ['column r.b added'],
      conflicts: ['column r.a is STRING, not INTEGER'],
    });
  });
});
