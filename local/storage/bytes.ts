import { createReadStream, linkSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Readable } from 'node:stream';

/** Bytes that never change. Nothing here waits, so that nobody removes them in between. */
export interface Bytes {
  /** @param end the offset after the last byte; nothing is read only of what has no bytes */
  read(start: number, end: number): Readable;
  /** The same bytes, which stay when these are removed. */
  copy(): Bytes;
  /** What is being read can still be read to its end. */
  remove(): Promise<void>;
}

export function bytesInMemory(bytes: Buffer): Bytes {
  return {
    read: (start, end) => Readable.from(start < end ? [bytes.subarray(start, end)] : []),
    copy: () => bytesInMemory(bytes),
    remove: async () => undefined,
  };
}

/** @param newPath a path beside it that is free */
export function bytesInFile(path: string, newPath: () => string): Bytes {
  return {
    read: (start, end) => createReadStream(path, { fd: openSync(path, 'r'), start, end: end - 1 }),
    copy() {
      const other = newPath();
      linkSync(path, other);
      return bytesInFile(other, newPath);
    },
    remove: () => rm(path, { force: true }),
  };
}
