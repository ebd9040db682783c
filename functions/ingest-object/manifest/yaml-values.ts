import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type ParsedNode,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { nameOf } from './places.ts';

/** Values that aliases may repeat: nobody writes more, and each is looked at. */
const mostRepeated = 20_000;

/** One thing that keeps a text from being read, and where. */
interface Fault {
  readonly offset: number;
  readonly message: string;
}

/** The text isn't what it has to be. */
export class Unreadable extends Error {
  readonly faults: readonly Fault[];

  constructor(...faults: Fault[]) {
    super(faults[0]?.message);
    this.faults = faults;
  }
}

interface Reached {
  readonly value: unknown;
  /** Values in it, itself too, aliases followed. */
  readonly count: number;
}

/** Makes values of the nodes of one document. What aliases repeat is shared. */
export class YamlValues {
  /** What each alias stands for. */
  readonly targets = new Map<Node, ParsedNode>();
  /** By the anchor's name, of its latest node; its value is undefined while that is being read. */
  private readonly anchors = new Map<string, { node: ParsedNode; reached: Reached | undefined }>();
  private repeated = 0;

  /** @throws Unreadable */
  of(node: ParsedNode): unknown {
    return this.read(node).value;
  }

  private read(node: ParsedNode): Reached {
    if (isAlias(node)) return this.alias(node);
    const place: { node: ParsedNode; reached: Reached | undefined } = { node, reached: undefined };
    if (node.anchor !== undefined) this.anchors.set(node.anchor, place);
    place.reached = isMap(node) ? this.map(node) : isSeq(node) ? this.list(node) : scalar(node);
    return place.reached;
  }

  private alias(node: Alias.Parsed): Reached {
    const [offset] = node.range;
    const found = this.anchors.get(node.source);
    if (found === undefined)
      throw new Unreadable({ offset, message: `*${node.source.slice(0, 64)} has no anchor before it` });
    if (found.reached === undefined) {
      throw new Unreadable({
        offset,
        message: `*${node.source.slice(0, 64)} stands within its own anchor, and would never end`,
      });
    }
    this.targets.set(node, found.node);
    this.repeated += found.reached.count;
    if (this.repeated > mostRepeated) {
      const message = `the aliases up to here repeat more than ${mostRepeated} values: write out what is meant`;
      throw new Unreadable({ offset, message });
    }
    return found.reached;
  }

  private list({ items }: YAMLSeq.Parsed): Reached {
    const all = items.map((item) => this.read(item));
    return { value: all.map(({ value }) => value), count: sum(all) };
  }

  private map({ items }: YAMLMap.Parsed): Reached {
    const entries = new Map<string, Reached>();
    const faults: Fault[] = [];
    for (const { key, value } of items) {
      const [offset] = key.range;
      if (!isScalar(key)) throw new Unreadable({ offset, message: 'a name has to be text' });
      const name = nameOf(key);
      if (entries.has(name)) faults.push({ offset, message: `${quoted(name)} is there twice` });
      if (name === '__proto__') faults.push({ offset, message: `${name} can’t be a name here` });
      entries.set(name, value === null ? nothing : this.read(value));
    }
    if (faults.length > 0) throw new Unreadable(...faults.slice(0, 20));
    const values = [...entries].map(([name, { value }]) => [name, value] as const);
    return { value: Object.fromEntries(values), count: sum([...entries.values()]) };
  }
}

const nothing: Reached = { value: null, count: 1 };

function scalar(node: ParsedNode): Reached {
  const value: unknown = isScalar(node) ? node.value : null;
  if (typeof value === 'string' && !value.isWellFormed()) {
    const message = 'has half of a surrogate pair (\\ud800 to \\udfff alone), which is no text';
    throw new Unreadable({ offset: node.range[0], message });
  }
  return { value, count: 1 };
}

function sum(all: readonly Reached[]): number {
  return all.reduce((total, { count }) => total + count, 1);
}

function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}
