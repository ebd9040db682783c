/**
 * COPY's binary format: values as they are, with their lengths, so that nothing has to be escaped.
 *
 * @see https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY-FORMAT
 */
export const copyHeader = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);

/** Ends the rows. */
export const copyEnd = Buffer.from([0xff, 0xff]);

/** Before a value of the type jsonb comes the version of its format. */
const jsonbVersion = 1;

/** One row of values that are text; `true` says that the column is of type jsonb. */
export function binaryRow(
  values: readonly (readonly [value: string | undefined, isJsonb: boolean])[],
): Buffer {
  let bytes = 2;
  const lengths = values.map(([value, isJsonb]) => {
    const length = value === undefined ? -1 : Buffer.byteLength(value) + (isJsonb ? 1 : 0);
    bytes += 4 + Math.max(0, length);
    return length;
  });
  const row = Buffer.allocUnsafe(bytes);
  let at = row.writeInt16BE(values.length);
  values.forEach(([value, isJsonb], index) => {
    at = row.writeInt32BE(lengths[index] ?? -1, at);
    if (value === undefined) return;
    if (isJsonb) at = row.writeUInt8(jsonbVersion, at);
    at += row.write(value, at);
  });
  return row;
}
