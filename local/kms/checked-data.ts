import { crc32c } from '../../shared/gcp/crc32c.ts';
import type { Message } from '../grpc/server.ts';
import { invalidArgument } from './errors.ts';

/** Of plaintexts and of additional authenticated data, for keys of the protection level SOFTWARE. */
const maximumBytes = 64 * 1024;

/** Bytes of a request, and whether the client sent a checksum, which is right then. */
export interface CheckedData {
  readonly data: Buffer;
  readonly verified: boolean;
}

/**
 * Reads a field of bytes with the field of its checksum.
 *
 * @param field in snake_case, as errors name it
 * @param maximum infinity where the service names none
 * @throws INVALID_ARGUMENT
 * @see https://cloud.google.com/kms/docs/data-integrity-guidelines
 */
export function checkedData(request: Message, field: string, maximum = maximumBytes): CheckedData {
  const name = field.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  const data = (request[name] as Buffer | undefined) ?? Buffer.alloc(0);
  if (data.length > maximum) {
    throw invalidArgument(`The field ${field} has ${data.length} bytes, and at most ${maximum} are allowed.`);
  }
  const sent = request[`${name}Crc32c`] as Message | null | undefined;
  if (!sent) return { data, verified: false };
  if (Number(sent['value'] ?? 0) !== crc32c(data)) {
    throw invalidArgument(`The checksum in field ${field}_crc32c did not match the data in field ${field}.`);
  }
  return { data, verified: true };
}

/** A checksum as answers have it: a google.protobuf.Int64Value. */
export function checksumOf(data: Buffer): Message {
  return { value: String(crc32c(data)) };
}
