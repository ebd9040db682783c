import { crc32 } from 'node:zlib';
import {
  fromRandomAccessReaderPromise,
  RandomAccessReader,
  type ZipFile,
  type Entry as ZipRecord,
} from 'yauzl';
import type { Blocks } from './blocks.ts';
import { Damage } from './damage.ts';
import { archiveRefused } from './entries.ts';
import { namesFolder, parsePath, quoted } from './paths.ts';

/** What a zip's directory says of one of its entries. */
export interface ZipMember {
  /** From the archive's own folder. */
  readonly path: string;
  readonly kind: 'file' | 'link' | 'folder';
  readonly record: ZipRecord;
}

/** Bytes for yauzl, from blocks that are read once for many entries. */
class BlockReader extends RandomAccessReader {
  readonly #blocks: Blocks;
  #failure: { readonly error: unknown } | undefined;

  constructor(blocks: Blocks) {
    super();
    this.#blocks = blocks;
  }

  /** Its declared type leaves out how many bytes there were. */
  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    const there = Math.max(0, Math.min(length, this.#blocks.bytes - position));
    const target = buffer.subarray(offset, offset + there);
    if (there < length || this.#blocks.copy(target, position)) {
      callback(null, there);
      return;
    }
    this.#blocks.fill(target, position).then(
      () => callback(null, there),
      (error: unknown) => {
        this.#failure = { error };
        callback(error as Error);
      },
    );
  }

  /** @returns what went wrong: where it wasn't reading, it is the archive that can't be understood */
  explain(error: unknown): unknown {
    if (this.#failure) return this.#failure.error;
    if (!(error instanceof Error)) return error;
    if (/strong encryption/.test(error.message))
      return archiveRefused('encrypted', 'it has an encrypted file');
    return new Damage(`it is not all of a zip file, or none (${error.message})`, { cause: error });
  }
}

/** A zip's directory, which is at its end and can be read again and again. */
export class ZipDirectory {
  readonly #file: ZipFile;
  readonly #reader: BlockReader;
  readonly #blocks: Blocks;
  /** Where it begins in the file. */
  readonly start: number;

  private constructor(blocks: Blocks, reader: BlockReader, file: ZipFile) {
    this.#blocks = blocks;
    this.#reader = reader;
    this.#file = file;
    this.start = cursorOf(file);
  }

  /** @throws Damage; errors of reading as they are; so does everything here */
  static async open(blocks: Blocks): Promise<ZipDirectory> {
    const reader = new BlockReader(blocks);
    try {
      // Names as they are: decoded, they would be mended.
      const options = { decodeStrings: false, autoClose: false };
      return new ZipDirectory(
        blocks,
        reader,
        await fromRandomAccessReaderPromise(reader, blocks.bytes, options),
      );
    } catch (error) {
      throw reader.explain(error);
    }
  }

  /** How many entries it says it has. */
  get entries(): number {
    return this.#file.entryCount;
  }

  /** What its maker noted on it; where its strings aren't decoded it is bytes, which its type doesn't say. */
  get comment(): Buffer {
    return this.#file.comment as unknown as Buffer;
  }

  /** Reads it once. */
  async *members(): AsyncGenerator<ZipMember, void, void> {
    const records = this.#file.eachEntry();
    try {
      for (;;) {
        const { done, value } = await records.next().catch((error: unknown) => {
          throw this.#reader.explain(error);
        });
        if (done) break;
        yield memberOf(value);
      }
    } finally {
      await records.return?.();
    }
    await this.#checkEnd();
  }

  /** Where an entry's content begins. */
  async contentStart(record: ZipRecord): Promise<number> {
    try {
      return (await this.#file.readLocalFileHeaderPromise(record, { minimal: true })).fileDataStart;
    } catch (error) {
      throw this.#reader.explain(error);
    }
  }

  /**
   * Behind its last entry is what ends the archive: else it has more entries than it says, as where somebody counted them
   * in two bytes.
   */
  async #checkEnd(): Promise<void> {
    const cursor = cursorOf(this.#file);
    const signature = Buffer.alloc(4);
    if (cursor + 4 <= this.#blocks.bytes) await this.#blocks.fill(signature, cursor);
    if (!endSignatures.has(signature.readUInt32LE())) throw new Damage('it has more entries than it says');
  }
}

/** Where it reads next, which its type doesn't say. */
function cursorOf(file: ZipFile): number {
  return file.readEntryCursor as unknown as number;
}

/** Of the record at the end, and of the one before it in an archive of more than 4 GiB or 65,535 entries. */
const endSignatures: ReadonlySet<number> = new Set([0x06054b50, 0x06064b50]);

function memberOf(record: ZipRecord): ZipMember {
  const name = nameOf(record);
  const path = parsePath(name);
  if (record.isEncrypted()) throw archiveRefused('encrypted', `${quoted(name)} is encrypted`, { path });
  if (!record.canDecodeFileData()) {
    const message = `${quoted(name)} is compressed in a way (${record.compressionMethod}) that Drover can’t undo; compress it with deflate`;
    throw archiveRefused('kind', message, { path });
  }
  const kind = kindOf(record, name);
  if (kind === 'folder' && record.uncompressedSize > 0)
    throw archiveRefused('kind', `${quoted(name)} is no file and has content`, { path });
  if (kind !== 'folder' && path === '')
    throw archiveRefused('path', `${quoted(name)} is a file that has a folder’s name`);
  return { path, kind, record };
}

/** Info-ZIP notes the name in UTF-8 beside one in another encoding, if it still belongs to that. */
function nameOf({ fileNameRaw, extraFields }: ZipRecord): Buffer {
  const unicode = extraFields.find(({ id }) => id === 0x7075)?.data;
  const isFor =
    unicode && unicode.length > 5 && unicode[0] === 1 && unicode.readUInt32LE(1) === crc32(fileNameRaw);
  return isFor ? unicode.subarray(5) : fileNameRaw;
}

/** Systems whose attributes of a file have a Unix mode in their upper half: Unix and macOS. */
const unix: ReadonlySet<number> = new Set([3, 19]);

function kindOf({ versionMadeBy, externalFileAttributes }: ZipRecord, name: Buffer): ZipMember['kind'] {
  const type = unix.has(versionMadeBy >> 8) ? (externalFileAttributes >>> 16) & 0o170000 : 0;
  switch (type) {
    case 0o040000:
      return 'folder';
    case 0:
    case 0o100000:
      return namesFolder(name) ? 'folder' : 'file';
    case 0o120000:
      return 'link';
    default:
      throw archiveRefused('kind', `${quoted(name)} is neither a file nor a folder nor a symbolic link`);
  }
}
