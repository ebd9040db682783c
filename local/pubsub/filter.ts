import { invalidArgument } from './errors.ts';

/** A parsed filter: a condition on the attributes of a message. */
export type Filter =
  | { readonly kind: 'has'; readonly key: string }
  | { readonly kind: 'equals'; readonly key: string; readonly value: string }
  | { readonly kind: 'prefix'; readonly key: string; readonly prefix: string }
  | { readonly kind: 'not'; readonly condition: Filter }
  | { readonly kind: 'and' | 'or'; readonly conditions: readonly Filter[] };

const maximumBytes = 256;

/** Whether a message with these attributes is delivered. */
export function matches(filter: Filter, attributes: Readonly<Record<string, string>>): boolean {
  switch (filter.kind) {
    case 'has':
      return Object.hasOwn(attributes, filter.key);
    case 'equals':
      return attributes[filter.key] === filter.value;
    case 'prefix':
      return (
        Object.hasOwn(attributes, filter.key) && attributes[filter.key]?.startsWith(filter.prefix) === true
      );
    case 'not':
      return !matches(filter.condition, attributes);
    case 'and':
      return filter.conditions.every((condition) => matches(condition, attributes));
    case 'or':
      return filter.conditions.some((condition) => matches(condition, attributes));
  }
}

/**
 * Parses the filter language of subscriptions: `attributes:key`, `attributes.key = "v"`, `!=`,
 * `hasPrefix(attributes.key, "v")`, `AND`, `OR` (parentheses where both are used), `NOT` or `-`.
 * `attributes.key != "v"` matches messages without the key too, as NOT with `=` does.
 *
 * @throws INVALID_ARGUMENT where the text is not a filter or exceeds 256 bytes
 * @see https://cloud.google.com/pubsub/docs/subscription-message-filter#filtering_syntax
 */
export function parseFilter(text: string): Filter {
  if (Buffer.byteLength(text) > maximumBytes) {
    throw invalidArgument(`The filter is too long: at most ${maximumBytes} bytes are allowed.`);
  }
  return new FilterParser(text).parse();
}

class FilterParser {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Filter {
    const filter = this.#expression();
    if (this.#position < this.#text.length) throw this.#error('an operator or the end');
    return filter;
  }

  #expression(): Filter {
    const first = this.#condition();
    const kind = this.#accept(/AND\b/y) ? 'and' : this.#accept(/OR\b/y) ? 'or' : undefined;
    if (kind === undefined) return first;
    const conditions = [first, this.#condition()];
    while (this.#accept(kind === 'and' ? /AND\b/y : /OR\b/y)) conditions.push(this.#condition());
    if (this.#accept(/(AND|OR)\b/y)) throw this.#error('parentheses around mixed AND and OR');
    return { kind, conditions };
  }

  #condition(): Filter {
    if (this.#accept(/NOT\b/y) || this.#accept(/-/y)) return { kind: 'not', condition: this.#condition() };
    if (this.#accept(/\(/y)) {
      const inner = this.#expression();
      this.#expect(/\)/y, '")"');
      return inner;
    }
    if (this.#accept(/hasPrefix\b/y)) return this.#hasPrefix();
    this.#expect(/attributes\b/y, '"attributes"');
    if (this.#accept(/:/y)) return { kind: 'has', key: this.#key() };
    this.#expect(/\./y, '":" or "."');
    const key = this.#key();
    const operator = this.#expect(/!=|=/y, '"=" or "!="');
    const equals: Filter = { kind: 'equals', key, value: this.#string() };
    return operator === '=' ? equals : { kind: 'not', condition: equals };
  }

  #hasPrefix(): Filter {
    this.#expect(/\(/y, '"("');
    this.#expect(/attributes\b/y, '"attributes"');
    this.#expect(/\./y, '"."');
    const key = this.#key();
    this.#expect(/,/y, '","');
    const prefix = this.#string();
    this.#expect(/\)/y, '")"');
    return { kind: 'prefix', key, prefix };
  }

  #key(): string {
    return this.#accept(/[A-Za-z0-9_-]+/y) ?? this.#string();
  }

  #string(): string {
    const literal = this.#expect(/"(?:[^"\\]|\\.)*"/sy, 'a string in double quotes');
    return literal
      .slice(1, -1)
      .replace(
        /\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([0-7]{1,3})|([\s\S]))/g,
        (_, unicode, hexadecimal, octal, character) =>
          character === undefined
            ? String.fromCharCode(
                octal === undefined ? Number.parseInt(unicode ?? hexadecimal, 16) : Number.parseInt(octal, 8),
              )
            : this.#unescape(character),
      );
  }

  #unescape(character: string): string {
    const meaning = escapes[character];
    if (meaning === undefined) throw this.#error(`a known escape sequence instead of \\${character}`);
    return meaning;
  }

  #accept(pattern: RegExp): string | undefined {
    this.#skipSpace();
    pattern.lastIndex = this.#position;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) {
      this.#position += found.length;
      this.#skipSpace();
    }
    return found;
  }

  #expect(pattern: RegExp, description: string): string {
    const found = this.#accept(pattern);
    if (found === undefined) throw this.#error(description);
    return found;
  }

  #skipSpace(): void {
    while (/\s/.test(this.#text[this.#position] ?? '')) this.#position += 1;
  }

  #error(expected: string) {
    return invalidArgument(
      `Invalid filter given (filter=${this.#text}): expected ${expected} at position ${this.#position}.`,
    );
  }
}

const escapes: Record<string, string> = {
  '"': '"',
  "'": "'",
  '\\': '\\',
  n: '\n',
  r: '\r',
  t: '\t',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  '?': '?',
};
