import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { canonicalJson } from '../../../shared/operation/canonical.ts';
import { type SchemaCost, schemaCost } from './schema-cost.ts';
import { Patterns, Unchecked } from './schema-patterns.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** So many things that are wrong with one file are told. */
const mostViolations = 5;

/** Of what a value may be, so much is told. */
const mostAllowed = 50;

/** A second's work, more or less: nothing else is done meanwhile. */
const mostSteps = 200_000_000;

/**
 * JSON Schema 2020-12 as a function.
 *
 * @returns what is wrong with a value, for people; nothing where it is valid
 * @throws Error that says what is wrong with the schema
 */
export function compileJsonSchema(schema: JsonSchema): (value: unknown) => string[] {
  const patterns = new Patterns();
  const cost = schemaCost(schema, patterns);
  judge ??= new Ajv2020({ strict: false, logger: false });
  judge.validateSchema(schema, true);
  const validate = ajvWith(patterns).compile(schema);
  return (value) => {
    try {
      if (stepsOf(value, cost) > mostSteps) {
        return ['the metadata is too much for its schema: make the file smaller, or the schema simpler'];
      }
      if (validate(value)) return [];
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return [error instanceof Unchecked ? why : `the metadata can’t be checked against its schema: ${why}`];
    }
    return (validate.errors ?? []).slice(0, mostViolations).map(describe);
  };
}

/** Says whether a schema is one. The schema of schemas is compiled once: it takes many times as long as most others. */
let judge: Ajv2020 | undefined;

function ajvWith(patterns: Patterns): Ajv2020 {
  const ajv = new Ajv2020({
    strictSchema: false,
    strictTypes: false,
    allowUnionTypes: true,
    validateFormats: true,
    validateSchema: false,
    logger: false,
    // The name is only for code that is written to a file, which this never is.
    code: {
      // Takes several times as long as all the rest, for code that is little faster.
      optimize: false,
      regExp: Object.assign((pattern: string) => patterns.compile(pattern), { code: 'pattern' }) as never,
    },
  });
  // By its default: the module is CommonJS.
  (addFormats as unknown as { default: (to: Ajv2020) => void }).default(ajv);
  // Its own takes time that grows with the square of the text.
  ajv.addFormat('url', (text) => /^(?:https?|ftp):\/\/\S+$/i.test(text) && URL.canParse(text));
  // Its own compares each item with each other.
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    validate: (wanted: boolean, items: unknown[]) => !wanted || areUnique(items),
    error: { message: 'must NOT have duplicate items' },
  });
  return ajv;
}

function areUnique(items: readonly unknown[]): boolean {
  const seen = new Set<string>();
  for (const item of items) {
    const text = canonicalJson(item);
    if (seen.has(text)) return false;
    seen.add(text);
  }
  return true;
}

/** What it takes at most: each subschema looks at each value once, as none leads back to itself. */
function stepsOf(value: unknown, cost: SchemaCost): number {
  const { perValue, perCharacter } = cost;
  let steps = perValue;
  if (typeof value === 'string') return steps + value.length * perCharacter;
  if (typeof value !== 'object' || value === null) return steps;
  if (Array.isArray(value)) {
    for (const one of value) steps += stepsOf(one, cost);
    return steps;
  }
  for (const [key, one] of Object.entries(value)) {
    steps += perValue + key.length * perCharacter + stepsOf(one, cost);
  }
  return steps;
}

function describe({ instancePath, message = 'is not valid', params }: ErrorObject): string {
  const where = instancePath === '' ? 'the metadata' : instancePath.slice(1).replaceAll('/', '.');
  const allowed = (params as { allowedValues?: unknown[] }).allowedValues?.slice(0, mostAllowed);
  const unknown = (params as { additionalProperty?: string }).additionalProperty;
  const more = allowed ? `: ${allowed.map((one) => JSON.stringify(one)).join(', ')}` : '';
  return `${where} ${message}${more}${unknown === undefined ? '' : `: ${unknown}`}`.slice(0, 500);
}
