import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { RE2JS } from 're2js';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** So many things that are wrong with one file are told. */
const mostViolations = 5;

/**
 * Patterns are a stranger's: they run in time that grows no faster than the text, which JavaScript's own don't.
 *
 * @see https://github.com/google/re2/wiki/Syntax
 */
function linearTime(pattern: string): { test(text: string): boolean; toString(): string } {
  const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
  // Ajv takes two for the same that are the same as text.
  return { test: (text) => compiled.matcher(text).find(), toString: () => pattern };
}
// Only for code that is written to a file, which this never is.
const regExp = Object.assign(linearTime, { code: 'linearTime' });

/**
 * JSON Schema 2020-12 as a function.
 *
 * @returns what is wrong with a value, for people; nothing where it is valid
 * @throws Error that says what is wrong with the schema
 */
export function compileJsonSchema(schema: JsonSchema): (value: unknown) => string[] {
  if ('$async' in schema) throw new Error('can’t be asynchronous');
  const ajv = new Ajv2020({
    strictSchema: false,
    strictTypes: false,
    allowUnionTypes: true,
    validateFormats: true,
    logger: false,
    code: { regExp: regExp as never },
  });
  // By its default: the module is CommonJS.
  (addFormats as unknown as { default: (to: Ajv2020) => void }).default(ajv);
  const validate = ajv.compile(schema);
  return (value) => {
    if (validate(value)) return [];
    return (validate.errors ?? []).slice(0, mostViolations).map(describe);
  };
}

function describe({ instancePath, message = 'is not valid', params }: ErrorObject): string {
  const where = instancePath === '' ? 'the metadata' : instancePath.slice(1).replaceAll('/', '.');
  const allowed = (params as { allowedValues?: unknown[] }).allowedValues;
  const unknown = (params as { additionalProperty?: string }).additionalProperty;
  const more = allowed ? `: ${allowed.map((one) => JSON.stringify(one)).join(', ')}` : '';
  return `${where} ${message}${more}${unknown === undefined ? '' : `: ${unknown}`}`.slice(0, 500);
}
