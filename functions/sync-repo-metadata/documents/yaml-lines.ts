import { put } from './jsonb.ts';
import { plainScalar, text, type Value } from './yaml-scalar.ts';

/**
 * Reads what most front matter and most small files are: a line for each key or item, with a value of one line. It takes a
 * twentieth of the library's time, which is what a repository of many thousands of files takes.
 *
 * Whatever isn't plainly that (multi-line strings, anchors, tags, escapes, faults of any kind) is left to the library: a
 * value that is returned is the one that it would return.
 *
 * @returns undefined where the library has to say
 * @throws Unreadable for a number that can't be kept, without its place
 */
export function parseLines(source: string): Value | undefined {
  return unusual.test(source) ? undefined : new LineReader(source).document();
}

/** Tabs and carriage returns too: where they may stand is the library's to know. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to be found
const unusual = /[\0-\x09\x0b-\x1f\ufeff]/;

const keyed = /^([A-Za-z_][\w-]{0,99}):(?: +|$)/;
const plainStart = /^(?:[A-Za-z0-9_/.+(\u00a1-\u1fff\u3040-\ud7ff]|-[0-9.])/;
/** In a flow list, where more signs have a meaning. */
const flowPlain = /^(?:[A-Za-z0-9_/.+(\u00a1-\u1fff\u3040-\ud7ff]|-[0-9.])[^[\]{}:#"'&*!|>%@`?]*$/;

/** Deeper ones are left to the library, which counts. */
const deepest = 20;

class LineReader {
  private readonly source: string;
  /** Where the line after the current one begins. */
  private next = 0;
  /** Of the current line, which is never blank nor a comment; -1 after the last. */
  private indent = -1;
  /** Of the current line, without blanks around it; empty after the last. */
  private content = '';

  constructor(source: string) {
    this.source = source;
    if (source.startsWith('---\n')) this.next = 4;
  }

  document(): Value | undefined {
    this.advance();
    if (this.indent !== 0) return undefined;
    const value = this.block(1);
    return this.content === '' ? value : undefined;
  }

  /** The collection that begins in the current line. */
  private block(depth: number): Value | undefined {
    if (depth > deepest) return undefined;
    return this.content.startsWith('- ') ? this.list(this.indent, depth) : this.mapping(this.indent, depth);
  }

  private mapping(indent: number, depth: number): Value | undefined {
    const object: Record<string, unknown> = {};
    let json = '{';
    while (this.indent === indent) {
      const [start, key] = keyed.exec(this.content) ?? [];
      if (start === undefined || key === undefined || Object.hasOwn(object, key)) return undefined;
      const rest = this.content.slice(start.length);
      const value = rest === '' ? this.under(indent, depth) : this.inLine(rest, indent);
      if (value === undefined) return undefined;
      put(object, key, value.value);
      json += `${json.length === 1 ? '' : ','}"${key}":${value.json}`;
    }
    return this.indent > indent ? undefined : { value: object, json: `${json}}` };
  }

  private list(indent: number, depth: number): Value | undefined {
    const list: unknown[] = [];
    let json = '[';
    while (this.indent === indent && this.content.startsWith('- ')) {
      const rest = trimmed(this.content.slice(1));
      const value = keyed.test(rest) ? this.compact(rest, depth) : this.inLine(rest, indent);
      if (value === undefined) return undefined;
      list.push(value.value);
      json += list.length === 1 ? value.json : `,${value.json}`;
    }
    return this.indent > indent ? undefined : { value: list, json: `${json}]` };
  }

  /** A mapping whose first key stands behind the dash; the others stand under it. */
  private compact(rest: string, depth: number): Value | undefined {
    this.indent += this.content.length - rest.length;
    this.content = rest;
    return this.block(depth + 1);
  }

  /** The value of a key that has none in its line. A list may be as far to the left as its key. */
  private under(indent: number, depth: number): Value | undefined {
    this.advance();
    if (this.indent > indent) return this.block(depth + 1);
    if (this.indent === indent && this.content.startsWith('- ')) return this.list(indent, depth + 1);
    return plainScalar('', 0);
  }

  private inLine(rest: string, indent: number): Value | undefined {
    if (rest === '|' || rest === '|-') return this.literal(rest === '|' ? '\n' : '', indent);
    const value = scalar(rest);
    this.advance();
    // It goes on there, or something is wrong.
    return this.indent > indent ? undefined : value;
  }

  private literal(end: string, parent: number): Value | undefined {
    const lines: string[] = [];
    let indent = -1;
    for (; this.next < this.source.length; this.goOn()) {
      const line = this.line();
      const before = indentOf(line);
      const blank = before === line.length;
      if (indent === -1) {
        if (blank || before <= parent) return undefined;
        indent = before;
      }
      // Blanks beyond the indentation are content, or not: the library's to know.
      if (blank ? before > indent : before > parent && before < indent) return undefined;
      if (!blank && before <= parent) break;
      lines.push(line.slice(indent));
    }
    while (lines.at(-1) === '') lines.pop();
    if (lines.length === 0) return undefined;
    this.advance();
    return text(lines.join('\n') + end);
  }

  private advance(): void {
    while (this.next < this.source.length) {
      const line = this.line();
      this.goOn();
      const indent = indentOf(line);
      if (indent === line.length || line[indent] === '#') continue;
      this.indent = indent;
      this.content = trimmed(line);
      return;
    }
    this.indent = -1;
    this.content = '';
  }

  private line(): string {
    return this.source.slice(this.next, this.end());
  }

  private goOn(): void {
    this.next = this.end() + 1;
  }

  private end(): number {
    const end = this.source.indexOf('\n', this.next);
    return end === -1 ? this.source.length : end;
  }
}

/** A value in one line. */
function scalar(rest: string): Value | undefined {
  switch (rest[0]) {
    case '"':
    case "'":
      return quotedScalar(rest);
    case '[':
      return flowList(rest);
    case '{':
      return rest === '{}' ? { value: {}, json: '{}' } : undefined;
    default:
      return plain(rest);
  }
}

function plain(rest: string): Value | undefined {
  if (!plainStart.test(rest)) return undefined;
  const comment = rest.indexOf(' #');
  const value = comment === -1 ? rest : trimmed(rest.slice(0, comment));
  return value.includes(': ') || value.endsWith(':') ? undefined : plainScalar(value, 0);
}

function quotedScalar(rest: string): Value | undefined {
  const quote = rest.charAt(0);
  if (rest.length < 2 || !rest.endsWith(quote)) return undefined;
  const inner = rest.slice(1, -1);
  if (quote === '"') return inner.includes('"') || inner.includes('\\') ? undefined : text(inner);
  return inner.includes("'") ? undefined : text(inner);
}

function flowList(rest: string): Value | undefined {
  if (!rest.endsWith(']')) return undefined;
  const inner = trimmed(rest.slice(1, -1));
  const values: Value[] = [];
  for (const item of inner === '' ? [] : inner.split(',')) {
    const value = flowItem(trimmed(item));
    if (value === undefined) return undefined;
    values.push(value);
  }
  return { value: values.map(({ value }) => value), json: `[${values.map(({ json }) => json).join(',')}]` };
}

function flowItem(item: string): Value | undefined {
  if (item.startsWith('"') || item.startsWith("'")) return quotedScalar(item);
  return flowPlain.test(item) ? plainScalar(item, 0) : undefined;
}

function indentOf(line: string): number {
  let indent = 0;
  while (line.charCodeAt(indent) === 0x20) indent += 1;
  return indent;
}

/** Without what YAML takes for blanks, which isn't what String.trim does. */
function trimmed(line: string): string {
  let end = line.length;
  while (line.charCodeAt(end - 1) === 0x20) end -= 1;
  return line.slice(Math.min(indentOf(line), end), end);
}
