import picomatch from 'picomatch';

/** A glob is a regular expression in the end, and tries more ways with each of these. */
const mostStars = 8;

/**
 * Whether one of some globs covers a path: `*` and `?` within a part, `**` for any number of parts, `{a,b}`, `[a-z]`. A part that
 * begins with a dot is covered only by one that does, too.
 *
 * @throws Error that says what is wrong with a glob
 */
export function anyOf(globs: readonly string[]): (path: string) => boolean {
  for (const glob of globs) {
    const stars = glob.match(/\*+/g)?.length ?? 0;
    if (stars > mostStars) throw new Error(`${glob} has more than ${mostStars} stars`);
    if (glob.startsWith('/')) throw new Error(`${glob} begins with /: paths begin at the repository’s root`);
    if (glob.startsWith('!'))
      throw new Error(`${glob} begins with !: what is to be left out goes to exclude`);
  }
  if (globs.length === 0) return () => false;
  return picomatch([...globs], { noextglob: true, nonegate: true, strictSlashes: true, maxLength: 512 });
}
