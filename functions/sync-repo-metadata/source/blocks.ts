/** Something of a known length that can be read from anywhere. */
export interface RandomAccess {
  readonly bytes: number;
  /** @param end exclusive */
  read(start: number, end: number): Promise<Buffer>;
}

/** So many at once hold the directory of an archive and two places in its content. */
const defaults = { blockBytes: 4 * 1024 * 1024, kept: 4 };

/**
 * Reads large blocks where small pieces are asked for, and keeps those that were used last. Where one is used after the one
 * before it, the next is read already.
 */
export class Blocks {
  readonly #source: RandomAccess;
  readonly #blockBytes: number;
  readonly #kept: number;
  /** The one that was used last comes last. */
  readonly #blocks = new Map<number, Buffer>();
  readonly #reading = new Map<number, Promise<Buffer>>();
  #last = -1;

  constructor(source: RandomAccess, { blockBytes, kept } = defaults) {
    this.#source = source;
    this.#blockBytes = blockBytes;
    this.#kept = kept;
  }

  get bytes(): number {
    return this.#source.bytes;
  }

  /**
   * Without waiting, where all of it is here already.
   *
   * @returns whether it was
   */
  copy(target: Buffer, start: number): boolean {
    const first = this.#indexOf(start);
    const last = this.#indexOf(start + target.length - 1);
    for (let index = first; index <= last; index += 1) if (!this.#blocks.has(index)) return false;
    for (let index = first; index <= last; index += 1) this.#copyFrom(index, target, start);
    return true;
  }

  /** @param target as long as what is read, which must be within the source */
  async fill(target: Buffer, start: number): Promise<void> {
    if (target.length === 0 || this.copy(target, start)) return;
    const last = this.#indexOf(start + target.length - 1);
    for (let index = this.#indexOf(start); index <= last; index += 1) {
      if (!this.#blocks.has(index)) await this.#load(index);
      this.#copyFrom(index, target, start);
    }
  }

  #indexOf(position: number): number {
    return Math.floor(position / this.#blockBytes);
  }

  #copyFrom(index: number, target: Buffer, start: number): void {
    const block = this.#use(index);
    const from = start - index * this.#blockBytes;
    block.copy(target, Math.max(-from, 0), Math.max(from, 0));
  }

  #use(index: number): Buffer {
    const block = this.#blocks.get(index);
    if (block === undefined) throw new Error(`block ${index} isn’t there`);
    if (index === this.#last) return block;
    this.#blocks.delete(index);
    this.#blocks.set(index, block);
    if (this.#blocks.has(index - 1)) this.#readAhead(index + 1);
    this.#last = index;
    return block;
  }

  #readAhead(index: number): void {
    if (index * this.#blockBytes >= this.bytes || this.#blocks.has(index)) return;
    // Who uses it is told what went wrong, for it asks again.
    this.#load(index).catch(() => undefined);
  }

  #load(index: number): Promise<Buffer> {
    let reading = this.#reading.get(index);
    if (reading === undefined) {
      reading = this.#read(index).finally(() => this.#reading.delete(index));
      this.#reading.set(index, reading);
    }
    return reading;
  }

  async #read(index: number): Promise<Buffer> {
    const start = index * this.#blockBytes;
    const end = Math.min(start + this.#blockBytes, this.bytes);
    const block = await this.#source.read(start, end);
    if (block.length !== end - start)
      throw new Error(`${block.length} bytes came of the ${end - start} that were asked for`);
    this.#blocks.set(index, block);
    for (const oldest of this.#blocks.keys()) {
      if (this.#blocks.size <= this.#kept) break;
      this.#blocks.delete(oldest);
    }
    return block;
  }
}
