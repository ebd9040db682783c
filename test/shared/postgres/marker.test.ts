import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatMarker, type Marker, parseMarker } from '../../../shared/postgres/marker.ts';

test('a marker that was written is read back as it was', () => {
  const marker: fc.Arbitrary<Marker> = fc
    .record(
      {
        database: fc.string({ unit: 'binary' }),
        schema: fc.string({ unit: 'binary' }),
        level: fc.string(),
        epoch: fc.nat(),
        grants: fc.nat(),
        version: fc.nat(),
        checksum: fc.string(),
      },
      { requiredKeys: ['database', 'level'] },
    )
    .map((fields) => ({ managedBy: 'drover', ...fields }));
  fc.assert(
    fc.property(marker, (one) => {
      expect(parseMarker(formatMarker(one))).toEqual(one);
    }),
  );
});

test('a marker begins with what the inspection looks for', () => {
  const text = formatMarker({ managedBy: 'drover', level: 'owner', schema: 's', database: 'a"b', epoch: 3 });
  expect(text).toBe('{"managedBy":"drover","database":"a\\"b","schema":"s","level":"owner","epoch":3}');
  const custom = formatMarker({ checksum: 'c', version: 2, level: 'x', managedBy: 'drover', database: 'a' });
  expect(custom).toBe('{"managedBy":"drover","database":"a","level":"x","version":2,"checksum":"c"}');
});

test('no name in a marker looks like what only some markers have', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (rest) => {
      const schema = `","level":"owner","version":1${rest}`;
      const text = formatMarker({ managedBy: 'drover', database: schema, schema, level: 'writer' });
      expect(text).not.toMatch(/"level":"(owner|reader)"|"version":/);
    }),
  );
});

test.each([
  ['no comment', null],
  ['an empty one', ''],
  ['text', 'managed by drover'],
  ['broken JSON', '{"managedBy":"drover"'],
  ['somebody else’s JSON', '{"managedBy":"terraform","database":"app","level":"owner"}'],
  ['JSON without a database', '{"managedBy":"drover","level":"owner"}'],
  ['an epoch that is no integer', '{"managedBy":"drover","database":"app","level":"owner","epoch":"1"}'],
  ['a list', '["managedBy","drover"]'],
])('%s is no marker', (_, comment) => {
  expect(parseMarker(comment)).toBeUndefined();
});

test('no comment whatsoever makes reading fail', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (comment) => void parseMarker(comment)));
});
