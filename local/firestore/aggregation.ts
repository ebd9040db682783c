import { status } from '@grpc/grpc-js';
import { GrpcError } from '../grpc/server.ts';
import { type FieldPath, getField, parseFieldPath } from './field-path.ts';
import type { StoredDocument } from './store.ts';
import { isNumber, nullValue } from './values.ts';
import type { Aggregation, Fields, Value } from './wire.ts';

const maxAggregations = 5;
const int64Max = 2n ** 63n - 1n;
const int64Min = -(2n ** 63n);

export interface CheckedAggregation {
  readonly alias: string;
  /** Field that a document must have to be counted at all; undefined for a count. */
  readonly field: FieldPath | undefined;
  compute(documents: readonly StoredDocument[]): Value;
}

/**
 * @throws INVALID_ARGUMENT
 * @see https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#structuredaggregationquery
 */
export function parseAggregations(aggregations: readonly Aggregation[] = []): readonly CheckedAggregation[] {
  if (aggregations.length === 0) throw invalid('Aggregations can not be empty.');
  if (aggregations.length > maxAggregations) {
    throw invalid(
      `The maximum number of aggregations allowed in an aggregation query is ${maxAggregations}.`,
    );
  }
  const aliases = new Set<string>();
  let unnamed = 0;
  return aggregations.map((aggregation) => {
    const alias = aggregation.alias || `field_${++unnamed}`;
    if (aliases.has(alias)) throw invalid(`Duplicate aggregation alias "${alias}".`);
    aliases.add(alias);
    return { alias, ...parseOperator(aggregation) };
  });
}

/**
 * Aggregates over the documents that have every field that is aggregated: one index serves all of a query's
 * aggregations, and a document that lacks one of its fields is not in it.
 */
export function aggregate(
  aggregations: readonly CheckedAggregation[],
  documents: readonly StoredDocument[],
): Fields {
  const required = aggregations.flatMap(({ field }) => (field ? [field] : []));
  const counted =
    required.length === 0
      ? documents
      : documents.filter(({ fields }) => required.every((path) => getField(fields, path) !== undefined));
  return Object.fromEntries(aggregations.map(({ alias, compute }) => [alias, compute(counted)]));
}

function parseOperator(aggregation: Aggregation): Omit<CheckedAggregation, 'alias'> {
  switch (aggregation.operator) {
    case 'count': {
      const upTo = aggregation.count?.upTo && Number(aggregation.count.upTo.value ?? 0);
      if (upTo !== undefined && upTo <= 0) throw invalid('up_to must be positive.');
      return {
        field: undefined,
        compute: (documents) => integer(Math.min(documents.length, upTo ?? documents.length)),
      };
    }
    case 'sum': {
      const field = parseFieldPath(aggregation.sum?.field?.fieldPath);
      return { field, compute: (documents) => sum(numbersOf(documents, field)) };
    }
    case 'avg': {
      const field = parseFieldPath(aggregation.avg?.field?.fieldPath);
      return { field, compute: (documents) => average(numbersOf(documents, field)) };
    }
    default:
      throw invalid('An aggregation must count, sum or average.');
  }
}

type NumberValue = Extract<Value, { valueType: 'integerValue' | 'doubleValue' }>;

function numbersOf(documents: readonly StoredDocument[], path: FieldPath): NumberValue[] {
  return documents.map(({ fields }) => getField(fields, path)).filter(isNumber);
}

/** An exact integer as long as all are integers and it fits into 64 bits, else a double. */
function sum(numbers: readonly NumberValue[]): Value {
  let exact = 0n;
  let inexact = 0;
  let allIntegers = true;
  for (const number of numbers) {
    if (number.valueType === 'integerValue') exact += BigInt(number.integerValue);
    else {
      allIntegers = false;
      inexact += number.doubleValue;
    }
  }
  if (allIntegers && exact <= int64Max && exact >= int64Min) return integer(exact);
  return { valueType: 'doubleValue', doubleValue: Number(exact) + inexact };
}

function average(numbers: readonly NumberValue[]): Value {
  if (numbers.length === 0) return nullValue;
  const total = sum(numbers);
  const asDouble =
    total.valueType === 'doubleValue' ? total.doubleValue : Number(isNumber(total) ? total.integerValue : 0);
  return { valueType: 'doubleValue', doubleValue: asDouble / numbers.length };
}

function integer(value: number | bigint): Value {
  return { valueType: 'integerValue', integerValue: String(value) };
}

function invalid(message: string): GrpcError {
  return new GrpcError(status.INVALID_ARGUMENT, message);
}
