import { styleText } from 'node:util';
import { OperationError } from '../../shared/operation/errors.ts';
import { kindOf } from '../../shared/postgres/access/access.ts';
import type { RoleRow } from '../../shared/postgres/access/rows.ts';
import { numberOption, parseArguments } from '../arguments.ts';
import { type Command, exitCode, type Options } from '../command.ts';
import { errorLines } from '../error-report.ts';
import { notice, print } from '../output.ts';
import { printableLine } from '../printable.ts';
import { column } from '../table.ts';
import { withDatabases } from './catalog.ts';
import { type Answer, databasesOf, look, type Seen } from './looking.ts';
import { readPlace, readPrincipal } from './place.ts';
import { howText, kindText, reportLines } from './tables.ts';

const options = {
  timeout: {
    type: 'string',
    placeholder: 'SECONDS',
    default: '30',
    about: 'how long each database may take to answer (default 30)',
  },
  json: { type: 'boolean', about: 'print the report as JSON' },
} as const satisfies Options;

/** `drover grants list`: what one principal may do, as the catalog says at this moment. */
export const listGrantsCommand: Command = {
  name: 'grants list',
  usage: 'PRINCIPAL PROJECT:REGION:NAME[/DATABASE] [options]',
  summary: 'show what a principal may do',
  description: [
    'In one database, or in all of an instance that the login of DROVER_INSTANCES may connect to. Shows by which of',
    'Drover’s roles and by what way, and what it has past them: privileges that were granted directly, to PUBLIC',
    'too (in schemas that Drover manages), objects that it owns, attributes. It changes nothing.',
    '',
    'An IAM principal may be named by its whole e-mail address. A database that can’t be looked at is said to be',
    'so, and the exit code is 1.',
  ].join('\n'),
  options,
  examples: [
    'grants list alice@acme.com acme-dev:europe-west1:main/app',
    'grants list alice@acme.com acme-dev:europe-west1:main --json',
  ],
  async run(args) {
    const { values, positionals } = parseArguments(options, args, [
      'PRINCIPAL',
      'PROJECT:REGION:NAME[/DATABASE]',
    ]);
    const principal = readPrincipal(positionals[0]);
    const { instance, database } = readPlace(positionals[1]);
    const timeoutMs = 1000 * numberOption('timeout', values.timeout, { least: 0.1, most: 3600 });
    return withDatabases(async () => {
      const { open, closed } =
        database === undefined ? await databasesOf(instance, timeoutMs) : { open: [database], closed: [] };
      const answers = await look(principal, instance, open, timeoutMs);
      const seen = answers.find((answer) => 'role' in answer);
      const failed = answers.find((answer) => 'error' in answer);
      if (seen === undefined && failed !== undefined) throw failed.error;
      if (seen === undefined) throw notFound(principal, instance);
      if (values.json) print(toJson(instance, seen, answers, closed));
      else tell(instance, seen, answers, closed);
      return failed === undefined ? exitCode.done : exitCode.failed;
    });
  },
};

function notFound(principal: string, instance: string): OperationError {
  return new OperationError(
    'PRINCIPAL_NOT_FOUND',
    `There is no role ${principal} on ${instance}. An IAM principal has one once it was added as a user of the instance.`,
  );
}

/** What a role is allowed by itself, in PostgreSQL's words. */
function attributesOf(role: RoleRow): string[] {
  const attributes: readonly (readonly [boolean, string])[] = [
    [role.superuser, 'SUPERUSER'],
    [role.createRole, 'CREATEROLE'],
    [role.createDatabase, 'CREATEDB'],
    [role.replication, 'REPLICATION'],
    [role.bypassRls, 'BYPASSRLS'],
    [!role.login, 'NOLOGIN'],
    [!role.inherit, 'NOINHERIT'],
  ];
  return attributes.filter(([has]) => has).map(([, name]) => name);
}

function toJson(
  instance: string,
  { role, memberOf }: Seen,
  answers: readonly Answer[],
  closed: readonly string[],
): string {
  const { name: principal } = role;
  const databases = answers.map((answer) => {
    if ('error' in answer) {
      const { code, message } = answer.error;
      return { database: answer.database, error: { code, message } };
    }
    if (!('report' in answer)) return { database: answer.database };
    const { managed, direct, asDrover, cut } = answer.report;
    const connect = answer.role.connect;
    return {
      database: answer.database,
      connect,
      managed,
      direct,
      asDrover: asDrover.length > 0,
      cut: cut.length > 0,
    };
  });
  const attributes = attributesOf(role);
  const report = {
    instance,
    principal,
    kind: kindOf(role),
    attributes,
    memberOf,
    databases,
    notLookedInto: closed,
  };
  return JSON.stringify(report, undefined, 2);
}

function tell(
  instance: string,
  { role, memberOf }: Seen,
  answers: readonly Answer[],
  closed: readonly string[],
): void {
  print(
    `${styleText('bold', printableLine(role.name))}  ${kindText(kindOf(role))} on ${instance}`,
    ...column([
      ['attributes', attributesOf(role).join(', ') || '-'],
      ['member of', printableLine(memberOf.map((one) => `${one.role} (${howText(one)})`).join(', ')) || '-'],
    ]),
  );
  for (const answer of answers) {
    const title = styleText('bold', printableLine(answer.database));
    if ('error' in answer) print('', title, ...errorLines(answer.error).map((line) => `  ${line}`));
    else if ('report' in answer) {
      const lines = reportLines({ ...answer.report, superusers: [] });
      print(
        '',
        title,
        ...(lines.length === 0 ? ['  nothing'] : lines.slice(lines[0] === '' ? 1 : 0).map(indent)),
      );
    }
  }
  if (closed.length > 0) {
    notice(printableLine(`Not looked into, for the login may not connect there: ${closed.join(', ')}`));
  }
}

function indent(line: string): string {
  return line === '' ? '' : `  ${line}`;
}
