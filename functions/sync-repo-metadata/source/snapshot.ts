import type { Archive } from './entries.ts';

/** A repository's files at one commit, wherever they come from. */
export interface Snapshot {
  /** 40 or 64 hexadecimal digits. Undefined where only the archive itself may say. */
  readonly commit: string | undefined;
  /** When it was made; undefined where nobody says. */
  readonly committedAt: Date | undefined;
  /** Reads it from its beginning, as often as asked. */
  open(signal: AbortSignal): Promise<Archive>;
}
