import type { JsonObject } from '../http/json.ts';
import { invalid } from './errors.ts';
import { flagOf, int64Of, objectOf, requiredText, supportOnly, textOf } from './fields.ts';
import { type Labels, labelsOf } from './labels.ts';
import { type Clustering, clusteringOf, type TimePartitioning, timePartitioningOf } from './partitioning.ts';
import { type Schema, schemaOf } from './schema.ts';

/** What may change, or is given when a table is made. Times are milliseconds since the epoch, as text. */
export interface TableSettings {
  readonly friendlyName: string | undefined;
  readonly description: string | undefined;
  readonly labels: Labels | undefined;
  readonly schema: Schema | undefined;
  readonly expirationTime: string | undefined;
  readonly timePartitioning: TimePartitioning | undefined;
  readonly clustering: Clustering | undefined;
  readonly requirePartitionFilter: boolean | undefined;
  readonly view: View | undefined;
}

export interface View {
  readonly query: string;
  readonly useLegacySql: boolean;
}

const given = [
  'friendlyName',
  'description',
  'labels',
  'schema',
  'expirationTime',
  'timePartitioning',
  'clustering',
  'requirePartitionFilter',
  'view',
];

/** In requests they change nothing, as in the service. */
const outputOnly = [
  'kind',
  'etag',
  'id',
  'selfLink',
  'type',
  'location',
  'tableReference',
  'creationTime',
  'lastModifiedTime',
  'numRows',
  'numBytes',
  'streamingBuffer',
];

/**
 * @throws ApiError 400
 * @see https://cloud.google.com/bigquery/docs/reference/rest/v2/tables
 */
export function readTableSettings(body: JsonObject): TableSettings {
  supportOnly('a table', body, [...given, ...outputOnly]);
  const schema = schemaOf(body);
  const view = viewOf(body);
  if (view && schema) throw invalid("Schema field shouldn't be used as input with a view");
  const timePartitioning = timePartitioningOf(body, schema);
  const requirePartitionFilter =
    flagOf(body, 'requirePartitionFilter') ?? timePartitioning?.requirePartitionFilter;
  if (requirePartitionFilter && !timePartitioning) {
    throw invalid('requirePartitionFilter can only be set on a partitioned table');
  }
  return {
    friendlyName: textOf(body, 'friendlyName'),
    description: textOf(body, 'description'),
    labels: labelsOf(body),
    schema,
    expirationTime: int64Of(body, 'expirationTime'),
    timePartitioning,
    clustering: clusteringOf(body, schema),
    requirePartitionFilter,
    view,
  };
}

/** The query is kept as it is: there is nothing here that could check it. */
function viewOf(body: JsonObject): View | undefined {
  const view = objectOf(body, 'view');
  if (view === undefined) return undefined;
  supportOnly('a view', view, ['query', 'useLegacySql']);
  return { query: requiredText(view, 'query'), useLegacySql: flagOf(view, 'useLegacySql') ?? true };
}
