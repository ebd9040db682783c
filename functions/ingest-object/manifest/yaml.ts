import { Composer, type Document, Lexer, type ParsedNode, Parser, Schema } from 'yaml';
import { offsetOf, type Path, type Place, placeOf } from './places.ts';
import { Unreadable, YamlValues } from './yaml-values.ts';

/** Levels of the library's own count, of which a map takes one or two: a manifest has six maps in each other. */
const deepest = 40;

/** As many mistakes of syntax as anybody reads. */
const mostFaults = 20;

/** YAML 1.2 whatever a directive says, without merge keys, and without the tags of types that JSON hasn't. */
const schema = new Schema({ schema: 'core', resolveKnownTags: false, merge: false });

/** Something that is no YAML, or none that can be read here. */
export interface YamlFault extends Place {
  readonly message: string;
}

/** What a text says. */
export interface YamlText {
  /** As of JSON. */
  readonly value: unknown;
  /** Where the value of a path is; of `key` its name. */
  readonly placeOf: (path: Path, at: 'key' | 'value') => Place;
}

/** Reads one YAML 1.2 document, in a time that grows with its length and no faster. */
export function readYaml(text: string): YamlText | { readonly faults: readonly YamlFault[] } {
  try {
    const root = compose(text);
    const values = new YamlValues();
    const value = values.of(root);
    return { value, placeOf: (path, at) => placeOf(text, offsetOf(root, path, at, values.targets)) };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { faults: error.faults.map(({ offset, message }) => ({ ...placeOf(text, offset), message })) };
  }
}

function compose(text: string): ParsedNode {
  const { document, rest } = withoutStacks(() => documentOf(text));
  // What the library only warns of, an unknown tag or directive, would mean something else than it says.
  const faults = [...(document?.errors ?? []), ...(document?.warnings ?? [])];
  if (faults.length > 0) {
    throw new Unreadable(
      ...faults.slice(0, mostFaults).map(({ pos, message }) => ({ offset: pos[0], message })),
    );
  }
  if (rest !== undefined) {
    throw new Unreadable({ offset: rest, message: 'a second document begins here: a manifest is one' });
  }
  if (document?.directives.yaml.version === '1.1') {
    throw new Unreadable({ offset: 0, message: 'says that it is YAML 1.1: a manifest is YAML 1.2' });
  }
  if (!document?.contents) throw new Unreadable({ offset: 0, message: 'is empty' });
  return document.contents;
}

/** The library keeps an error for each mistake, of which a file can have 100,000: most of their time is what noting the stack takes. */
function withoutStacks<T>(work: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Feeds the library piece by piece: what is nested too deeply would take its stack. */
function documentOf(text: string): { readonly document?: Document.Parsed | undefined; rest?: number } {
  const parser = new Parser();
  // `YamlValues` finds equal keys: the library compares each with each.
  const composer = new Composer({ schema, uniqueKeys: false, prettyErrors: false });
  const documents: Document.Parsed[] = [];
  const take = (tokens: ReturnType<Parser['next']>) => {
    for (const token of tokens) {
      if (token.type === 'error') {
        const message = `${token.message} ${JSON.stringify(token.source.slice(0, 20))}`;
        throw new Unreadable({ offset: token.offset, message });
      }
      documents.push(...composer.next(token));
      if (token.type === 'document' && documents.length > 0) return token.offset;
    }
    return undefined;
  };
  for (const lexeme of new Lexer().lex(text)) {
    const rest = take(parser.next(lexeme));
    if (rest !== undefined) return { document: documents[0], rest };
    if (parser.stack.length > deepest) {
      throw new Unreadable({ offset: parser.offset, message: 'is nested more deeply than any manifest' });
    }
  }
  const rest = take(parser.end());
  if (rest !== undefined) return { document: documents[0], rest };
  documents.push(...composer.end());
  return { document: documents[0] };
}
