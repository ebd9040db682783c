import type { OrderedObject, Phase } from './describe/order.ts';

/** Statements of one schema in one phase: an object of the archive, to be run as the schema's owner. */
export interface DefinitionsPart {
  readonly object: string;
  readonly phase: Phase;
  readonly schema: string;
  readonly text: string;
}

/** Cuts what is to be made into parts: a new one where the next object is another schema's or belongs to another phase. */
export function definitionParts(objects: readonly OrderedObject[]): DefinitionsPart[] {
  const runs: OrderedObject[][] = [];
  for (const object of objects) {
    const [last] = runs.at(-1) ?? [];
    if (last && last.phase === object.phase && last.schema === object.schema) runs.at(-1)?.push(object);
    else runs.push([object]);
  }
  return runs.flatMap((run, index) => {
    const [first] = run;
    if (first === undefined) return [];
    const { phase, schema } = first;
    const number = String(index + 1).padStart(2, '0');
    return [
      {
        object: `definitions/${number}-${schema}.${phase}.sql`,
        phase,
        schema,
        text: run.map(written).join('\n'),
      },
    ];
  });
}

function written({ kind, name, statements }: OrderedObject): string {
  return `${heading(kind, name)}\n${statements.map((statement) => `${ended(statement)}\n`).join('')}`;
}

/** A line of its own for each object, whatever characters its name has. */
function heading(kind: string, name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a name must not end the comment that it is in
  return `-- ${kind} ${name.replace(/[\u0000-\u001f\u007f\u0085\u2028\u2029]/g, ' ')}`;
}

/** Some of PostgreSQL's functions end a statement, some don't. */
function ended(statement: string): string {
  return `${statement.trimEnd().replace(/;$/, '')};`;
}

/**
 * The object that a statement of a part is about.
 *
 * @param position of a character in it, counted from 1
 */
export function objectAt(text: string, position: number): string | undefined {
  return /(?:^|\n)-- ([^\n]*)\n(?!.*\n-- )/s.exec(text.slice(0, position))?.[1];
}
