/** Names in an order in which each comes after those that it names, or a way from one back to itself. */
export type Ordered = { readonly order: readonly string[] } | { readonly cycle: readonly string[] };

/**
 * Orders names by what each has to come after. What isn't bound by that stays in the order it came in.
 *
 * @param after what a name has to come after; other names than the given ones count for nothing
 */
export function inOrder(names: readonly string[], after: (name: string) => readonly string[]): Ordered {
  const known = new Set(names);
  const done = new Set<string>();
  for (const first of names) {
    // The names on the way down, and what of each is still to be looked at. No recursion, for chains are long.
    const way = [first];
    const left = new Map<string, string[]>();
    for (let name = way.at(-1); name !== undefined; name = way.at(-1)) {
      const others: string[] = left.get(name) ?? after(name).filter((one) => known.has(one));
      left.set(name, others);
      const next = done.has(name) ? undefined : others.shift();
      if (next === undefined) {
        done.add(name);
        left.delete(name);
        way.pop();
      } else if (left.has(next)) {
        return { cycle: [...way.slice(way.indexOf(next)), next] };
      } else if (!done.has(next)) {
        way.push(next);
      }
    }
  }
  return { order: [...done] };
}
