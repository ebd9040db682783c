import type { Content } from './content.ts';
import { invalid } from './errors.ts';

/** What a client says the checksums of its content are, in base64. */
export interface Checksums {
  readonly crc32c?: unknown;
  readonly md5Hash?: unknown;
}

/** Those of an `X-Goog-Hash` header: `crc32c=…,md5=…`. */
export function checksumsOf(header: string | string[] | undefined): Checksums {
  const pairs = [header ?? []]
    .flat()
    .flatMap((value) => value.split(','))
    .map((pair) => {
      const [, name = '', value = ''] = /^\s*(\w+)=(.*?)\s*$/.exec(pair) ?? [];
      return [name === 'md5' ? 'md5Hash' : name, value] as const;
    });
  return Object.fromEntries(pairs);
}

/** @throws ApiError 400 where content isn't what the client meant to send */
export function verifyChecksums(content: Content, ...expected: readonly Checksums[]): void {
  for (const { crc32c = content.crc32c, md5Hash = content.md5Hash } of expected) {
    if (crc32c !== content.crc32c) {
      throw invalid(`Provided CRC32C "${crc32c}" doesn't match calculated CRC32C "${content.crc32c}".`);
    }
    if (md5Hash !== content.md5Hash) {
      throw invalid(`Provided MD5 hash "${md5Hash}" doesn't match calculated MD5 hash "${content.md5Hash}".`);
    }
  }
}
