import { Unreadable } from './fault.ts';

/** A Markdown file's two parts. */
export interface Parts {
  /** Undefined where there is none. */
  readonly front: { readonly text: string; readonly start: number } | undefined;
  readonly body: string;
}

/** `---` and blanks alone; dashes and dots within the front matter are YAML's. */
const opening = /^---[ \t]*\r?$/;
const closing = /^(?:---|\.\.\.)[ \t]*\r?$/;

/**
 * Front matter begins with `---` in the very first line and ends before the next line that is `---` or `...`.
 *
 * Where no such line follows, the first one may be a thematic break and all the rest text. It is taken for one unless
 * what follows begins with a word and a colon, blank lines and comments aside.
 *
 * @throws Unreadable when front matter begins and never ends
 */
export function splitFrontMatter(text: string): Parts {
  const none: Parts = { front: undefined, body: text };
  if (!text.startsWith('---')) return none;
  const start = nextLine(text, 0);
  if (!opening.test(line(text, 0, start))) return none;

  let looksLikeMapping: boolean | undefined;
  for (let at = start; at < text.length; ) {
    const next = nextLine(text, at);
    const content = line(text, at, next);
    if (closing.test(content)) {
      return { front: { text: text.slice(start, at), start }, body: text.slice(next) };
    }
    if (looksLikeMapping === undefined && !/^[ \t\r]*(?:#|$)/.test(content)) {
      looksLikeMapping = /^[^\s:#>*-][^\s:]*:(?:\s|$)/.test(content);
    }
    at = next;
  }
  if (looksLikeMapping !== true) return none;
  throw new Unreadable(
    'INVALID_FRONT_MATTER',
    0,
    'The front matter that begins here has no end: put a line with --- after its last one.',
  );
}

/** Where the line after the one at `at` begins. */
function nextLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end === -1 ? text.length : end + 1;
}

/** Without its line feed; no longer than what it could be told by. */
function line(text: string, from: number, next: number): string {
  const end = text[next - 1] === '\n' && next > from ? next - 1 : next;
  return text.slice(from, end).slice(0, 1_000);
}
