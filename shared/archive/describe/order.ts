import { type DescribedObject, kinds } from './object.ts';

/** When an object is made: before the rows are there, after them, or last of all. */
export type Phase = 'before-data' | 'after-data' | 'refresh';

export const phases = ['before-data', 'after-data', 'refresh'] as const satisfies readonly Phase[];

export interface OrderedObject extends DescribedObject {
  readonly phase: Phase;
}

export interface Order {
  readonly objects: readonly OrderedObject[];
  /** What can't be made in any order, with the reason. */
  readonly impossible: readonly { readonly object: DescribedObject; readonly reason: string }[];
}

const afterData: ReadonlySet<string> = new Set(kinds.slice(kinds.indexOf('constraint')));

/**
 * Brings objects into an order in which each comes after all that it needs, and which is the same for the same objects:
 * by phase, schema, kind and name, but for what another needs before.
 *
 * @param dependencies which node needs which
 */
export function inOrder(
  described: readonly DescribedObject[],
  dependencies: readonly { readonly node: string; readonly needs: string }[],
): Order {
  const objects = new Map(described.map((object) => [object.node, object]));
  const needs = new Map(described.map(({ node, needs = [] }) => [node, new Set(needs)]));
  for (const dependency of dependencies) needs.get(dependency.node)?.add(dependency.needs);
  const byRank = [...described].sort(compare);
  const rank = new Map(byRank.map(({ node }, index) => [node, index]));
  const needed = (node: string): DescribedObject[] =>
    [...(needs.get(node) ?? [])]
      .flatMap((other) => objects.get(other) ?? [])
      .sort((a, b) => (rank.get(a.node) ?? 0) - (rank.get(b.node) ?? 0));

  const phaseOf = new Map<string, Phase>();
  const sorted: DescribedObject[] = [];
  const impossible: { object: DescribedObject; reason: string }[] = [];
  const path = new Set<string>();

  const visit = (object: DescribedObject): void => {
    const { node, kind } = object;
    if (phaseOf.has(node)) return;
    if (path.has(node)) {
      impossible.push({ object, reason: 'it needs, by way of others, itself' });
      return;
    }
    path.add(node);
    const others = needed(node);
    others.forEach(visit);
    path.delete(node);
    const late = others.find((other) => phaseOf.get(other.node) === 'after-data');
    if (late && kind === 'table')
      impossible.push({ object, reason: `it needs ${late.name}, which is made after the rows are there` });
    const phase = kind === 'refresh' ? 'refresh' : afterData.has(kind) || late ? 'after-data' : 'before-data';
    phaseOf.set(node, phase);
    sorted.push(object);
  };
  byRank.forEach(visit);

  // What one materialized view reads of another was made, and so is filled, before.
  const made = new Map(sorted.map(({ node }, index) => [node, index]));
  const madeAt = ({ needs = [] }: DescribedObject) => Math.max(...needs.map((node) => made.get(node) ?? 0));
  const inPhase = (phase: Phase): OrderedObject[] => {
    const some = sorted.flatMap((object) =>
      phaseOf.get(object.node) === phase ? [{ ...object, phase }] : [],
    );
    return phase === 'refresh' ? some.sort((a, b) => madeAt(a) - madeAt(b)) : some;
  };
  return { objects: phases.flatMap(inPhase), impossible };
}

/** By code units: the same everywhere, whatever the locale. */
function compare(a: DescribedObject, b: DescribedObject): number {
  const keys = (object: DescribedObject) => [
    afterData.has(object.kind) ? '1' : '0',
    object.schema,
    String.fromCharCode(kinds.indexOf(object.kind)),
    object.name,
  ];
  const [mine, other] = [keys(a), keys(b)];
  const at = mine.findIndex((key, index) => key !== other[index]);
  return at < 0 ? 0 : (mine[at] ?? '') < (other[at] ?? '') ? -1 : 1;
}
