import { Composer, type CST, type Document, Lexer, Parser, Schema } from 'yaml';
import { quoted, Unreadable } from './fault.ts';
import { deepest, tooDeep } from './jsonb.ts';
import { scalarTags, type Value } from './yaml-scalar.ts';
import { YamlValues } from './yaml-values.ts';

/** Every token, and every line of a long one, takes up to 350 bytes while a file is read: with these it is below 200 MB. */
const mostTokens = 500_000;

/** Scalars stay text until `YamlValues` reads them, which keeps the digits of numbers. */
const schema = new Schema({
  schema: 'failsafe',
  resolveKnownTags: false,
  customTags: scalarTags.slice(1).map((tag) => ({ tag, resolve: (source: string) => source })),
});

/** `YamlValues` finds equal keys; the library compares each with each. */
const options = { schema, uniqueKeys: false, prettyErrors: false };

/**
 * Reads a file of one YAML 1.2 document with the core schema and merge keys, which must be what JSON has.
 *
 * @returns undefined where there is nothing but blanks and comments
 * @throws Unreadable
 */
export function parseYaml(text: string): Value | undefined {
  const document = composed(text);
  if (document === undefined) return undefined;
  return new YamlValues(text).of(document);
}

function composed(text: string): Document.Parsed | undefined {
  try {
    return compose(text);
  } catch (error) {
    if (error instanceof Unreadable) throw error;
    // A file must not end a run of thousands, whatever it makes of the library.
    throw syntaxError(0, `It can’t be read (${error instanceof Error ? error.message : String(error)})`);
  }
}

/** Feeds the library piece by piece, to end at the first sign of something that would take it minutes or its stack. */
function compose(text: string): Document.Parsed | undefined {
  const parser = new Parser();
  const composer = new Composer(options);
  endAtFirstError(composer);
  let document: Document.Parsed | undefined;
  let documents = 0;
  let tokens = 0;

  const take = (token: CST.Token) => {
    if (token.type === 'error') throw syntaxError(token.offset, `${token.message} ${quoted(token.source)}`);
    if (token.type === 'document' && ++documents === 2) {
      throw new Unreadable('INVALID_YAML', token.offset, 'A second document begins here: a file has one.');
    }
    for (const next of composer.next(token)) document ??= next;
  };
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) take(token);
    // Between the document and the scalar, collections only.
    if (parser.stack.length > deepest + 2) throw tooDeep(parser.offset);
    tokens += lexeme.length < 100 ? 1 : linesOf(lexeme);
    if (tokens > mostTokens) throw tooComplex(parser.offset);
  }
  for (const token of parser.end()) take(token);
  for (const last of composer.end()) document ??= last;
  const [error] = document?.errors ?? [];
  if (error !== undefined) throw syntaxError(error.pos[0], error.message);
  return document;
}

/**
 * The library goes on after an error and keeps each with its stack: a file of 5 MB can have millions of them. It has no
 * option for this; where it has no such method, all are found at the end, and the first is reported.
 */
function endAtFirstError(composer: Composer): void {
  let first: Unreadable | undefined;
  const onError = (source: ErrorSource, code: string, message: string, warning?: boolean) => {
    // It keeps the value of an unknown tag and warns.
    if (warning === true && code !== 'TAG_RESOLVE_FAILED') return;
    // It catches what is thrown here, and reports it again from further outside.
    first ??= syntaxError(startOf(source), hints[code] ?? message);
    throw first;
  };
  Object.assign(composer, { onError });
}

/** What the library gives as the place of an error. */
type ErrorSource = number | readonly number[] | { readonly offset: number };

function startOf(source: ErrorSource): number {
  if (typeof source === 'number') return source;
  return 'offset' in source ? source.offset : (source[0] ?? 0);
}

/** Where the library doesn't say what to do. */
const hints: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'Tabs are not allowed as indentation: use spaces',
};

function syntaxError(offset: number, message: string): Unreadable {
  return new Unreadable('INVALID_YAML', offset, `${message}.`);
}

function linesOf(lexeme: string): number {
  let lines = 1;
  for (let at = lexeme.indexOf('\n'); at !== -1; at = lexeme.indexOf('\n', at + 1)) lines += 1;
  return lines;
}

function tooComplex(offset: number): Unreadable {
  return new Unreadable(
    'TOO_COMPLEX',
    offset,
    `The file has more than ${mostTokens} words and signs of YAML: split it, or write it as JSON.`,
  );
}
