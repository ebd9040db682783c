import type { Readable } from 'node:stream';
import { Allowance } from './allowance.ts';
import { CurrentEntry } from './current.ts';
import { Damage, explainDamage } from './damage.ts';
import { type Archive, type ArchiveLimits, archiveRefused, type Entry } from './entries.ts';
import { checkTarget, namesFolder, parsePath, quoted } from './paths.ts';
import { commitOf, type Overrides, overridesOf } from './pax.ts';
import { Root } from './root.ts';
import { blockBytes, isEmpty, parseHeader, type TarHeader } from './tar-header.ts';
import { Unpacked } from './unpacked.ts';

export interface TarOptions {
  readonly limits: ArchiveLimits;
  /** Whether a damaged one may be whole when it is read again. */
  readonly retryable: boolean;
  readonly signal: AbortSignal;
  /** The folder in which everything is; `''` for none. By default the first entry tells: see {@link Root}. */
  readonly root?: string | undefined;
  /** What an error of the source means. By default it is thrown as it is. */
  readonly explain?: (error: unknown) => unknown;
}

/** Of names, times and the like. */
const longestHeaderBytes = 1024 * 1024;

/** Writers fill their last record: of 10 KiB, as most do, or of what a tape once liked. */
const longestEndBytes = 1024 * 1024;

/**
 * Reads a `.tar.gz` as it arrives. It can be iterated over once; leaving the iteration closes the source. In memory
 * there is never more than some chunks of it, and the content that was asked for: look at an entry's `bytes` before.
 *
 * This is a reader of its own, because those that unpack archives mend what they read: cut a name at its NUL, replace
 * what isn't UTF-8, take the end of the file for the end of the archive. Here each of these is an error.
 *
 * While it is iterated over it throws:
 * - OperationError `ARCHIVE_REFUSED` for what is hostile or beyond the limits, `ARCHIVE_DAMAGED` for what is no archive
 *   or not all of one;
 * - {@link RootMismatch} where no root was given, and the first entry was a folder that not all others are in;
 * - the source's own errors as they are or as `explain` has them, and the signal's reason.
 */
export function readTar(gzipped: Readable, options: TarOptions): Archive {
  return new TarArchive(gzipped, options);
}

class TarArchive implements Archive {
  commit: string | undefined;
  readonly #retryable: boolean;
  readonly #signal: AbortSignal;
  readonly #input: Unpacked;
  readonly #allowance: Allowance;
  readonly #root: Root;
  readonly #block = Buffer.alloc(blockBytes);
  #begun = false;

  constructor(gzipped: Readable, { limits, retryable, signal, root, explain }: TarOptions) {
    this.#retryable = retryable;
    this.#signal = signal;
    this.#input = new Unpacked(gzipped, signal, explain);
    this.#allowance = new Allowance(limits);
    this.#root = new Root(root);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Entry, void, void> {
    if (this.#begun) throw new Error('an archive is read once');
    this.#begun = true;
    try {
      for (;;) {
        this.#signal.throwIfAborted();
        const header = await this.#header();
        if (header === undefined) break;
        const entry = this.#entry(header);
        if (entry === undefined) continue;
        yield entry;
        if (!(await entry.pass())) await this.#skip(header.bytes);
      }
      await this.#end();
    } catch (error) {
      throw explainDamage(error, this.#retryable);
    } finally {
      this.#input.close();
    }
  }

  /** The next entry's header, with what the headers before it say of it; undefined at the archive's end. */
  async #header(): Promise<TarHeader | undefined> {
    let overrides: Overrides | undefined;
    for (;;) {
      await this.#fill(this.#block);
      if (isEmpty(this.#block)) {
        if (overrides) throw new Damage('it ends after the header of an entry that isn’t there');
        return undefined;
      }
      this.#allowance.entries();
      const header = parseHeader(this.#block);
      switch (header.type) {
        case 'g':
          this.#note(commitOf(await this.#text(header)));
          break;
        case 'x':
          overrides = { ...overrides, ...overridesOf(await this.#text(header)) };
          break;
        case 'L':
          overrides = { ...overrides, name: withoutEnd(await this.#text(header)) };
          break;
        case 'K':
          overrides = { ...overrides, target: withoutEnd(await this.#text(header)) };
          break;
        default:
          return overrides ? { ...header, ...overrides } : header;
      }
    }
  }

  #note(commit: string | undefined): void {
    this.commit ??= commit;
  }

  /** Undefined for a folder. */
  #entry({ type, name, target, bytes }: TarHeader): CurrentEntry | undefined {
    const isFolder = type === '5' || (isFile(type) && namesFolder(name));
    const path = this.#root.strip(parsePath(name), isFolder);
    if (type === '1') throw archiveRefused('link', `${quoted(name)} is a hard link`, { path });
    if (!isFolder && type !== '2' && !isFile(type)) {
      const message = `${quoted(name)} is neither a file nor a folder nor a symbolic link, but of type ${quoted(type)}`;
      throw archiveRefused('kind', message, { path });
    }
    // Readers don't agree on whether this content is there at all, and so on where the next header is.
    if ((isFolder || type === '2') && bytes > 0)
      throw archiveRefused('kind', `${quoted(name)} is no file and has content`, { path });
    if (isFolder) return undefined;
    if (path === '') throw archiveRefused('path', `${quoted(name)} is a file that has a folder’s name`);
    if (namesFolder(name)) throw archiveRefused('path', `${quoted(name)} is a link that has a folder’s name`);
    this.#allowance.path(path);
    // No more than its header promises is ever read: to count that is to count what comes, only earlier.
    this.#allowance.bytes(bytes);
    if (type !== '2') return new CurrentEntry(path, 'file', bytes, () => this.#content(bytes));
    checkTarget(path, target);
    return new CurrentEntry(path, 'link', target.length, async () => target);
  }

  /** The text of a header that is about another. */
  async #text({ bytes }: TarHeader): Promise<Buffer> {
    if (bytes > longestHeaderBytes)
      throw archiveRefused(
        'bytes',
        `it has a header of ${bytes} bytes, where names and times have some hundred`,
      );
    this.#allowance.bytes(bytes);
    return this.#read(bytes);
  }

  async #content(bytes: number): Promise<Buffer> {
    try {
      return await this.#read(bytes);
    } catch (error) {
      throw explainDamage(error, this.#retryable);
    }
  }

  async #read(bytes: number): Promise<Buffer> {
    let content = this.#input.view(bytes);
    if (content === undefined) {
      content = Buffer.allocUnsafe(bytes);
      await this.#fill(content);
    }
    await this.#skip(bytes, bytes);
    return content;
  }

  /** Passes over what is left of an entry, and over what fills its last block. */
  async #skip(bytes: number, read = 0): Promise<void> {
    const filled = Math.ceil(bytes / blockBytes) * blockBytes;
    if (!(await this.#input.skip(filled - read))) throw this.#short();
  }

  async #fill(target: Buffer): Promise<void> {
    if (!(await this.#input.fill(target))) throw this.#short();
  }

  #short(): Damage {
    return new Damage(`it ends too early, after ${this.#input.position} unpacked bytes`);
  }

  /** After the first empty block. Reads on, for gzip's own checksum comes last. */
  async #end(): Promise<void> {
    await this.#fill(this.#block);
    if (!isEmpty(this.#block)) throw new Damage('it goes on after an empty block');
    const begin = this.#input.position;
    for (let rest = await this.#input.rest(); rest !== undefined; rest = await this.#input.rest()) {
      if (rest.some((byte) => byte !== 0)) throw new Damage('it has something after its end');
      if (this.#input.position - begin > longestEndBytes)
        throw archiveRefused('bytes', 'after its end, it has more emptiness than an archive needs');
    }
  }
}

/** Of today, of the tar before POSIX, and of one that is to be in one piece on its medium. */
function isFile(type: string): boolean {
  return type === '0' || type === '\0' || type === '7';
}

/** GNU tar ends its texts with a NUL. */
function withoutEnd(text: Buffer): Buffer {
  return text.at(-1) === 0 ? text.subarray(0, -1) : text;
}
