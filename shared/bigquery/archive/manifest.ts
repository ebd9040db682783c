import * as z from 'zod';
import { OperationError } from '../../operation/errors.ts';

/** Writable fields of a table's resource, as the API has them. */
const settings = z.record(z.string(), z.unknown());

/** Of the format that is written and read. */
export const formatVersion = 1;

const manifest = z.object({
  format: z.literal('drover-dataset'),
  formatVersion: z.literal(formatVersion),
  project: z.string(),
  dataset: z.string(),
  tenant: z.string(),
  location: z.string(),
  /** Of the dataset. */
  settings,
  tables: z.array(
    z.object({
      id: z.string(),
      rows: z.number().int().min(0),
      /** Objects below the archive's prefix, as one name with a `*`: gzipped lines of JSON. Null where there are no rows. */
      objects: z.string().nullable(),
      /** How many they are. */
      files: z.number().int().min(0),
      /** The object with the schema alone, as `bq load` takes it. */
      schema: z.string(),
      settings,
    }),
  ),
  views: z.array(z.object({ id: z.string(), settings })),
  /** What has no rows of its own that could be exported: definitions only. */
  others: z.array(z.object({ id: z.string(), type: z.string(), definition: settings })),
});

/** What is in an archive of a dataset. It is written last: an archive without one is not whole. */
export type DatasetManifest = z.infer<typeof manifest>;

export const manifestName = 'dataset.json';

/**
 * @param where it was read, for people
 * @throws OperationError `ARCHIVE_DAMAGED`
 */
export function readManifest(text: string, where: string): DatasetManifest {
  try {
    return manifest.parse(JSON.parse(text));
  } catch (cause) {
    const what = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw new OperationError('ARCHIVE_DAMAGED', `${where} is not the manifest of a dataset: ${what}`, {
      cause,
    });
  }
}

/** What is written when something like it is made. */
export const tableSettings = [
  'friendlyName',
  'description',
  'labels',
  'schema',
  'timePartitioning',
  'rangePartitioning',
  'clustering',
  'requirePartitionFilter',
  'defaultCollation',
  'tableConstraints',
] as const;

export const viewSettings = ['friendlyName', 'description', 'labels', 'view'] as const;

export const datasetSettings = ['friendlyName', 'description', 'labels', 'defaultTableExpirationMs'] as const;

export function pick(resource: object, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(resource).filter(([name]) => names.includes(name)));
}
