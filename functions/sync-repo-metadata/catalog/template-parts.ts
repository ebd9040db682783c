/**
 * A part of a path's template: texts with a name between each two of them. A rest has one name, which with the texts around it
 * stands for one or more parts.
 */
export interface TemplatePart {
  readonly isRest: boolean;
  readonly texts: readonly string[];
}

const name = /\{[a-z0-9_]+(?:\.\.\.)?\}/;
const mostNames = 3;

/**
 * @param part of a template whose braces are names
 * @throws Error that says what is wrong with it
 */
export function parsePart(part: string): TemplatePart {
  const isRest = part.includes('...}');
  const texts = part.split(name);
  if (isRest && texts.length > 2) {
    const rest = /\{[a-z0-9_]+\.\.\.\}/.exec(part)?.[0];
    throw new Error(`has ${rest} beside another name: a name with dots is the only one between two slashes`);
  }
  if (texts.length - 1 > mostNames) {
    throw new Error(`has more than ${mostNames} names in one part of the path, ${part}: name fewer`);
  }
  return { isRest, texts };
}

/**
 * What stands for the names, from left to right, each as long as it can be. It is what a regular expression finds that tries all
 * ways; from right to left the first way is the one.
 */
export function takeParts(template: readonly TemplatePart[], path: readonly string[]): string[] | undefined {
  const first = template.findIndex(({ isRest }) => isRest);
  if (first < 0) return template.length === path.length ? takeEach(template, path) : undefined;
  const last = template.findLastIndex(({ isRest }) => isRest);
  const start = first;
  const end = path.length - (template.length - last - 1);
  if (end <= start) return undefined;
  const before = takeEach(template.slice(0, first), path);
  const after = before && takeEach(template.slice(last + 1), path.slice(end));
  if (before === undefined || after === undefined) return undefined;
  const rest = (index: number, from: number, to: number) =>
    takePart(template[index]?.texts ?? [], path.slice(from, to).join('/'));
  if (first === last) {
    const all = rest(first, start, end);
    return all && [...before, ...all, ...after];
  }
  const middle = template.slice(first + 1, last);
  for (let at = end - 1 - middle.length; at > start; at -= 1) {
    const taken = takeEach(middle, path.slice(at));
    const left = taken && rest(first, start, at);
    const right = left && rest(last, at + middle.length, end);
    if (right) return [...before, ...left, ...taken, ...right, ...after];
  }
  return undefined;
}

function takeEach(template: readonly TemplatePart[], path: readonly string[]): string[] | undefined {
  const values: string[] = [];
  for (const [index, { texts }] of template.entries()) {
    const taken = takePart(texts, path[index] ?? '');
    if (taken === undefined) return undefined;
    values.push(...taken);
  }
  return values;
}

function takePart([first = '', ...others]: readonly string[], part: string): string[] | undefined {
  const last = others.pop();
  if (last === undefined) return part === first ? [] : undefined;
  if (!part.startsWith(first) || !part.endsWith(last)) return undefined;
  const values: string[] = [];
  let end = part.length - last.length;
  for (const text of others.reverse()) {
    // Where it isn't, the first name has nothing left.
    const at = part.lastIndexOf(text, end - 1 - text.length);
    values.unshift(part.slice(at + text.length, end));
    end = at;
  }
  return end > first.length ? [part.slice(first.length, end), ...values] : undefined;
}
