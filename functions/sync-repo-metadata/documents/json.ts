import { quoted, Unreadable } from './fault.ts';
import { assertNumber, assertStorable, deepest, duplicateKey, put, tooDeep } from './jsonb.ts';

/** What becomes of a number, by its digits. */
type Numbers = (digits: string, offset: number) => unknown;

/**
 * Reads JSON (RFC 8259) and nothing beyond. JSON.parse is faster, but takes the last of two equal keys without a word
 * and doesn't say where a NUL or half a surrogate pair is.
 *
 * @throws Unreadable
 */
export function parseJson(text: string, numbers: Numbers = assertNumber): unknown {
  return new JsonReader(text, numbers).document();
}

const quote = 0x22;
const backslash = 0x5c;
const space = 0x20;

/** A valid number; sticky, so that it is looked for in one place. */
const number = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y;

const escapes = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

class JsonReader {
  private readonly text: string;
  private readonly numbers: Numbers;
  private at = 0;

  constructor(text: string, numbers: Numbers) {
    this.text = text;
    this.numbers = numbers;
  }

  document(): unknown {
    if (this.blanks() === undefined) throw new Unreadable('EMPTY', 0, 'The file is empty.');
    const value = this.value(1);
    if (this.blanks() !== undefined) throw this.unexpected('the end of the file');
    return value;
  }

  private value(depth: number): unknown {
    const next = this.blanks();
    switch (next) {
      case '{':
        return this.object(depth);
      case '[':
        return this.list(depth);
      case '"':
        return this.string();
      case 't':
        return this.word('true', true);
      case 'f':
        return this.word('false', false);
      case 'n':
        return this.word('null', null);
      default:
        return this.number();
    }
  }

  private object(depth: number): unknown {
    if (depth > deepest) throw tooDeep(this.at);
    const object: Record<string, unknown> = {};
    this.at += 1;
    if (this.ends('}')) return object;
    for (;;) {
      if (this.blanks() !== '"') throw this.unexpected('a key in double quotes');
      const start = this.at;
      const key = this.string();
      if (Object.hasOwn(object, key)) throw duplicateKey(key, start);
      if (this.blanks() !== ':') throw this.unexpected('a colon');
      this.at += 1;
      put(object, key, this.value(depth + 1));
      if (this.ends('}')) return object;
      this.comma('}');
    }
  }

  private list(depth: number): unknown {
    if (depth > deepest) throw tooDeep(this.at);
    const list: unknown[] = [];
    this.at += 1;
    if (this.ends(']')) return list;
    for (;;) {
      list.push(this.value(depth + 1));
      if (this.ends(']')) return list;
      this.comma(']');
    }
  }

  private string(): string {
    const start = this.at;
    let escaped = false;
    for (let at = start + 1; ; at += 1) {
      const code = this.text.charCodeAt(at);
      if (code === quote) {
        this.at = at + 1;
        break;
      }
      if (code === backslash) {
        escaped = true;
        at += 1;
      } else if (!(code >= space)) {
        // NaN is the end of the text.
        this.at = Math.min(at, this.text.length);
        throw this.unexpected('the end of the string, or an escape for this character');
      }
    }
    if (!escaped) return this.text.slice(start + 1, this.at - 1);
    const value = this.unescaped(start);
    assertStorable(value, start);
    return value;
  }

  private unescaped(start: number): string {
    const literal = this.text.slice(start, this.at);
    try {
      return JSON.parse(literal) as string;
    } catch {
      this.at = start + badEscape(literal);
      throw this.unexpected('an escape that JSON has');
    }
  }

  private number(): unknown {
    const start = this.at;
    number.lastIndex = start;
    if (!number.test(this.text)) throw this.unexpected('a value');
    this.at = number.lastIndex;
    const digits = this.text.slice(start, this.at);
    return this.numbers(digits, start);
  }

  private word(word: string, value: unknown): unknown {
    if (!this.text.startsWith(word, this.at)) throw this.unexpected('a value');
    this.at += word.length;
    return value;
  }

  private ends(bracket: string): boolean {
    if (this.blanks() !== bracket) return false;
    this.at += 1;
    return true;
  }

  private comma(bracket: string): void {
    if (this.blanks() !== ',') throw this.unexpected(`a comma or ${bracket}`);
    this.at += 1;
  }

  /** Goes past blanks. @returns the character after them */
  private blanks(): string | undefined {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== space && code !== 0x0a && code !== 0x0d && code !== 0x09) return this.text[this.at];
      this.at += 1;
    }
  }

  private unexpected(expected: string): Unreadable {
    const found = String.fromCodePoint(this.text.codePointAt(this.at) ?? 0);
    const what = this.at < this.text.length ? `${quoted(found)} is` : 'The file ends';
    return new Unreadable('INVALID_JSON', this.at, `${what} where ${expected} is expected.`);
  }
}

/** Where the first backslash is that begins no escape; there is one. */
function badEscape(literal: string): number {
  for (let at = literal.indexOf('\\'); ; at = literal.indexOf('\\', escapes.lastIndex)) {
    escapes.lastIndex = at;
    if (!escapes.test(literal)) return at;
  }
}
