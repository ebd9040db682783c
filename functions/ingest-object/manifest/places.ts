import { isAlias, isCollection, isMap, isScalar, isSeq, type Node, type ParsedNode } from 'yaml';

/** The way to a value: names and indexes. */
export type Path = readonly PropertyKey[];

/** One thing that is wrong with a manifest. */
export interface ManifestProblem {
  /** `schemas.billing.grants[2].level`; `manifest` where it is about the file as a whole. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units, as editors count. */
  readonly column: number;
  readonly message: string;
}

/** Where something is in a text. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

const longestName = 64;

/** What isn't a plain word is quoted and cut, for it came from outside. */
export function pathText(path: Path): string {
  const text = path.map((part) => {
    if (typeof part === 'number') return `[${part}]`;
    const name = String(part);
    return /^[\w$-]{1,64}$/.test(name) ? `.${name}` : `[${JSON.stringify(name.slice(0, longestName))}]`;
  });
  return text.join('').replace(/^\./, '') || 'manifest';
}

/** The line and column of an offset. */
export function placeOf(text: string, offset: number): Place {
  const before = text.slice(0, offset);
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}

/**
 * Where a value begins: a text or number itself, of a list or a map its name. Of what isn't there, what would have it.
 *
 * @param at `key`: the name, also of a text
 * @param targets what each alias stands for
 */
export function offsetOf(
  root: ParsedNode,
  path: Path,
  at: 'key' | 'value',
  targets: ReadonlyMap<Node, ParsedNode>,
): number {
  let node: Node | null = root;
  let offset = root.range[0];
  for (const [index, part] of path.entries()) {
    const inside = isAlias(node) ? targets.get(node) : node;
    let name: number | undefined;
    let next: Node | null | undefined;
    if (isMap(inside)) {
      const pair = (inside.items as { key: unknown; value: unknown }[]).find(
        ({ key }) => isScalar(key) && nameOf(key) === String(part),
      );
      if (pair === undefined) return offset;
      name = (pair.key as Node).range?.[0];
      next = pair.value as Node | null;
    } else if (isSeq(inside)) {
      next = inside.items[Number(part)] as Node | undefined;
    }
    if (next === undefined) return offset;
    const value = next?.range?.[0];
    const isLast = index === path.length - 1;
    const isNothing = !next || (isScalar(next) && next.source === '');
    const byName = name !== undefined && ((isLast && at === 'key') || isCollection(next) || isNothing);
    offset = (byName ? name : (value ?? name)) ?? offset;
    node = next;
  }
  return offset;
}

/** A key as text, whatever it would be as a value: a schema may be called `null`. */
export function nameOf(key: { readonly value?: unknown; readonly source?: string | undefined }): string {
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
}
