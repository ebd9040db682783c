import { hash } from 'node:crypto';
import { type ArchiveLimits, archiveRefused } from './entries.ts';
import { quoted } from './paths.ts';

/** Of 96 bits, which nobody finds two names for; a string of twelve characters is no view of a longer one. */
const digestLength = 12;

/** Counts what an archive has, and refuses it as soon as that is too much. */
export class Allowance {
  readonly #limits: ArchiveLimits;
  #entries = 0;
  #bytes = 0;
  /** Of digests and not of paths: so an archive of many long names takes no more memory than one of as many short ones. */
  readonly #paths = new Set<string>();

  constructor(limits: ArchiveLimits) {
    this.#limits = limits;
  }

  /** @param count of whatever takes a reader's time: files, folders, headers */
  entries(count = 1): void {
    this.#entries += count;
    if (this.#entries <= this.#limits.entries) return;
    throw archiveRefused('entries', `it has more than ${this.#limits.entries} entries`, {
      limit: this.#limits.entries,
    });
  }

  /** @param count of what is unpacked, whether anybody reads it or not */
  bytes(count: number): void {
    this.#bytes += count;
    if (this.#bytes <= this.#limits.bytes) return;
    throw archiveRefused('bytes', `unpacked, it has more than ${this.#limits.bytes} bytes`, {
      limit: this.#limits.bytes,
    });
  }

  /** Which of two contents a path has would be for each reader to choose. */
  path(path: string): void {
    const digest = hash('sha256', path, 'binary').slice(0, digestLength);
    if (this.#paths.has(digest)) throw archiveRefused('path', `it has ${quoted(path)} twice`, { path });
    this.#paths.add(digest);
  }
}
