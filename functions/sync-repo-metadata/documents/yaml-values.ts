import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  type ParsedNode,
  Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { quoted, Unreadable } from './fault.ts';
import { assertStorable, deepest, duplicateKey, put, tooDeep } from './jsonb.ts';
import { plainScalar, taggedScalar, text, type Value } from './yaml-scalar.ts';

/** A value of a document. Aliases of one anchor share it. */
interface Reached extends Value {
  /** Levels of lists and mappings in it, aliases followed. */
  readonly depth: number;
  /** Of a mapping: what `<<` takes. */
  readonly entries?: ReadonlyMap<string, Reached>;
  /** Of a list, whose mappings `<<` takes. */
  readonly items?: readonly Reached[];
  /** Of a scalar, as it is as a key. */
  readonly key?: string;
}

/** What aliases and merge keys may add to the JSON: so many times the document's length, and as much as nobody minds. */
const growth = 4;
const least = 65_536;

/** Makes values of the nodes of one document. */
export class YamlValues {
  /** By the anchor's name, of its latest node; undefined while that is being read. */
  private readonly anchors = new Map<string, { reached: Reached | undefined }>();
  private repeatable: number;

  constructor(source: string) {
    this.repeatable = source.length * growth + least;
  }

  /** @returns undefined of a document without content */
  of({ contents }: Document.Parsed): Value | undefined {
    if (contents === null) return undefined;
    const empty = isScalar(contents) && contents.source === '' && contents.type === Scalar.PLAIN;
    return empty && contents.tag === undefined ? undefined : this.node(contents);
  }

  private node(node: ParsedNode): Reached {
    if (isAlias(node)) return this.alias(node);
    const { anchor } = node;
    if (anchor === undefined) return this.content(node);
    const place: { reached: Reached | undefined } = { reached: undefined };
    this.anchors.set(anchor, place);
    place.reached = this.content(node);
    return place.reached;
  }

  private content(node: Exclude<ParsedNode, Alias.Parsed>): Reached {
    if (isScalar(node)) return this.scalar(node);
    return isMap(node) ? this.mapping(node) : this.list(node);
  }

  private alias({ source, range }: Alias.Parsed): Reached {
    const place = this.anchors.get(source);
    if (place?.reached !== undefined) {
      this.repeat(place.reached.json.length, range[0]);
      return place.reached;
    }
    const what =
      place === undefined ? 'has no anchor before it' : 'stands within its own anchor, and would never end';
    throw new Unreadable('INVALID_YAML', range[0], `The alias ${quoted(`*${source}`)} ${what}.`);
  }

  private scalar({ source, type, tag, range }: Scalar.Parsed): Reached {
    const [offset] = range;
    // Only escapes can make what isn't text: the file itself is.
    if (type === Scalar.QUOTE_DOUBLE) assertStorable(source, offset);
    const { value, json } = scalarValue(source, type, tag, offset);
    return { value, json, depth: 0, key: source };
  }

  private list({ items: nodes, range }: YAMLSeq.Parsed): Reached {
    const items: Reached[] = [];
    let json = '[';
    let depth = 0;
    for (const node of nodes) {
      const item = this.node(node);
      json += items.length === 0 ? item.json : `,${item.json}`;
      items.push(item);
      depth = Math.max(depth, item.depth);
    }
    const value = items.map((item) => item.value);
    return { value, json: `${json}]`, depth: this.deeper(depth, range[0]), items };
  }

  private mapping({ items, range }: YAMLMap.Parsed): Reached {
    const entries = new Map<string, Reached>();
    const merged: { reached: Reached; offset: number }[] = [];
    for (const { key: keyNode, value: valueNode } of items) {
      const offset = keyNode.range[0];
      const isMerge = isMergeKey(keyNode);
      const key = isMerge ? '<<' : this.key(keyNode);
      const reached = valueNode === null ? nothing : this.node(valueNode);
      if (isMerge) {
        merged.push({ reached, offset });
      } else {
        if (entries.has(key)) throw duplicateKey(key, offset);
        entries.set(key, reached);
      }
    }
    for (const { reached, offset } of merged) {
      for (const source of reached.items ?? [reached]) this.merge(entries, source, offset);
    }
    return this.made(entries, range[0]);
  }

  private made(entries: ReadonlyMap<string, Reached>, offset: number): Reached {
    const object: Record<string, unknown> = {};
    let json = '{';
    let depth = 0;
    for (const [key, reached] of entries) {
      put(object, key, reached.value);
      json += `${json.length === 1 ? '' : ','}${JSON.stringify(key)}:${reached.json}`;
      depth = Math.max(depth, reached.depth);
    }
    return { value: object, json: `${json}}`, depth: this.deeper(depth, offset), entries };
  }

  private key(node: ParsedNode): string {
    const { key } = this.node(node);
    if (key !== undefined) return key;
    throw new Unreadable(
      'NOT_STORABLE',
      node.range[0],
      'A key is a list or a mapping: JSON has only strings.',
    );
  }

  /** What is there already stays (https://yaml.org/type/merge.html). */
  private merge(entries: Map<string, Reached>, { entries: source, value }: Reached, offset: number): void {
    if (source === undefined) {
      const message = `The value of << has to be a mapping or a list of mappings; here is ${kind(value)}.`;
      throw new Unreadable('INVALID_YAML', offset, message);
    }
    for (const [key, reached] of source) {
      if (!entries.has(key)) entries.set(key, reached);
    }
  }

  private deeper(depth: number, offset: number): number {
    if (depth >= deepest) throw tooDeep(offset);
    return depth + 1;
  }

  /** Counts what stands in the JSON once more; is asked before it is made. */
  private repeat(length: number, offset: number): void {
    this.repeatable -= length;
    if (this.repeatable >= 0) return;
    throw new Unreadable(
      'ANCHORS_EXPLODE',
      offset,
      'The aliases up to here repeat many times as much as the file says: write out what is meant.',
    );
  }
}

const nothing: Reached = { ...plainScalar('', 0), depth: 0, key: '' };

function scalarValue(
  source: string,
  type: Scalar.Type | undefined,
  tag: string | undefined,
  offset: number,
): Value {
  if (tag !== undefined) return taggedScalar(tag, source, offset);
  return type === Scalar.PLAIN ? plainScalar(source, offset) : text(source);
}

function isMergeKey(node: ParsedNode): boolean {
  return isScalar(node) && node.type === Scalar.PLAIN && node.source === '<<' && node.tag === undefined;
}

function kind(value: unknown): string {
  if (value === null) return 'nothing';
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}
