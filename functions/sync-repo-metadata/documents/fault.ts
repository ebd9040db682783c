import type { Fault } from './document.ts';

/** What can be wrong with a file. */
export type FaultCode =
  | 'INVALID_UTF8'
  | 'NUL_IN_TEXT'
  | 'EMPTY'
  | 'INVALID_JSON'
  | 'INVALID_YAML'
  | 'INVALID_FRONT_MATTER'
  | 'DUPLICATE_KEY'
  | 'ANCHORS_EXPLODE'
  | 'TOO_DEEP'
  | 'TOO_COMPLEX'
  | 'NOT_STORABLE';

/** Ends the reading of a file; never leaves `readDocument`. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';
  readonly code: FaultCode;
  /** In the text that is being read, in UTF-16 units. */
  readonly offset: number;

  constructor(code: FaultCode, offset: number, message: string) {
    super(message);
    this.code = code;
    this.offset = offset;
  }
}

/** @returns the fault, with its place counted in the whole file: `text` from `start` on is what was being read */
export function faultOf({ code, offset, message }: Unreadable, text: string, start: number): Fault {
  const at = Math.min(start + offset, text.length);
  let line = 1;
  let begin = 0;
  for (let end = text.indexOf('\n'); end !== -1 && end < at; end = text.indexOf('\n', begin)) {
    line += 1;
    begin = end + 1;
  }
  return { code, line, column: at - begin + 1, message: excerpt(message, 400) };
}

/** A key or a value in a message: a problem is kept in the database and read by people, so neither long nor odd. */
export function quoted(value: string): string {
  return JSON.stringify(excerpt(value, 60));
}

function excerpt(value: string, most: number): string {
  const beginning = value.length > most ? `${value.slice(0, most - 1)}…` : value;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to be found
  return beginning.replace(/[\0-\x08\x0b-\x1f\x7f]/g, '\ufffd').toWellFormed();
}
