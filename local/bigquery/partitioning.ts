import type { JsonObject } from '../http/json.ts';
import { invalid } from './errors.ts';
import { choiceOf, flagOf, int64Of, objectOf, required, supportOnly, textOf, textsOf } from './fields.ts';
import { type Field, fieldNamed, modeOf, type Schema } from './schema.ts';

export interface TimePartitioning {
  readonly type: 'HOUR' | 'DAY' | 'MONTH' | 'YEAR';
  /** Without one, the time at which a row came counts. */
  readonly field: string | undefined;
  /** Milliseconds that a partition is kept after it began. */
  readonly expirationMs: string | undefined;
  readonly requirePartitionFilter: boolean | undefined;
}

export interface Clustering {
  readonly fields: readonly string[];
}

const partitionTypes = ['TIMESTAMP', 'DATE', 'DATETIME'];
const clusterTypes = [...partitionTypes, 'STRING', 'INTEGER', 'NUMERIC', 'BIGNUMERIC', 'BOOLEAN'];
const maximumClusterFields = 4;

/**
 * @throws ApiError 400
 * @see https://cloud.google.com/bigquery/docs/partitioned-tables
 */
export function timePartitioningOf(
  object: JsonObject,
  schema: Schema | undefined,
): TimePartitioning | undefined {
  const given = objectOf(object, 'timePartitioning');
  if (given === undefined) return undefined;
  supportOnly('timePartitioning', given, ['type', 'field', 'expirationMs', 'requirePartitionFilter']);
  const partitioning = {
    type: choiceOf(given, 'type', ['HOUR', 'DAY', 'MONTH', 'YEAR']) ?? required('timePartitioning.type'),
    field: textOf(given, 'field'),
    expirationMs: int64Of(given, 'expirationMs'),
    requirePartitionFilter: flagOf(given, 'requirePartitionFilter'),
  };
  if (partitioning.field !== undefined) checkPartitionField(partitioning.type, partitioning.field, schema);
  return partitioning;
}

/**
 * @throws ApiError 400
 * @see https://cloud.google.com/bigquery/docs/clustered-tables#limitations
 */
export function clusteringOf(object: JsonObject, schema: Schema | undefined): Clustering | undefined {
  const given = objectOf(object, 'clustering');
  if (given === undefined) return undefined;
  supportOnly('clustering', given, ['fields']);
  const fields = textsOf(given, 'fields') ?? [];
  if (fields.length === 0 || fields.length > maximumClusterFields) {
    throw invalid(`Clustering needs 1 to ${maximumClusterFields} fields, not ${fields.length}`);
  }
  for (const name of fields) {
    const field = requireField(name, 'clustering', schema);
    if (modeOf(field) === 'REPEATED' || !clusterTypes.includes(field.type)) {
      throw invalid(`Field ${name} of type ${field.type} cannot be used for clustering`);
    }
  }
  return { fields };
}

/**
 * A table stays partitioned as it was made; only its partitions' expiration may change.
 *
 * @throws ApiError 400
 * @see https://cloud.google.com/bigquery/docs/managing-partitioned-tables
 */
export function requireSamePartitioning(
  current: TimePartitioning | undefined,
  next: TimePartitioning | undefined,
): void {
  if (specOf(current) === specOf(next)) return;
  if (current === undefined) throw invalid('Cannot convert non-partitioned table to partitioned table.');
  throw invalid(
    `Cannot change partitioning spec for a partitioned table: it is ${specOf(current)}, not ${specOf(next)}.`,
  );
}

function specOf(partitioning: TimePartitioning | undefined): string {
  if (partitioning === undefined) return 'none';
  const { type, field } = partitioning;
  return `interval(type:${type.toLowerCase()}${field ? `,field:${field}` : ''})`;
}

function checkPartitionField(type: TimePartitioning['type'], name: string, schema: Schema | undefined): void {
  const field = requireField(name, 'time partitioning', schema);
  const byHourOfDate = type === 'HOUR' && field.type === 'DATE';
  if (modeOf(field) === 'REPEATED' || !partitionTypes.includes(field.type) || byHourOfDate) {
    throw invalid(`Field ${name} of type ${field.type} cannot be used for partitioning by ${type}`);
  }
}

function requireField(name: string, purpose: string, schema: Schema | undefined): Field {
  const field = fieldNamed(schema?.fields ?? [], name);
  if (field) return field;
  throw invalid(`The field specified for ${purpose} cannot be found in the schema. Invalid field: ${name}.`);
}
