import { promisify } from 'node:util';
import { crc32, inflateRaw, inflateRawSync } from 'node:zlib';
import { Allowance } from './allowance.ts';
import { Blocks, type RandomAccess } from './blocks.ts';
import { CurrentEntry } from './current.ts';
import { Damage, explainDamage } from './damage.ts';
import { type Archive, type ArchiveLimits, archiveRefused, type Entry, longestPathBytes } from './entries.ts';
import { checkTarget, quoted } from './paths.ts';
import { asCommit } from './pax.ts';
import { CommonRoot, Root } from './root.ts';
import { ZipDirectory, type ZipMember } from './zip-directory.ts';

export interface ZipOptions {
  readonly limits: ArchiveLimits;
  /** Whether a damaged one may be whole when it is read again. */
  readonly retryable: boolean;
  readonly signal: AbortSignal;
  /** The folder in which everything is; `''` for none. By default it is the one in which everything is. */
  readonly root?: string | undefined;
}

const inflate = promisify(inflateRaw);

/** So much is unpacked faster than handed to another thread and back. */
const smallBytes = 256 * 1024;

/**
 * Reads a zip file in the order of its directory, which it reads twice: before the first entry is given, all names and
 * sizes were looked at, so that what is hostile is refused before anything is unpacked.
 *
 * It throws as {@link readTar} does, except `RootMismatch`: the root is known from the beginning.
 */
export function readZip(reader: RandomAccess, options: ZipOptions): Archive {
  return new ZipArchive(reader, options);
}

class ZipArchive implements Archive {
  commit: string | undefined;
  readonly #blocks: Blocks;
  readonly #options: ZipOptions;
  #begun = false;

  constructor(reader: RandomAccess, options: ZipOptions) {
    this.#blocks = new Blocks(reader);
    this.#options = options;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Entry, void, void> {
    if (this.#begun) throw new Error('an archive is read once');
    this.#begun = true;
    const { signal, retryable } = this.#options;
    try {
      signal.throwIfAborted();
      const root = await this.#check();
      const directory = await ZipDirectory.open(this.#blocks);
      this.commit = asCommit(directory.comment);
      for await (const member of directory.members()) {
        signal.throwIfAborted();
        const path = root.strip(member.path, member.kind === 'folder');
        if (member.kind === 'folder') continue;
        const entry = await this.#entry(directory, member, path);
        yield entry;
        await entry.pass();
      }
    } catch (error) {
      signal.throwIfAborted();
      throw explainDamage(error, retryable);
    }
  }

  /** Looks at everything that the directory says. */
  async #check(): Promise<Root> {
    const { limits, root: given, signal } = this.#options;
    const allowance = new Allowance(limits);
    const directory = await ZipDirectory.open(this.#blocks);
    if (directory.entries > limits.entries) allowance.entries(directory.entries);
    const common = new CommonRoot();
    const places = new Places();
    for await (const { path, kind, record } of directory.members()) {
      signal.throwIfAborted();
      allowance.entries();
      if (!isPlausible(record)) throw new Damage(`${quoted(path)} is larger packed than unpacked`);
      // No more than the directory promises is ever unpacked.
      allowance.bytes(record.uncompressedSize);
      if (kind !== 'folder') allowance.path(path);
      common.add(path, kind === 'folder');
      places.add(record.relativeOffsetOfLocalHeader, record.fileNameLength + record.compressedSize);
    }
    places.check(directory.start);
    return new Root(given ?? common.root);
  }

  async #entry(directory: ZipDirectory, member: ZipMember, path: string): Promise<CurrentEntry> {
    const { kind, record } = member;
    if (path === '')
      throw archiveRefused('path', `${quoted(member.path)} is a file that has a folder’s name`);
    if (kind === 'file')
      return new CurrentEntry(path, kind, record.uncompressedSize, () => this.#content(directory, member));
    if (record.uncompressedSize > longestPathBytes)
      throw archiveRefused(
        'link',
        `the symbolic link ${quoted(path)} points to nothing that a path can name`,
      );
    const target = await this.#read(directory, member);
    checkTarget(path, target);
    return new CurrentEntry(path, 'link', target.length, async () => target);
  }

  async #content(directory: ZipDirectory, member: ZipMember): Promise<Buffer> {
    try {
      return await this.#read(directory, member);
    } catch (error) {
      this.#options.signal.throwIfAborted();
      throw explainDamage(error, this.#options.retryable);
    }
  }

  async #read(directory: ZipDirectory, { path, record }: ZipMember): Promise<Buffer> {
    const start = await directory.contentStart(record);
    const packed = Buffer.allocUnsafe(record.compressedSize);
    await this.#blocks.fill(packed, start);
    const content =
      record.compressionMethod === 0 ? packed : await unpack(packed, record.uncompressedSize, path);
    if (content.length !== record.uncompressedSize)
      throw new Damage(`${quoted(path)} is shorter than its directory says`);
    if (crc32(content) !== record.crc32) throw new Damage(`${quoted(path)} has another checksum`);
    return content;
  }
}

async function unpack(packed: Buffer, bytes: number, path: string): Promise<Buffer> {
  try {
    const options = { maxOutputLength: Math.max(bytes, 1) };
    return bytes <= smallBytes ? inflateRawSync(packed, options) : await inflate(packed, options);
  } catch (error) {
    const isLonger = error instanceof RangeError;
    const what = isLonger ? 'is longer than its directory says' : 'can’t be unpacked';
    throw new Damage(`${quoted(path)} ${what}`, { cause: error });
  }
}

/** Before an entry's name and content. */
const localHeaderBytes = 30;

/** Where in the file its entries are. Those of a bomb share what they unpack. */
class Places {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  add(start: number, bytes: number): void {
    this.#starts.push(start);
    this.#ends.push(start + localHeaderBytes + bytes);
  }

  /** @param end of the last of them at most */
  check(end: number): void {
    const starts = this.#starts.sort(ascending);
    const ends = this.#ends.sort(ascending);
    // None overlaps another just when each begins where as many as are before it have ended.
    if (ends.some((at, index) => at > (starts[index + 1] ?? end))) throw new Damage('its entries overlap');
  }
}

const ascending = (a: number, b: number) => a - b;

/** Whether deflate makes so much of a file, whatever is in it: what is more would be in memory for nothing. */
function isPlausible({ compressedSize, uncompressedSize }: ZipMember['record']): boolean {
  return compressedSize <= uncompressedSize * 1.25 + 1024;
}
