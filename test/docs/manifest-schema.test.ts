import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  manifestJsonSchema,
  manifestJsonSchemaText,
} from '../../functions/ingest-object/manifest/json-schema.ts';
import { manifestSchema } from '../../functions/ingest-object/manifest/model.ts';
import { readManifest } from '../../functions/ingest-object/manifest/read.ts';
import { OperationError } from '../../shared/operation/errors.ts';
import { anyManifest } from '../functions/ingest-object/manifest/manifests.ts';

const checkout = path.resolve(import.meta.dirname, '..', '..');
const file = 'docs/schemas/manifest.json';
const published = readFileSync(path.join(checkout, file), 'utf8');
const samples = ['billing', 'tenant'].map((name) =>
  readFileSync(path.join(checkout, 'samples', 'manifests', `${name}.yaml`), 'utf8'),
);

const ajv = new Ajv2020({ strict: true, allErrors: true, strictRequired: false });
addFormats.default(ajv);
const validate = ajv.compile(JSON.parse(published));

interface Node {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
}

describe('docs/schemas/manifest.json', () => {
  it('is what the function takes', () => {
    const how = 'npm run --silent drover -- plan --schema > docs/schemas/manifest.json';
    expect(published === `${manifestJsonSchemaText()}\n`, `${file} is another one: ${how}`).toBe(true);
    expect(JSON.parse(published)).toEqual(manifestJsonSchema());
  });

  it('says what each field is', () => {
    const undescribed: string[] = [];
    const look = ({ properties = {}, additionalProperties, items }: Node, at: string) => {
      for (const [name, one] of Object.entries(properties)) {
        if (!one.description) undescribed.push(`${at}.${name}`);
        look(one, `${at}.${name}`);
      }
      if (items) look(items, `${at}[]`);
      if (typeof additionalProperties === 'object') look(additionalProperties, `${at}.*`);
    };
    look(manifestJsonSchema() as Node, '');
    expect(undescribed).toEqual([]);
  });

  it.each(samples)('takes the sample %#', (text) => {
    expect(validate(parse(text)) || validate.errors).toBe(true);
  });

  it('takes what can be used', () => {
    fc.assert(fc.property(anyManifest, (written) => validate(written)));
  });

  it.each([
    ['a database and a tenant', { tenant: parse(samples[1] ?? '').tenant }],
    ['neither', { database: undefined }],
    [
      'two ways to say who',
      { grants: [{ principal: 'a', principals: ['b'], kind: 'login', level: 'monitor' }] },
    ],
    ['nobody', { grants: [{ kind: 'login', level: 'monitor' }] }],
    ['no role', { grants: [{ kind: 'login', principal: 'a' }] }],
    ['two roles', { grants: [{ kind: 'login', principal: 'a', level: 'reader', customRole: 'b' }] }],
    [
      'too many schemas',
      { schemas: Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`s${i}`, {}])) },
    ],
  ])('refuses %s, and so does the function', (_, more) => {
    const { onDelete: __, ...rest } = parse(samples[0] ?? '');
    const manifest = JSON.parse(JSON.stringify({ ...rest, ...more }));
    expect(validate(manifest)).toBe(false);
    expect(() => readManifest(JSON.stringify(manifest))).toThrow(OperationError);
  });

  it('says yes and no as the function does, of whatever is changed in a manifest', () => {
    const values = fc.oneof(
      fc.constantFrom<unknown>(null, true, 0, -1, 1, 1.5, 7, '', 'x', 'reader', 'keep', [], {}, [1], ['x'], {
        x: 1,
      }),
      fc.constantFrom<unknown>(
        '24h',
        '2030-01-01T00:00:00Z',
        '2030-01-01',
        'a@b.com',
        2_000_000,
        'x'.repeat(300),
      ),
    );
    const refused = { yes: 0, no: 0 };
    fc.assert(
      fc.property(fc.constantFrom(...samples), fc.nat(), values, fc.nat(2), (text, where, value, how) => {
        const manifest: unknown = parse(text);
        const places = placesIn(manifest);
        const place = places[where % places.length];
        // That it is one of two is said elsewhere.
        fc.pre(place !== undefined && !eitherOr.includes(place.key));
        change(place.parent, place.key, how === 0 ? undefined : value, how === 2);
        const valid = validate(manifest);
        expect({ valid, manifest }).toEqual({ valid: isSaidToBe(manifest), manifest });
        refused[valid ? 'yes' : 'no'] += 1;
      }),
      { numRuns: 300 },
    );
    expect(refused.yes).toBeGreaterThan(20);
    expect(refused.no).toBeGreaterThan(20);
  });
});

describe('docs/manifests.md', () => {
  const text = readFileSync(path.join(checkout, 'docs', 'manifests.md'), 'utf8');
  const examples = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml = '']) => yaml);
  const manifests = examples.filter((yaml) => /^version:/m.test(yaml));

  it.each(manifests)('has an example that can be used: %#', (yaml) => {
    expect(readManifest(yaml)).toMatchObject({ version: 1 });
    expect(validate(parse(yaml)) || validate.errors).toBe(true);
  });

  it('names every field of the file, of a schema, a grant and a secret', () => {
    expect(manifests.length).toBeGreaterThan(1);
    const { properties = {} } = manifestJsonSchema() as Node;
    const entry = (name: string) => properties[name]?.additionalProperties as Node;
    const nodes = [{ properties }, entry('schemas'), entry('secrets'), properties['grants']?.items ?? {}];
    const fields = nodes.flatMap((node) => Object.keys(node.properties ?? {}));
    expect(fields.length).toBeGreaterThan(30);
    for (const field of [...fields, ...Object.keys(properties['tenant']?.properties ?? {})])
      expect(text).toContain(`\`${field}\``);
  });
});

/** As far as a JSON Schema can say it: not what takes more than a look at the value's form. */
function isSaidToBe(manifest: unknown): boolean {
  const { error } = manifestSchema.safeParse(manifest);
  return error === undefined || error.issues.every(({ code }) => code === 'custom');
}

const eitherOr = [
  'database',
  'tenant',
  'principal',
  'principals',
  'level',
  'customRole',
  'secrets',
  'grants',
];

interface PlaceIn {
  readonly parent: Record<string, unknown>;
  readonly key: string;
}

function placesIn(value: unknown): PlaceIn[] {
  if (typeof value !== 'object' || value === null) return [];
  const parent = value as Record<string, unknown>;
  return Object.keys(parent).flatMap((key) => [{ parent, key }, ...placesIn(parent[key])]);
}

/** Takes a field out, gives it another value, or another one beside it. */
function change(parent: Record<string, unknown>, key: string, value: unknown, beside: boolean): void {
  if (Array.isArray(parent))
    parent.splice(Number(key), value === undefined ? 1 : 0, ...(value === undefined ? [] : [value]));
  else if (value === undefined) delete parent[key];
  else parent[beside ? `${key} x` : key] = value;
}
