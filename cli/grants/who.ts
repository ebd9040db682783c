import { styleText } from 'node:util';
import { OperationError } from '../../shared/operation/errors.ts';
import { accessReport, levelsIn, ofLevel } from '../../shared/postgres/access/access.ts';
import { whoQuery } from '../../shared/postgres/access/query.ts';
import type { AccessReport } from '../../shared/postgres/access/report.ts';
import { type AccessRows, readAccessRows } from '../../shared/postgres/access/rows.ts';
import { formatTarget, type Target } from '../../shared/postgres/target.ts';
import { numberOption, parseArguments } from '../arguments.ts';
import { type Command, exitCode, type Options } from '../command.ts';
import { notice, print } from '../output.ts';
import { printableLine } from '../printable.ts';
import { didYouMean } from '../suggest.ts';
import { UsageError } from '../usage-error.ts';
import { askDatabase, withDatabases } from './catalog.ts';
import { readLevel, readPlace, readSchema } from './place.ts';
import { reportLines } from './tables.ts';

const options = {
  schema: {
    type: 'string',
    placeholder: 'NAME',
    about: 'only this schema (default: all that Drover manages)',
  },
  level: {
    type: 'string',
    placeholder: 'LEVEL',
    about: 'only who has this level or custom role; leaves out rights past Drover’s roles',
  },
  timeout: {
    type: 'string',
    placeholder: 'SECONDS',
    default: '30',
    about: 'how long the database may take to answer (default 30)',
  },
  json: { type: 'boolean', about: 'print the report as JSON' },
} as const satisfies Options;

/** `drover grants who`: who has access, as the catalog says at this moment. */
export const whoCommand: Command = {
  name: 'grants who',
  usage: 'PROJECT:REGION:NAME/DATABASE [options]',
  summary: 'show who may do what in a schema',
  description: [
    'Asks the database itself, by the entry of DROVER_INSTANCES that covers the instance; it changes nothing.',
    'Shows who is a member of Drover’s roles and by what way, and who has rights past them: privileges that',
    'were granted directly, to PUBLIC too, objects that belong to somebody else, superusers.',
    '',
    'HOW says whether that is so at once (inherits), after SET ROLE, or only could be (ADMIN).',
  ].join('\n'),
  options,
  examples: [
    'grants who acme-dev:europe-west1:main/app --schema billing',
    'grants who acme-dev:europe-west1:main/app --level owner --json',
  ],
  async run(args) {
    const { values, positionals } = parseArguments(options, args, ['PROJECT:REGION:NAME/DATABASE']);
    const { instance, database } = readPlace(positionals[0]);
    if (database === undefined) throw new UsageError('Which database? Give PROJECT:REGION:NAME/DATABASE.');
    const target: Target = { instance, database };
    const schema = values.schema === undefined ? undefined : readSchema(values.schema);
    const level = values.level === undefined ? undefined : readLevel(values.level);
    const timeoutMs = 1000 * numberOption('timeout', values.timeout, { least: 0.1, most: 3600 });
    return withDatabases(async () => {
      const rows = readAccessRows(await askDatabase(target, whoQuery(schema), timeoutMs));
      requireThere(target, rows, schema, level);
      const report = accessReport(rows);
      const shown = level === undefined ? report : ofLevel(report, level);
      if (values.json) print(JSON.stringify({ instance, schemas: rows.schemas, ...shown }, undefined, 2));
      else tell(target, rows, shown, level);
      return exitCode.done;
    });
  },
};

/** Nobody having access to what isn't there would be a comforting answer, and a wrong one. */
function requireThere(target: Target, rows: AccessRows, schema?: string, level?: string): void {
  if (schema !== undefined && rows.schemas.length === 0) {
    throw new OperationError('SCHEMA_NOT_FOUND', `There is no schema ${schema} in ${formatTarget(target)}`);
  }
  const levels = levelsIn(rows);
  if (level === undefined || levels.includes(level)) return;
  const known = levels.length === 0 ? 'no roles of Drover’s' : levels.join(', ');
  throw new OperationError(
    'NOT_FOUND',
    `There is no level or custom role ${level} here, but ${known}.${didYouMean(level, levels)}`,
  );
}

function tell(target: Target, rows: AccessRows, report: AccessReport, level?: string): void {
  const nobody =
    level === undefined ? 'Nobody has access but those named here.' : `Nobody has the level ${level}.`;
  if (rows.schemas.length === 0) notice('Drover manages no schema in this database.');
  else if (levelsIn(rows).length === 0) notice('Drover does not manage this schema.');
  print(
    `${styleText('bold', printableLine(formatTarget(target)))}  ${rows.schemas.join(', ')}`.trimEnd(),
    ...(report.managed.length + report.direct.length === 0 ? ['', nobody] : []),
    ...reportLines(report),
  );
}
