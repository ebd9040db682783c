import { OperationError } from '../../../shared/operation/errors.ts';

/** One file of an archive, in the order in which the archive has them. */
export interface Entry {
  /** From the repository's root, parts separated by `/`: never absolute, never with `..`. */
  readonly path: string;
  /** A symbolic link is never followed. */
  readonly kind: 'file' | 'link';
  /** Of its content, as far as the archive says so beforehand. */
  readonly bytes: number;
  /** Its content. To be asked for before the next entry is, or not at all. */
  content(): Promise<Buffer>;
}

/** An archive that is read once, from its beginning to its end. */
export interface Archive extends AsyncIterable<Entry> {
  /** The commit that `git archive` noted in it; known from the first entry on. */
  readonly commit: string | undefined;
}

/** What an archive may have at most, whoever made it. */
export interface ArchiveLimits {
  /** Files, folders and all. */
  readonly entries: number;
  /** Of the content of all files, unpacked. */
  readonly bytes: number;
}

/** Names that no repository has need of are longer. */
export const longestPathBytes = 1024;

/** What is wrong with an archive that nobody would make in good faith, or that is beyond the limits. */
export type Hostility = 'path' | 'link' | 'kind' | 'entries' | 'bytes' | 'encrypted';

/** @returns the error of an archive of which nothing is used */
export function archiveRefused(
  why: Hostility,
  message: string,
  details: Record<string, unknown> = {},
): OperationError {
  return new OperationError('ARCHIVE_REFUSED', `The archive is not used: ${message}`, {
    details: { why, ...details },
  });
}

/**
 * @param retryable whether it may be whole when it is read again: one that is downloaded may, one that is stored is not
 * @returns the error of an archive that ends too early or is none
 */
export function archiveDamaged(message: string, retryable: boolean, cause?: unknown): OperationError {
  return new OperationError('ARCHIVE_DAMAGED', `The archive can't be read: ${message}`, { retryable, cause });
}
