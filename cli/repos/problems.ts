import { formatTarget } from '../../shared/postgres/target.ts';
import type { RepositoryProblem, RepositoryRecord } from '../../shared/registry/repositories/model.ts';
import { parseArguments } from '../arguments.ts';
import { withCloud } from '../cloud.ts';
import { type Command, exitCode, type Options } from '../command.ts';
import { notice, print } from '../output.ts';
import { printableLine } from '../printable.ts';
import { toJson } from '../record-json.ts';
import { didYouMean } from '../suggest.ts';
import { table } from '../table.ts';
import { UsageError } from '../usage-error.ts';
import { problemJson } from './json.ts';
import { placeArguments, placeOptions, readPlaceGiven } from './place.ts';
import { findRepository, readRepositoryName } from './record.ts';
import { problemPlace } from './state.ts';

const options = {
  ...placeOptions,
  collection: { type: 'string', placeholder: 'NAME', about: 'only those of one collection' },
  json: { type: 'boolean', about: 'print the list of problems as JSON' },
} as const satisfies Options;

/** `drover repos problems` */
export const repositoryProblemsCommand: Command = {
  name: 'repos problems',
  usage: 'REPOSITORY [options]',
  summary: 'show which files of a repository could not be taken as they are, where and why',
  description: [
    'Those that the last sync found, as PATH:LINE:COLUMN. Of a file that can’t be read the tables keep the last content that',
    'could. The registry has the first hundred; the table `syncs` of the repository’s schema has all.',
  ].join('\n'),
  options,
  examples: ['repos problems acme/site', 'repos problems acme/site --collection plots --json'],
  async run(args) {
    const { values, positionals } = parseArguments(options, args, ['REPOSITORY']);
    const name = readRepositoryName(positionals[0]);
    const place = readPlaceGiven(values);
    return withCloud(['Firestore'], async () => {
      const record = await findRepository(name, place);
      const problems = problemsOf(record, values.collection);
      if (values.json) print(toJson(problems.map(problemJson)));
      else if (problems.length > 0) print(...problemTable(problems));
      else notice(noneText(record, values.collection));
      for (const line of caveats(record, placeArguments(place))) notice(printableLine(line));
      return exitCode.done;
    });
  },
};

/** @throws UsageError where there is no such collection */
function problemsOf(
  { problems, collections }: RepositoryRecord,
  collection: string | undefined,
): readonly RepositoryProblem[] {
  if (collection === undefined) return problems;
  const found = problems.filter((problem) => problem.collection === collection);
  if (found.length > 0 || Object.hasOwn(collections, collection)) return found;
  const names = Object.keys(collections);
  throw new UsageError(`There is no collection ${collection} in it.${didYouMean(collection, names)}`, {
    seeHelp: false,
  });
}

function noneText({ problems, counts }: RepositoryRecord, collection: string | undefined): string {
  if (collection === undefined) return 'There are no problems.';
  const among = counts.problems > problems.length ? `Among the first ${problems.length} are` : 'There are';
  return `${among} no problems of the collection ${collection}.`;
}

/** What is not in the list, and where it is. */
function caveats(record: RepositoryRecord, place: string): string[] {
  const { repository, problems, counts, number, schema, failure } = record;
  const isCut = counts.problems > problems.length;
  return [
    ...(isCut
      ? [
          `The registry keeps the first ${problems.length} of ${counts.problems}. All are in ${schema}.syncs of ${formatTarget(record)}, in the row of ${repository} with the number ${number}.`,
        ]
      : []),
    ...(failure
      ? [
          `These are of the last sync that was done; ${failure.code} since: drover repos show ${repository}${place}`,
        ]
      : []),
  ];
}

function problemTable(problems: readonly RepositoryProblem[]): string[] {
  return table(
    ['PLACE', 'CODE', 'COLLECTION', 'MESSAGE'],
    problems
      .map(problemJson)
      .map((problem) => [problemPlace(problem), problem.code, problem.collection ?? '-', problem.message]),
  );
}

/** The same without a head, and without what is clear from the place. */
export function problemRows(problems: readonly RepositoryProblem[]): string[] {
  return table(
    ['', '', ''],
    problems.map(problemJson).map((problem) => [problemPlace(problem), problem.code, problem.message]),
  ).slice(1);
}
