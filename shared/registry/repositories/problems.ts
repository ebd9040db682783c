import type { RepositoryProblem } from './model.ts';

/** More than anybody reads here: the table has all of them. */
export const mostProblems = 100;

/** Of a message or a path, in characters. */
const longestText = 1000;

/** Of all that are kept, as JSON: a document of Firestore holds 1 MiB. */
const mostBytes = 256 * 1024;

/** The first problems of a sync, as a record has room for them. */
export function keptProblems(problems: readonly RepositoryProblem[]): RepositoryProblem[] {
  const first = problems.slice(0, mostProblems).map(shortened);
  let bytes = 0;
  const tooMany = first.findIndex((problem) => {
    bytes += Buffer.byteLength(JSON.stringify(problem));
    return bytes > mostBytes;
  });
  return tooMany < 0 ? first : first.slice(0, tooMany);
}

/** Field by field: whatever else somebody hangs on a problem stays out of the registry. */
function shortened({ code, path, line, column, message, collection }: RepositoryProblem): RepositoryProblem {
  return {
    code: cut(code),
    path: cut(path),
    ...(line === undefined ? {} : { line }),
    ...(column === undefined ? {} : { column }),
    message: cut(message),
    ...(collection === undefined ? {} : { collection: cut(collection) }),
  };
}

function cut(text: string): string {
  // Half of a character is left where one is cut in two, and Firestore takes none.
  const whole = text.toWellFormed();
  if (whole.length <= longestText) return whole;
  return `${whole.slice(0, longestText - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
