import type { Change, Note } from '../../operation/outcome.ts';

export interface OffboardOptions {
  readonly signal: AbortSignal;
  readonly remainingMs: () => number;
  /** Say what would be done and do nothing. */
  readonly dryRun: boolean;
  /** Throws where the operation may be another worker's by now. Called under the lock, before anything is taken. */
  readonly assertHeld?: () => void;
}

/** What one step of taking a principal out came to. */
export interface Offboarded {
  readonly changes: readonly Change[];
  readonly notes: readonly Note[];
  /** Those that were executed, or in a dry run would be. */
  readonly statements: readonly string[];
  /** Something of the principal is out of Drover's reach: the notes say what, and how an admin takes it away. */
  readonly remaining: boolean;
}

export const nothing: Offboarded = { changes: [], notes: [], statements: [], remaining: false };

/** One after the other. */
export function together(...parts: readonly Offboarded[]): Offboarded {
  return {
    changes: parts.flatMap(({ changes }) => changes),
    notes: distinct(parts.flatMap(({ notes }) => notes)),
    statements: parts.flatMap(({ statements }) => statements),
    remaining: parts.some(({ remaining }) => remaining),
  };
}

/** What several steps find is told once. */
function distinct(notes: readonly Note[]): Note[] {
  return [...new Map(notes.map((note) => [JSON.stringify(note), note])).values()];
}

/** The note about what only somebody else can take away. */
export function outOfReach(message: string, statements: readonly string[]): Note {
  return { code: 'OFFBOARD_OUT_OF_REACH', message, statements };
}

/** Whether a note is about something that is left. */
export function isRemainder({ code }: Note): boolean {
  return code === 'OFFBOARD_OUT_OF_REACH' || code === 'SESSIONS_OPEN';
}

/** So many names are told in a sentence. */
const mostNames = 20;

/** Names for people. */
export function listed(names: readonly string[]): string {
  const more = names.length - mostNames;
  return more > 0 ? `${names.slice(0, mostNames).join(', ')} and ${more} more` : names.join(', ');
}
