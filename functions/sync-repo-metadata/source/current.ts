import type { Entry } from './entries.ts';

/** The entry of an archive that was given last. Its content can be asked for once, until the next entry is. */
export class CurrentEntry implements Entry {
  readonly path: string;
  readonly kind: Entry['kind'];
  readonly bytes: number;
  #read: (() => Promise<Buffer>) | undefined;
  #reading: Promise<Buffer> | undefined;

  constructor(path: string, kind: Entry['kind'], bytes: number, read: () => Promise<Buffer>) {
    this.path = path;
    this.kind = kind;
    this.bytes = bytes;
    this.#read = read;
  }

  async content(): Promise<Buffer> {
    const read = this.#read;
    if (read === undefined)
      throw new Error(`the content of ${this.path} was asked for twice, or after the next entry`);
    this.#read = undefined;
    this.#reading = read();
    return this.#reading;
  }

  /** Whether its content was asked for. From now on it can't be. */
  async pass(): Promise<boolean> {
    this.#read = undefined;
    if (this.#reading === undefined) return false;
    await this.#reading;
    return true;
  }
}
