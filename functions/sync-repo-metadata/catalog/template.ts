import { parsePart, takeParts } from './template-parts.ts';

/** What a path is made of, by the names in its template. */
export type Parts = Readonly<Record<string, string>>;

/** Names that every path has. */
export const givenNames = ['path', 'directory', 'stem', 'extension'] as const;

/** Columns of every collection's view. */
export const documentColumns = [
  'key',
  'path',
  'title',
  'metadata',
  'text',
  'refs',
  'search',
  'blob',
  'created_commit',
  'created_at',
  'updated_commit',
  'updated_at',
] as const;

/** With dots after it one is a rest: it stands for one or more whole parts. */
const name = /\{([a-z][a-z0-9_]{0,62})(\.\.\.)?\}/g;

const mostNames = 10;
const mostRests = 2;

/**
 * `plots/{id}/{language}/{library}.yaml` as something that takes paths apart. A name stands for a part of the path or some of
 * one, and takes as much as it can; `{name...}` for one or more whole parts.
 *
 * @throws Error that says what is wrong with the template
 */
export function pathTemplate(template: string): {
  readonly names: readonly string[];
  take(path: string): Parts | undefined;
} {
  const found = [...template.matchAll(name)];
  const names = found.map(([, one = '']) => one);
  if (names.length > mostNames) throw new Error(`has more than ${mostNames} names`);
  const twice = names.find((one, index) => names.indexOf(one) !== index);
  if (twice !== undefined) throw new Error(`has {${twice}} twice`);
  const given = names.find((one) => (givenNames as readonly string[]).includes(one));
  if (given !== undefined) throw new Error(`has {${given}}, which every path has anyway`);
  const column = names.find((one) => (documentColumns as readonly string[]).includes(one));
  if (column !== undefined)
    throw new Error(`has {${column}}, which every view has a column for: call it otherwise`);
  if (/\}\{/.test(template)) throw new Error('has two names with nothing between them');
  refuseBraces(template);
  const parts = template.split('/').map(parsePart);
  if (parts.filter(({ isRest }) => isRest).length > mostRests) {
    throw new Error(`has more than ${mostRests} names with dots: write {name} for a single part`);
  }
  return {
    names,
    take(path) {
      const values = takeParts(parts, path.split('/'));
      return values && Object.fromEntries(names.map((one, index) => [one, values[index] ?? '']));
    },
  };
}

/**
 * `{id}/{library}` as something that makes keys.
 *
 * @param names that there are beside {@link givenNames}
 * @throws Error that says what is wrong with the template
 */
export function keyTemplate(template: string, names: readonly string[]): (parts: Parts) => string {
  refuseBraces(template);
  const known: readonly string[] = [...givenNames, ...names];
  for (const [, one = '', many] of template.matchAll(name)) {
    if (many !== undefined) throw new Error(`has {${one}...}: in a key it is {${one}}`);
    if (!known.includes(one)) {
      throw new Error(
        `has {${one}}, which path doesn't: there are ${known.map((each) => `{${each}}`).join(', ')}`,
      );
    }
  }
  return (parts) => template.replaceAll(name, (_, one: string) => parts[one] ?? '');
}

/** What every path is made of. */
export function givenParts(path: string): Parts {
  const slash = path.lastIndexOf('/');
  const file = path.slice(slash + 1);
  const dot = file.lastIndexOf('.');
  const hasExtension = dot > 0;
  return {
    path,
    directory: slash < 0 ? '' : path.slice(0, slash),
    stem: hasExtension ? file.slice(0, dot) : file,
    extension: hasExtension ? file.slice(dot + 1) : '',
  };
}

function refuseBraces(template: string): void {
  const rest = template.replaceAll(name, '');
  if (/[{}]/.test(rest)) {
    throw new Error('has a brace that is no name: {name}, of lower-case letters, digits and underscores');
  }
}
