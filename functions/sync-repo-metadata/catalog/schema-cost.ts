import type { JsonSchema } from './json-schema.ts';
import type { Patterns } from './schema-patterns.ts';

/** What it takes to check a value, in steps of some nanoseconds. */
export interface SchemaCost {
  /** For each value in it. */
  readonly perValue: number;
  /** For each character of its texts and keys. */
  readonly perCharacter: number;
}

interface Expanded extends SchemaCost {
  readonly subschemas: number;
  readonly depth: number;
}

/** With every `$ref` replaced by what it stands for. To compile them takes time that grows with the square of their number. */
const mostSubschemas = 1000;
const deepest = 100;

const longestIdentifier = 500;

/** Keywords whose value is a schema, a list of them, or schemas by name. */
const ofOne = [
  'additionalProperties',
  'contains',
  'else',
  'if',
  'items',
  'not',
  'propertyNames',
  'then',
  'unevaluatedItems',
  'unevaluatedProperties',
];
const ofMany = ['allOf', 'anyOf', 'oneOf', 'prefixItems'];
/** Those of `dependentRequired` are lists of names, and compiled one by one all the same. */
const ofNamed = ['dependencies', 'dependentRequired', 'dependentSchemas', 'patternProperties', 'properties'];

/** Those whose subschemas needn’t fit. */
const tried = ['anyOf', 'if', 'not', 'oneOf'];

const refused: Readonly<Record<string, string>> = {
  $async: 'a schema can’t be asynchronous',
  $dynamicAnchor: '$dynamicAnchor is not supported: write a $ref to #/$defs/NAME',
  $dynamicRef: '$dynamicRef is not supported: write a $ref to #/$defs/NAME',
  $recursiveAnchor: '$recursiveAnchor is not supported: write a $ref to #/$defs/NAME',
  $recursiveRef: '$recursiveRef is not supported: write a $ref to #/$defs/NAME',
};

/** Pointers that everybody reads in the same way. */
const pointer = /^#(?:\/[\w$.~-]+)*$/;

/** Steps that one of something takes. */
const steps = {
  /** A pattern, for each of its own at each character. */
  pattern: 10,
  /** As JSON with its keys in order: for each character, and for each value. */
  uniqueItems: 10,
  uniqueValues: 200,
  format: 2,
  length: 1,
  /** To say what is wrong, for each subschema, though it may be forgotten again: another one may fit. */
  trial: 50,
  /** The same, and remembered until the last item. */
  contains: 200,
};

/**
 * Looks at all of a schema that will be used, before anything else does: a few lines of `$ref` can stand for more than can ever be
 * checked.
 *
 * @throws Error that says what is wrong with the schema
 */
export function schemaCost(root: JsonSchema, patterns: Patterns): SchemaCost {
  const known = new Map<object, Expanded>();
  const open = new Set<object>();

  const expand = (schema: unknown, depth: number): Expanded => {
    if (!isObject(schema)) return { subschemas: 1, depth: 0, perValue: 1, perCharacter: 0 };
    if (open.has(schema)) {
      throw new Error('recursive schemas are not supported: a $ref leads back to the schema that it is in');
    }
    const found = known.get(schema) ?? first(schema, depth);
    if (depth + found.depth > deepest) throw tooDeep();
    return found;
  };

  const first = (schema: JsonSchema, depth: number): Expanded => {
    if (depth > deepest) throw tooDeep();
    checkKeywords(schema, schema === root);
    open.add(schema);
    let subschemas = 1;
    let below = 0;
    let { perValue, perCharacter } = ownCost(schema, patterns);
    for (const [keyword, child] of childrenOf(schema, root)) {
      const one = expand(child, depth + 1);
      const trial = keyword === 'contains' ? steps.contains : tried.includes(keyword) ? steps.trial : 0;
      subschemas += one.subschemas;
      below = Math.max(below, one.depth + 1);
      perValue += one.perValue + one.subschemas * trial;
      perCharacter += one.perCharacter;
      if (subschemas > mostSubschemas) {
        throw new Error(`has more than ${mostSubschemas} subschemas, with every $ref replaced by its target`);
      }
    }
    open.delete(schema);
    const expanded = { subschemas, depth: below, perValue, perCharacter };
    known.set(schema, expanded);
    return expanded;
  };

  const { perValue, perCharacter } = expand(root, 0);
  return { perValue, perCharacter };
}

function checkKeywords(schema: JsonSchema, isRoot: boolean): void {
  for (const [keyword, why] of Object.entries(refused)) {
    if (Object.hasOwn(schema, keyword)) throw new Error(why);
  }
  for (const keyword of ['$id', '$schema']) {
    const value = schema[keyword];
    if (typeof value !== 'string') continue;
    if (!isRoot) throw new Error(`${keyword} is only supported in the outermost schema: leave it out`);
    if (value.length > longestIdentifier) {
      throw new Error(`${keyword} has more than ${longestIdentifier} characters`);
    }
  }
}

function ownCost(schema: JsonSchema, patterns: Patterns): SchemaCost {
  const own = (keyword: string) => (Object.hasOwn(schema, keyword) ? schema[keyword] : undefined);
  let perValue = 1;
  for (const keyword of ['enum', 'required', 'type']) {
    const list = own(keyword);
    if (Array.isArray(list)) perValue += list.length;
  }
  for (const keyword of ['dependencies', 'dependentRequired']) {
    for (const list of Object.values(own(keyword) ?? {})) {
      perValue += 1 + (Array.isArray(list) ? list.length : 0);
    }
  }
  if (own('uniqueItems') === true) perValue += steps.uniqueValues;
  let perCharacter = 0;
  for (const keyword of ['minLength', 'maxLength'])
    if (own(keyword) !== undefined) perCharacter += steps.length;
  if (own('format') !== undefined) perCharacter += steps.format;
  if (own('uniqueItems') === true) perCharacter += steps.uniqueItems;
  const pattern = own('pattern');
  if (typeof pattern === 'string') perCharacter += patterns.compile(pattern).steps * steps.pattern;
  const named = own('patternProperties');
  for (const one of isObject(named) ? Object.keys(named) : []) {
    // What are additional properties is found by them once more.
    perCharacter += patterns.compile(one).steps * steps.pattern * 2;
  }
  return { perValue, perCharacter };
}

function* childrenOf(schema: JsonSchema, root: JsonSchema): Generator<readonly [string, unknown]> {
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === '$ref') yield [keyword, targetOf(value, root)];
    else if (ofOne.includes(keyword)) yield [keyword, value];
    else if (ofMany.includes(keyword) && Array.isArray(value)) for (const one of value) yield [keyword, one];
    else if (ofNamed.includes(keyword) && isObject(value)) {
      for (const one of Object.values(value)) yield [keyword, one];
    }
  }
}

function targetOf(ref: unknown, root: JsonSchema): unknown {
  const shown = JSON.stringify(String(ref).slice(0, 100));
  if (typeof ref !== 'string' || !pointer.test(ref)) {
    throw new Error(
      `the $ref ${shown} can’t be resolved: only pointers within the schema can, as #/$defs/NAME with letters, digits, _, -, . and $`,
    );
  }
  let found: unknown = root;
  for (const part of ref.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    const holds = typeof found === 'object' && found !== null && Object.hasOwn(found, key);
    if (!holds) throw new Error(`the $ref ${shown} can’t be resolved: there is nothing`);
    found = (found as Record<string, unknown>)[key];
    // Pointers within would begin there.
    if (isObject(found)) checkKeywords(found, found === root);
  }
  return found;
}

function tooDeep(): Error {
  return new Error(`is nested deeper than ${deepest} levels, with every $ref replaced by its target`);
}

function isObject(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
