/** What a glob may have; each is more than a path needs, and few enough that no path takes long. */
const mostCharacters = 512;
const mostStarsInPart = 2;
const mostGlobstars = 2;
const mostGroups = 2;
const mostAlternatives = 16;

/** What `[…]` may have: letters, digits, `_`, `.` and `-`; the rest is for regular expressions. */
const characterClass = /\[\^?[\p{L}\p{N}_.-]+\]/gu;

const group = /\{([^{}]*)\}/;

/**
 * The globs without `{a,b}` that a glob stands for, each as its parts.
 *
 * @throws Error that says what is wrong with it, and what to write instead
 */
export function expandGlob(glob: string): string[][] {
  refuseSyntax(glob);
  const globs = expandGroups(glob.replace(/^\.\//, '')).map((one) => one.split('/'));
  for (const parts of globs) refuseParts(glob, parts);
  return globs;
}

function refuseSyntax(glob: string): void {
  const shown = glob.length > 100 ? `${glob.slice(0, 100)}…` : glob;
  const refuse = (why: string): never => {
    throw new Error(`${shown} ${why}`);
  };
  if (glob.length > mostCharacters) refuse(`has more than ${mostCharacters} characters: write several globs`);
  if (glob.startsWith('/')) refuse('begins with /: paths begin at the repository’s root');
  if (glob.startsWith('!')) refuse('begins with !: what is to be left out goes to exclude');
  const [wrong] = /[()|]/.exec(glob) ?? [];
  if (wrong !== undefined) refuse(`has ${wrong}: for one of several write {a,b}, for such a character ?`);
  if (glob.includes('\\')) refuse('has a backslash: write ? for a character that means something in a glob');
  if (glob.includes('"')) refuse('has a quotation mark: write ? for it');
  const groups = glob.match(/\{/g)?.length ?? 0;
  if (groups > mostGroups) refuse(`has more than ${mostGroups} groups {a,b}: write several globs`);
  const alternatives = [...glob.matchAll(/\{([^{}]*)\}/g)].map(([, inside = '']) => inside.split(','));
  if (alternatives.length !== groups || (glob.match(/\}/g)?.length ?? 0) !== groups) {
    refuse('has a brace without its other one, or braces in braces: write {a,b}, or several globs');
  }
  if (alternatives.some((each) => each.length < 2)) {
    refuse('has braces with nothing to choose from: write {a,b}, or * for a part of any name');
  }
  if (alternatives.flat().some((each) => each.includes('..'))) refuse('has a range in braces: write {1,2,3}');
  if (alternatives.flat().length > mostAlternatives) {
    refuse(`has more than ${mostAlternatives} alternatives in braces: write several globs`);
  }
  if (glob.includes('[!')) refuse('has [!: write [^ab] for any character but these');
  if (/[[\]]/.test(glob.replace(characterClass, ''))) {
    refuse('has a bracket that is no [a-z]: letters, digits, _, . and - can be in one, or ^ and these');
  }
}

function refuseParts(glob: string, parts: readonly string[]): void {
  if (parts.filter((part) => part === '**').length > mostGlobstars) {
    throw new Error(`${glob} has more than ${mostGlobstars} **: one stands for any number of parts already`);
  }
  for (const part of parts) {
    if (part === '**') continue;
    if (part === '.' || part === '..') throw new Error(`${glob} has the part ${part}, which no path has`);
    if (part.includes('**')) {
      throw new Error(`${glob} has ** within a part: write * there, or ** between two slashes`);
    }
    if ((part.match(/\*/g)?.length ?? 0) > mostStarsInPart) {
      throw new Error(`${glob} has more than ${mostStarsInPart} stars in one part of the path: write one`);
    }
    // Anywhere else it is a plus.
    if (part.includes(']+')) throw new Error(`${glob} has a + after ]: write * for any run of characters`);
  }
}

function expandGroups(glob: string): string[] {
  const found = group.exec(glob);
  if (found === null) return [glob];
  const [whole, inside = ''] = found;
  const before = glob.slice(0, found.index);
  const after = glob.slice(found.index + whole.length);
  return inside.split(',').flatMap((one) => expandGroups(before + one + after));
}
