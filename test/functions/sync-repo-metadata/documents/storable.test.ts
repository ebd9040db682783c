import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { Content, Format } from '../../../../functions/sync-repo-metadata/documents/document.ts';
import { readDocument } from '../../../../functions/sync-repo-metadata/documents/read.ts';
import { type Cluster, createCluster } from '../../../../local/postgres/cluster.ts';
import { connected } from '../../../support/postgres.ts';
import { contentOf, withoutNegativeZero } from './reading.ts';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await createCluster({ superuser: 'postgres', password: 'secret' });
});

afterAll(() => cluster.remove());

interface Stored {
  readonly metadata: string;
  readonly text: string | null;
}

/** As PostgreSQL gives them back. */
function stored(contents: readonly Content[]): Promise<readonly Stored[]> {
  return connected(cluster.url('postgres', 'secret', 'postgres'), async (client) => {
    const { rows } = await client.query(
      `SELECT json::jsonb::text AS metadata, text
         FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS document (json, text, place)
        ORDER BY place`,
      [contents.map(({ json }) => json), contents.map(({ text }) => text ?? null)],
    );
    return rows;
  });
}

const escapes = fc.constantFrom(
  '"\\u0000"',
  '"\\ud800"',
  '"\\ud83d\\udc02"',
  '"\\u0001"',
  '"\\\\u0000"',
  '"\\x07"',
);
const digits = fc
  .tuple(
    fc.constantFrom('0', '-0', '1', '-12.50', '0.001', '9'.repeat(300)),
    fc.integer({ min: -450, max: 450 }),
  )
  .map(([number, exponent]) => `${number}e${exponent}`);

/** Files of which many can be kept, and some only nearly. */
const file: fc.Arbitrary<readonly [Format, string]> = fc.oneof(
  fc.jsonValue({ stringUnit: 'binary' }).map((value) => ['json', JSON.stringify(value)] as const),
  fc.jsonValue({ stringUnit: 'binary' }).map((value) => ['yaml', stringify(value)] as const),
  fc.oneof(escapes, digits).map((value) => ['json', `{"a": [${value}]}`] as const),
  fc.oneof(escapes, digits).map((value) => ['yaml', `a:\n- ${value}\n`] as const),
  fc.string({ unit: 'binary' }).map((text) => ['markdown', `---\na: [b]\n---\n${text}`] as const),
  fc.string({ unit: 'binary' }).map((text) => ['yaml', `a: ${text}\nb: |\n  ${text}`] as const),
);

describe('what a file says', () => {
  it('is kept by PostgreSQL as it is', async () => {
    const files = fc.sample(file, 3_000);
    const contents = files.flatMap(([format, text]) => {
      const reading = readDocument(format, Buffer.from(text), 'a');
      return 'content' in reading ? [reading.content] : [];
    });
    expect(contents.length).toBeGreaterThan(1_500);

    const rows = await stored(contents);

    expect(rows.map(({ metadata }) => withoutNegativeZero(JSON.parse(metadata)))).toEqual(
      contents.map(({ metadata }) => withoutNegativeZero(metadata)),
    );
    expect(rows.map(({ text }) => text)).toEqual(contents.map(({ text }) => text ?? null));
  });

  it('has numbers as long as PostgreSQL keeps them', async () => {
    const numbers = [
      '1e308',
      `0.${'0'.repeat(16_382)}1`,
      '0e-400',
      '1e-400',
      `${'9'.repeat(308)}.${'1'.repeat(16_383)}`,
    ];
    const contents = [
      ...numbers.map((number) => contentOf('json', `[${number}]`)),
      contentOf('yaml', '[12345678901234567890123, 0xFFFFFFFFFFFFFFFFFFFF, +.10, 1.]'),
      contentOf('json', `${'['.repeat(100)}${']'.repeat(100)}`),
    ];

    const rows = await stored(contents);

    expect(rows[5]?.metadata).toBe('[12345678901234567890123, 1208925819614629174706175, 0.10, 1]');
    expect(rows[4]?.metadata).toBe(`[${numbers[4]}]`);
  });
});
