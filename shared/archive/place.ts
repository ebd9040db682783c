import type { ObjectPlace } from '../gcp/storage/client.ts';
import { OperationError } from '../operation/errors.ts';

/**
 * The place of an archive: `gs://bucket/prefix/`.
 *
 * @throws OperationError `INVALID_MESSAGE`
 */
export function parseArchivePlace(uri: string): ObjectPlace {
  const [, bucket, name] =
    /^gs:\/\/([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])\/((?:[^/\r\n]+\/)+)$/.exec(uri) ?? [];
  if (bucket !== undefined && name !== undefined) return { bucket, name };
  throw new OperationError('INVALID_MESSAGE', `An archive's place is gs://bucket/prefix/, and not ${uri}.`);
}

/** An object of an archive. */
export function inArchive({ bucket, name }: ObjectPlace, object: string): ObjectPlace {
  return { bucket, name: name + object };
}

/**
 * The name of the object that a table's rows are in. Managed schemas have no dot in their names, so no two tables share
 * one; what names of objects should not have is encoded.
 *
 * @see https://cloud.google.com/storage/docs/objects#naming
 */
export function dataObjectName(schema: string, table: string): string {
  const plain = (name: string) =>
    encodeURIComponent(name).replace(
      /[*!'()~]/g,
      (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  return `data/${plain(schema)}.${plain(table)}.copy.gz`;
}
