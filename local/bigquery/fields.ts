import { isObject, type JsonObject } from '../http/json.ts';
import { invalid } from './errors.ts';

/** @throws ApiError 400 for the first field that is not among those that are supported */
export function supportOnly(subject: string, object: JsonObject, fields: readonly string[]): void {
  const strange = Object.keys(object).find((field) => !fields.includes(field) && object[field] !== null);
  if (strange !== undefined) throw invalid(`The field ${strange} of ${subject} is not implemented here`);
}

/** @throws ApiError 400 where the field is anything but text */
export function textOf(object: JsonObject, field: string): string | undefined {
  return fieldOf(object, field, (value) => typeof value === 'string') as string | undefined;
}

/** @throws ApiError 400 where the field is missing or anything but text */
export function requiredText(object: JsonObject, field: string): string {
  return textOf(object, field) || required(field);
}

/** @throws ApiError 400 where the field is anything but true or false */
export function flagOf(object: JsonObject, field: string): boolean | undefined {
  return fieldOf(object, field, (value) => typeof value === 'boolean') as boolean | undefined;
}

/** @throws ApiError 400 where the field is anything but an object */
export function objectOf(object: JsonObject, field: string): JsonObject | undefined {
  return fieldOf(object, field, isObject) as JsonObject | undefined;
}

/** @throws ApiError 400 where the field is anything but a list of objects */
export function objectsOf(object: JsonObject, field: string): readonly JsonObject[] | undefined {
  const ofObjects = (value: unknown) => Array.isArray(value) && value.every(isObject);
  return fieldOf(object, field, ofObjects) as readonly JsonObject[] | undefined;
}

/** @throws ApiError 400 where the field is anything but a list of texts */
export function textsOf(object: JsonObject, field: string): readonly string[] | undefined {
  const ofTexts = (value: unknown) => Array.isArray(value) && value.every((one) => typeof one === 'string');
  return fieldOf(object, field, ofTexts) as readonly string[] | undefined;
}

/**
 * A 64-bit integer, which is text in the API's JSON.
 *
 * @throws ApiError 400 where the field is anything but a whole number, zero or more
 */
export function int64Of(object: JsonObject, field: string): string | undefined {
  const value = fieldOf(object, field, (given) => /^\d+$/.test(String(given)));
  return value === undefined ? undefined : String(value);
}

/** @throws ApiError 400 where the field is none of the choices */
export function choiceOf<Choice extends string>(
  object: JsonObject,
  field: string,
  choices: readonly Choice[],
): Choice | undefined {
  return fieldOf(object, field, (value) => choices.includes(value as Choice)) as Choice | undefined;
}

export function required(field: string): never {
  throw invalid(`Required parameter is missing: ${field}`);
}

/** As in the API, null is the same as a field that is left out. */
function fieldOf(object: JsonObject, field: string, isValid: (value: unknown) => boolean): unknown {
  const value = object[field] ?? undefined;
  if (value === undefined || isValid(value)) return value;
  throw invalid(`Invalid value for ${field}: ${JSON.stringify(value)}`);
}
