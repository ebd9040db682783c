import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bytes, bytesInFile, bytesInMemory } from './bytes.ts';
import { crc32c, encodeCrc32c } from './crc32c.ts';

/** The content of an object. */
export interface Content {
  readonly size: number;
  readonly crc32c: string;
  /** Absent of an object that was composed of others. */
  readonly md5Hash?: string;
  readonly bytes: Bytes;
}

/** Content beyond this size is kept in a file. */
const memoryLimit = 256 * 1024;

/** Where contents are kept: small ones in memory, others in a directory that goes with it. */
export class ContentStore {
  #directory: string | undefined;

  writer(): ContentWriter {
    return new ContentWriter(() => this.#newPath());
  }

  async close(): Promise<void> {
    if (this.#directory !== undefined) await rm(this.#directory, { recursive: true, force: true });
  }

  #newPath(): string {
    this.#directory ??= mkdtempSync(join(tmpdir(), 'local-storage-'));
    return join(this.#directory, randomUUID());
  }
}

/** Takes content as it comes. */
export class ContentWriter {
  readonly #newPath: () => string;
  readonly #md5 = createHash('md5');
  #crc32c = 0;
  #size = 0;
  #chunks: Buffer[] = [];
  #file: { readonly path: string; readonly handle: FileHandle } | undefined;

  constructor(newPath: () => string) {
    this.#newPath = newPath;
  }

  get size(): number {
    return this.#size;
  }

  async write(chunk: Buffer): Promise<void> {
    this.#md5.update(chunk);
    this.#crc32c = crc32c(chunk, this.#crc32c);
    this.#size += chunk.length;
    this.#chunks.push(chunk);
    if (this.#size > memoryLimit) await this.#spill();
  }

  /** Nothing can be written afterwards. */
  async finish(): Promise<Content> {
    const bytes = this.#file
      ? bytesInFile(this.#file.path, this.#newPath)
      : bytesInMemory(Buffer.concat(this.#chunks));
    await this.#file?.handle.close();
    return {
      size: this.#size,
      crc32c: encodeCrc32c(this.#crc32c),
      md5Hash: this.#md5.digest('base64'),
      bytes,
    };
  }

  async abandon(): Promise<void> {
    this.#chunks = [];
    await this.#file?.handle.close();
    if (this.#file) await rm(this.#file.path, { force: true });
  }

  async #spill(): Promise<void> {
    const chunks = this.#chunks.splice(0);
    if (this.#file === undefined) {
      const path = this.#newPath();
      this.#file = { path, handle: await open(path, 'wx') };
    }
    await this.#file.handle.appendFile(Buffer.concat(chunks));
  }
}
