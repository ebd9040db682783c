import { archiveRefused } from './entries.ts';
import { quoted } from './paths.ts';

/**
 * An archive that began with a folder as if all else were in it, and then had something beside it: what was read so far
 * had the wrong paths. It is to be read again, from its beginning, with the root `''`.
 */
export class RootMismatch extends Error {
  override readonly name = 'RootMismatch';

  constructor(root: string, path: string) {
    super(`The archive has ${quoted(path)} beside ${quoted(root)}, with which it began`);
  }
}

/**
 * The folder of an archive in which everything is, as GitHub and `git archive --prefix` make it: the paths of a
 * repository begin below it.
 */
export class Root {
  #root: string | undefined;
  readonly #given: boolean;

  /** @param root `''` for none; undefined: the first entry tells */
  constructor(root: string | undefined) {
    this.#root = root?.replace(/\/+$/, '');
    this.#given = root !== undefined;
  }

  /**
   * @param path from the archive's own folder
   * @returns from the repository's root; `''` is that itself
   * @throws RootMismatch, or OperationError `ARCHIVE_REFUSED` where the root was given
   */
  strip(path: string, isFolder: boolean): string {
    this.#root ??= isFolder && !path.includes('/') ? path : '';
    const root = this.#root;
    if (root === '') return path;
    if (path.startsWith(root) && path.charCodeAt(root.length) === slash) return path.slice(root.length + 1);
    // Folders around the root are as good as the root.
    if (isFolder && (path === '' || `${root}/`.startsWith(`${path}/`))) return '';
    if (!this.#given) throw new RootMismatch(root, path);
    throw archiveRefused('path', `${quoted(path)} is not in its folder ${quoted(root)}`, { path });
  }
}

const slash = 0x2f;

/** Finds the root of an archive whose names are all known beforehand. */
export class CommonRoot {
  #root: string | undefined;

  add(path: string, isFolder: boolean): void {
    if (path === '') return;
    const end = path.indexOf('/');
    const first = end >= 0 ? path.slice(0, end) : isFolder ? path : '';
    this.#root = this.#root === undefined || this.#root === first ? first : '';
  }

  get root(): string {
    return this.#root ?? '';
  }
}
