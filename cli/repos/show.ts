import { styleText } from 'node:util';
import type { RepositoryFailure, RepositoryRecord } from '../../shared/registry/repositories/model.ts';
import { parseArguments } from '../arguments.ts';
import { withCloud } from '../cloud.ts';
import { type Command, exitCode, type Options } from '../command.ts';
import { errorLines } from '../error-report.ts';
import { type Fact, factLines, given } from '../facts.ts';
import { timeText } from '../operation-report.ts';
import { print } from '../output.ts';
import { printableLine } from '../printable.ts';
import { toJson } from '../record-json.ts';
import { whereText } from '../where.ts';
import { repositoryJson } from './json.ts';
import { type PlaceGiven, placeArguments, placeOptions, readPlaceGiven } from './place.ts';
import { problemRows } from './problems.ts';
import { findRepository, readRepositoryName, syncedText } from './record.ts';
import { paintRepositoryState } from './state.ts';

/** More of them: `drover repos problems`. */
const shownProblems = 10;

const options = {
  ...placeOptions,
  json: { type: 'boolean', about: 'print what the registry has of it as JSON' },
} as const satisfies Options;

/** `drover repos show` */
export const showRepositoryCommand: Command = {
  name: 'repos show',
  usage: 'REPOSITORY [options]',
  summary: 'show which commit of a repository is where, what that sync did, and what failed since',
  description: [
    'Where it is synced to several places, the options tell them apart. The commit, the counts and the problems are of',
    'the last sync that was done, also where a message failed since.',
  ].join('\n'),
  options,
  examples: ['repos show acme/site', 'repos show acme/site --schema preview --json'],
  async run(args) {
    const { values, positionals } = parseArguments(options, args, ['REPOSITORY']);
    const name = readRepositoryName(positionals[0]);
    const place = readPlaceGiven(values);
    return withCloud(['Firestore'], async () => {
      const record = await findRepository(name, place);
      print(...(values.json ? [toJson(repositoryJson(record))] : report(record, place)));
      return exitCode.done;
    });
  },
};

function report(record: RepositoryRecord, place: PlaceGiven): string[] {
  const { repository, state, failure, problems, counts } = record;
  const shown = problems.slice(0, shownProblems);
  const left = counts.problems - shown.length;
  const more = `… and ${left} more: drover repos problems ${printableLine(repository)}${placeArguments(place)}`;
  return [
    `${styleText('bold', printableLine(repository))}  ${paintRepositoryState(state)}`,
    ...factLines(facts(record)),
    ...section('Failure', failure ? failureLines(failure) : []),
    ...section('Problems', [...problemRows(shown), ...(left > 0 ? [more] : [])]),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', styleText('bold', `${title}:`), ...lines.map((line) => `  ${line}`)];
}

function facts(record: RepositoryRecord): Fact[] {
  const { source, ref, commit, committedAt, number, operation } = record;
  const isSynced = number > 0;
  const made = committedAt === undefined ? '' : ` of ${timeText(committedAt)}`;
  return [
    ['where', whereText(record)],
    ['source', ref === undefined ? source : `${source}, ${ref}`],
    ...given('commit', commit && `${commit}${made}`),
    ['synced', isSynced ? `${syncedText(record)}: drover operations ${operation}` : 'never'],
    ...given('sync', isSynced ? String(number) : null),
    ...given('documents', isSynced ? documentsText(record) : null),
    ...given('collections', collectionsText(record)),
    ...given('problems', isSynced ? String(record.counts.problems) : null),
  ];
}

function documentsText({ counts }: RepositoryRecord): string {
  const { documents, added, updated, deleted, unchanged } = counts;
  return `${documents}: ${added} added, ${updated} updated, ${unchanged} unchanged; ${deleted} deleted`;
}

/** Firestore keeps no order of fields. */
function collectionsText({ collections }: RepositoryRecord): string {
  return Object.entries(collections)
    .sort()
    .map(([name, documents]) => `${name} ${documents}`)
    .join(', ');
}

/** The message of an error says what to do about it; after that it can be run again. */
function failureLines({ code, message, at, operation }: RepositoryFailure): string[] {
  return [
    ...errorLines({ code, message }),
    `At ${timeText(at)}: drover operations ${operation}`,
    `When that is mended: drover dead-letters replay ${operation}, or send a newer message`,
  ];
}
