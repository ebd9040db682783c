import { type RepositorySummary, repositoryStates } from '../../shared/registry/repositories/model.ts';
import { choiceOption, numberOption, parseArguments } from '../arguments.ts';
import { withCloud } from '../cloud.ts';
import { type Command, exitCode, type Options } from '../command.ts';
import { notice, print } from '../output.ts';
import { toJson } from '../record-json.ts';
import { table } from '../table.ts';
import { whereText } from '../where.ts';
import { repositoryJson } from './json.ts';
import { placeOptions, readPlaceGiven } from './place.ts';
import { listRepositories, syncedText } from './record.ts';
import { paintRepositoryState } from './state.ts';

const options = {
  ...placeOptions,
  state: {
    type: 'string',
    placeholder: 'STATE',
    about: `only those that are ${repositoryStates.join(' or ')}`,
  },
  limit: { type: 'string', placeholder: 'N', default: '100', about: 'how many to list (default 100)' },
  json: { type: 'boolean', about: 'print the list of records as JSON, without problems' },
} as const satisfies Options;

/** `drover repos list` */
export const listRepositoriesCommand: Command = {
  name: 'repos list',
  usage: '[options]',
  summary: 'list the repositories that are synced, and where to',
  description: [
    'By name, as the registry has them. One that is failed could not do the newest message about it, for the reason in',
    'FAILURE: its tables are as the last sync left them, and so are the other columns.',
  ].join('\n'),
  options,
  examples: ['repos list --state failed', 'repos list --database app --limit 1000 --json'],
  async run(args) {
    const { values } = parseArguments(options, args);
    const limit = numberOption('limit', values.limit, { least: 1, most: 10_000, whole: true });
    const state = choiceOption('state', values.state, repositoryStates);
    const selection = { ...readPlaceGiven(values), ...(state && { state }) };
    return withCloud(['Firestore'], async () => {
      const found = await listRepositories(selection, limit + 1);
      const repositories = found.slice(0, limit);
      const isFiltered = Object.keys(selection).length > 0;
      if (values.json) print(toJson(repositories.map(repositoryJson)));
      else if (repositories.length > 0) print(...repositoriesTable(repositories));
      else notice(isFiltered ? 'There are no such repositories.' : noRepositories);
      if (found.length > limit) notice(`There are more than ${limit}; --limit lists more.`);
      return exitCode.done;
    });
  },
};

const noRepositories =
  'No repository was ever synced. Send sync-repo-metadata:\n' +
  `  drover send sync-repo-metadata --wait --data '{"repository":"acme/site","source":"github","target":{…}}'`;

function repositoriesTable(repositories: readonly RepositorySummary[]): string[] {
  return table(
    ['REPOSITORY', 'STATE', 'WHERE', 'COMMIT', 'SYNCED', 'DOCUMENTS', 'PROBLEMS', 'FAILURE'],
    repositories.map((one) => [
      one.repository,
      { text: one.state, paint: (text) => paintRepositoryState(one.state, text) },
      whereText(one),
      one.commit?.slice(0, 12) ?? '-',
      syncedText(one),
      String(one.counts.documents),
      String(one.counts.problems),
      one.failure?.code ?? '',
    ]),
  );
}
