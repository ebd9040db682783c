import { readFileSync } from 'node:fs';
import path from 'node:path';
import { functionLogin, readManifests } from '../shared/manifest.ts';
import { parseArguments } from './arguments.ts';
import { type Command, exitCode, type Options } from './command.ts';
import { loadLocalEnvironment } from './environment.ts';
import { print } from './output.ts';
import { didYouMean } from './suggest.ts';
import { UsageError } from './usage-error.ts';

const preparation = path.resolve(import.meta.dirname, '..', 'shared', 'postgres', 'prepare.sql');

/** Google's rules, and the older projects of a domain: `example.com:project`. */
const projectId = /^[a-z0-9][a-z0-9.:-]*$/;

const options = {
  project: {
    type: 'string',
    placeholder: 'ID',
    about: 'project of the functions’ service accounts (default: GOOGLE_CLOUD_PROJECT)',
  },
  function: {
    type: 'string',
    placeholder: 'NAME',
    multiple: true,
    about: 'only for this function; may be repeated (default: all that change databases)',
  },
} as const satisfies Options;

/** `drover prepare`: the SQL that makes an instance ready for Drover. */
export const prepare: Command = {
  name: 'prepare',
  usage: '[options]',
  summary: 'print the SQL that prepares an instance',
  description: [
    'To be run by the instance’s admin (on Cloud SQL: postgres) in any database, and again whenever a function',
    'is added. The functions’ service accounts must be users of the instance before.',
  ].join('\n'),
  options,
  examples: [
    'prepare --project acme-prod | psql "host=10.0.0.3 user=postgres dbname=postgres" --set ON_ERROR_STOP=1',
  ],
  async run(args) {
    const { values } = parseArguments(options, args);
    if (values.project === undefined) loadLocalEnvironment();
    const project = values.project ?? process.env['GOOGLE_CLOUD_PROJECT'];
    if (!project) throw new UsageError('Which project? Give --project, or set GOOGLE_CLOUD_PROJECT.');
    if (!projectId.test(project)) throw new UsageError(`${project} is no project’s id`);
    print(preparationSql(project, values.function));
    return exitCode.done;
  },
};

/**
 * The preparation SQL with the logins of functions filled in.
 *
 * @param names of the functions; undefined for all that write
 */
function preparationSql(project: string, names: readonly string[] | undefined): string {
  const writers = readManifests()
    .filter(({ permissions }) => permissions.database === 'writer')
    .map(({ name }) => name);
  for (const name of names ?? []) {
    if (writers.includes(name)) continue;
    throw new UsageError(
      `No function ${name} changes databases.${didYouMean(name, writers)}\nFunctions: ${writers.join(', ')}`,
    );
  }
  const logins = [...new Set(names ?? writers)].map((name) => functionLogin(name, project));
  return `SET drover.logins = '${logins.join(',')}';\n\n${readFileSync(preparation, 'utf8').trimEnd()}`;
}
