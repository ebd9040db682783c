/**
 * An etag as the service makes it: the message of its numbers in protobuf's wire format, in base64.
 *
 * @param numbers the fields 1, 2, …
 */
export function etagOf(...numbers: readonly number[]): string {
  const bytes = numbers.flatMap((number, index) => [(index + 1) << 3, ...varint(number)]);
  return Buffer.from(bytes).toString('base64');
}

/** @see https://protobuf.dev/programming-guides/encoding/#varints */
function varint(number: number): number[] {
  const rest = Math.floor(number / 128);
  return rest === 0 ? [number] : [(number % 128) + 128, ...varint(rest)];
}
