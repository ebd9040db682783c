import { status } from '@grpc/grpc-js';
import { GrpcError } from '../grpc/server.ts';
import { documentNameField, type FieldPath, getField, isDocumentName, parseFieldPath } from './field-path.ts';
import type { StoredDocument } from './store.ts';
import { compareNames, compareValues, isNaNValue, typeRank, valuesEqual } from './values.ts';
import type { Value, WireFilter } from './wire.ts';

export type DocumentPredicate = (document: StoredDocument) => boolean;

/** A checked filter: what it accepts, and what of it decides about the rest of the query. */
export interface Filter {
  readonly accepts: DocumentPredicate;
  /** Texts of the field paths with an inequality; the query is sorted by them. */
  readonly inequalities: ReadonlySet<string>;
  /** Name of the only document that can match, if the filter says so. */
  readonly onlyName: string | undefined;
}

const maxDisjunctions = 30;
const maxNotInValues = 10;
const inequalityOperators = new Set([
  'LESS_THAN',
  'LESS_THAN_OR_EQUAL',
  'GREATER_THAN',
  'GREATER_THAN_OR_EQUAL',
  'NOT_EQUAL',
  'NOT_IN',
  'IS_NOT_NULL',
  'IS_NOT_NAN',
]);
const negations = new Set(['NOT_EQUAL', 'NOT_IN', 'IS_NOT_NULL', 'IS_NOT_NAN']);

/**
 * @throws INVALID_ARGUMENT for what the service refuses, too
 * @see https://cloud.google.com/firestore/docs/query-data/queries#query_limitations
 */
export function compileFilter(filter: WireFilter): Filter {
  const leaves = [...leavesOf(filter)];
  const operators = leaves.map(({ op }) => op);
  const negated = operators.filter((op) => negations.has(op));
  if (negated.length > 1) {
    throw invalid(
      "Only a single 'NOT_EQUAL', 'NOT_IN', 'IS_NOT_NAN', or 'IS_NOT_NULL' filter allowed per query.",
    );
  }
  if (
    operators.includes('NOT_IN') &&
    (hasOr(filter) || operators.includes('IN') || operators.includes('ARRAY_CONTAINS_ANY'))
  ) {
    throw invalid("'NOT_IN' cannot be used in the same query with 'IN', 'ARRAY_CONTAINS_ANY' or 'OR'.");
  }
  const accepts = compile(filter);
  if (disjunctions(filter) > maxDisjunctions) {
    throw invalid(`A query may have at most ${maxDisjunctions} disjunctions in its disjunctive normal form.`);
  }
  return {
    accepts,
    inequalities: new Set(leaves.filter(({ op }) => inequalityOperators.has(op)).map(({ path }) => path)),
    onlyName: onlyName(filter),
  };
}

interface Leaf {
  readonly path: string;
  readonly op: string;
}

function* leavesOf(filter: WireFilter): Iterable<Leaf> {
  if (filter.filterType === 'compositeFilter') {
    for (const part of filter.compositeFilter.filters ?? []) yield* leavesOf(part);
  } else {
    const leaf = filter.filterType === 'fieldFilter' ? filter.fieldFilter : filter.unaryFilter;
    yield { path: leaf.field?.fieldPath ?? '', op: leaf.op ?? '' };
  }
}

function hasOr(filter: WireFilter): boolean {
  if (filter.filterType !== 'compositeFilter') return false;
  return filter.compositeFilter.op === 'OR' || (filter.compositeFilter.filters ?? []).some(hasOr);
}

function disjunctions(filter: WireFilter): number {
  if (filter.filterType === 'compositeFilter') {
    const parts = (filter.compositeFilter.filters ?? []).map(disjunctions);
    return filter.compositeFilter.op === 'OR'
      ? parts.reduce((a, b) => a + b, 0)
      : parts.reduce((a, b) => a * b, 1);
  }
  if (filter.filterType !== 'fieldFilter') return 1;
  const { op, value } = filter.fieldFilter;
  return op === 'IN' || op === 'ARRAY_CONTAINS_ANY' ? Math.max(1, elementsOf(value).length) : 1;
}

function onlyName(filter: WireFilter): string | undefined {
  if (filter.filterType === 'fieldFilter') {
    const { field, op, value } = filter.fieldFilter;
    const byName = field?.fieldPath === documentNameField && op === 'EQUAL';
    return byName && value?.valueType === 'referenceValue' ? value.referenceValue : undefined;
  }
  if (filter.filterType !== 'compositeFilter' || filter.compositeFilter.op !== 'AND') return undefined;
  for (const part of filter.compositeFilter.filters ?? []) {
    const name = onlyName(part);
    if (name !== undefined) return name;
  }
  return undefined;
}

function compile(filter: WireFilter): DocumentPredicate {
  switch (filter.filterType) {
    case 'compositeFilter': {
      const parts = (filter.compositeFilter.filters ?? []).map(compile);
      const [only] = parts;
      if (only === undefined) throw invalid('A composite filter must have at least one filter.');
      if (parts.length === 1) return only;
      if (filter.compositeFilter.op === 'AND')
        return (document) => parts.every((accepts) => accepts(document));
      if (filter.compositeFilter.op === 'OR') return (document) => parts.some((accepts) => accepts(document));
      throw invalid('A composite filter must be AND or OR.');
    }
    case 'unaryFilter':
      return compileUnary(parseFieldPath(filter.unaryFilter.field?.fieldPath), filter.unaryFilter.op);
    case 'fieldFilter': {
      const { field, op, value } = filter.fieldFilter;
      if (value === undefined) throw invalid('A field filter must have a value.');
      const path = parseFieldPath(field?.fieldPath);
      return isDocumentName(path) ? compileByName(op, value) : compileComparison(path, op, value);
    }
    default:
      throw invalid('A filter must have an operator.');
  }
}

function compileUnary(path: FieldPath, op: string | undefined): DocumentPredicate {
  switch (op) {
    case 'IS_NULL':
      return ({ fields }) => getField(fields, path)?.valueType === 'nullValue';
    case 'IS_NAN':
      return ({ fields }) => isNaNValue(getField(fields, path));
    case 'IS_NOT_NULL':
      return ({ fields }) => (getField(fields, path)?.valueType ?? 'nullValue') !== 'nullValue';
    case 'IS_NOT_NAN':
      return ({ fields }) => {
        const value = getField(fields, path);
        return value !== undefined && value.valueType !== 'nullValue' && !isNaNValue(value);
      };
    default:
      throw invalid('Unknown unary operator.');
  }
}

function compileComparison(path: FieldPath, op: string | undefined, operand: Value): DocumentPredicate {
  const accepts = comparison(op, operand);
  return ({ fields }) => {
    const value = getField(fields, path);
    return value !== undefined && accepts(value);
  };
}

function comparison(op: string | undefined, operand: Value): (value: Value) => boolean {
  const rank = typeRank(operand);
  // NaN has a place in the order of a result, but is neither less nor greater than anything.
  const comparable = (value: Value) => typeRank(value) === rank && !isNaNValue(value) && !isNaNValue(operand);
  switch (op) {
    case 'EQUAL':
      return (value) => valuesEqual(value, operand);
    case 'NOT_EQUAL':
      return (value) => value.valueType !== 'nullValue' && !valuesEqual(value, operand);
    case 'LESS_THAN':
      return (value) => comparable(value) && compareValues(value, operand) < 0;
    case 'LESS_THAN_OR_EQUAL':
      return (value) => comparable(value) && compareValues(value, operand) <= 0;
    case 'GREATER_THAN':
      return (value) => comparable(value) && compareValues(value, operand) > 0;
    case 'GREATER_THAN_OR_EQUAL':
      return (value) => comparable(value) && compareValues(value, operand) >= 0;
    case 'ARRAY_CONTAINS':
      return (value) => elementsOf(value).some((element) => valuesEqual(element, operand));
    case 'ARRAY_CONTAINS_ANY': {
      const wanted = operandList(op, operand, maxDisjunctions);
      return (value) => elementsOf(value).some((element) => wanted.some((one) => valuesEqual(element, one)));
    }
    case 'IN': {
      const wanted = operandList(op, operand, maxDisjunctions);
      return (value) => wanted.some((one) => valuesEqual(value, one));
    }
    case 'NOT_IN': {
      const unwanted = operandList(op, operand, maxNotInValues);
      // As in SQL, nothing is known to differ from null.
      if (unwanted.some((one) => one.valueType === 'nullValue')) return () => false;
      return (value) => value.valueType !== 'nullValue' && !unwanted.some((one) => valuesEqual(value, one));
    }
    default:
      throw invalid('Unknown field operator.');
  }
}

function compileByName(op: string | undefined, operand: Value): DocumentPredicate {
  if (op === 'IN' || op === 'NOT_IN') {
    const list = operandList(op, operand, op === 'IN' ? maxDisjunctions : maxNotInValues);
    const names = new Set(list.map(referencedName));
    return ({ name }) => names.has(name) === (op === 'IN');
  }
  const wanted = referencedName(operand);
  switch (op) {
    case 'EQUAL':
      return ({ name }) => name === wanted;
    case 'NOT_EQUAL':
      return ({ name }) => name !== wanted;
    case 'LESS_THAN':
      return ({ name }) => compareNames(name, wanted) < 0;
    case 'LESS_THAN_OR_EQUAL':
      return ({ name }) => compareNames(name, wanted) <= 0;
    case 'GREATER_THAN':
      return ({ name }) => compareNames(name, wanted) > 0;
    case 'GREATER_THAN_OR_EQUAL':
      return ({ name }) => compareNames(name, wanted) >= 0;
    default:
      throw invalid(`Operator ${op ?? ''} cannot be used with ${documentNameField}.`);
  }
}

function referencedName(operand: Value): string {
  if (operand.valueType !== 'referenceValue') throw invalid('__key__ filter value must be a Key');
  return operand.referenceValue;
}

function operandList(op: string, operand: Value, most: number): readonly Value[] {
  if (operand.valueType !== 'arrayValue') throw invalid(`'${op}' requires an ArrayValue.`);
  const values = elementsOf(operand);
  if (values.length === 0) throw invalid(`'${op}' requires an non-empty ArrayValue.`);
  if (values.length > most) throw invalid(`'${op}' supports up to ${most} comparison values.`);
  return values;
}

function elementsOf(value: Value | undefined): readonly Value[] {
  return value?.valueType === 'arrayValue' ? (value.arrayValue.values ?? []) : [];
}

function invalid(message: string): GrpcError {
  return new GrpcError(status.INVALID_ARGUMENT, message);
}
