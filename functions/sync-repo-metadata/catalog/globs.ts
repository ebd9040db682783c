import picomatch from 'picomatch';
import { expandGlob } from './glob-syntax.ts';

type Part = '**' | ((part: string) => boolean);

/**
 * Whether one of some globs covers a path: `*` and `?` within a part, `**` for any number of parts, `{a,b}`, `[a-z]`. A part that
 * begins with a dot is covered only by one that does, too.
 *
 * A glob as one regular expression tries each way to match one part with each way to match the others. So parts are matched one
 * by one.
 *
 * @throws Error that says what is wrong with a glob, and what to write instead
 */
export function anyOf(globs: readonly string[]): (path: string) => boolean {
  const expanded = globs.flatMap((glob) => expandGlob(glob)).map((parts) => parts.map(compilePart));
  return (path) => {
    const parts = path.split('/');
    return expanded.some((glob) => covers(glob, parts));
  };
}

function compilePart(part: string): Part {
  if (part === '**') return part;
  if (!/[*?[\]]/.test(part)) return (text) => text === part;
  const expression = picomatch.makeRe(part, {
    // Its short cut for simple globs takes `++` for a repeated plus.
    fastpaths: false,
    noextglob: true,
    nonegate: true,
    strictSlashes: true,
    // Otherwise what is wrong with it, as [z-a], becomes a glob that covers nothing.
    debug: true,
  });
  return (text) => expression.test(text);
}

/** Goes along a path with all the places in the glob that it may have come to. */
function covers(glob: readonly Part[], path: readonly string[]): boolean {
  let places = new Set([0]);
  for (const [index, text] of path.entries()) {
    const next = new Set<number>();
    for (const place of places) {
      let at = place;
      // For no part: but at the end it stands for one at least.
      for (; glob[at] === '**'; at += 1) {
        if (text.startsWith('.')) continue;
        next.add(at);
        if (at === glob.length - 1 && index === path.length - 1) return true;
      }
      const part = glob[at];
      if (typeof part === 'function' && part(text)) next.add(at + 1);
    }
    if (next.size === 0) return false;
    places = next;
  }
  return places.has(glob.length);
}
