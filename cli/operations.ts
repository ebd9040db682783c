import type { OperationRecord } from '../shared/registry/operations.ts';
import { choiceOption, numberOption, parseArguments } from './arguments.ts';
import { ask, withCloud } from './cloud.ts';
import { type Command, type ExitCode, exitCode, type Options } from './command.ts';
import { type Found, withWholeLists } from './found.ts';
import { listOperations } from './listing.ts';
import { findOperation } from './lookup.ts';
import { operationReport, paintState, stateText, timeText } from './operation-report.ts';
import { notice, print } from './output.ts';
import { recordJson, recordsJson } from './record-json.ts';
import { table } from './table.ts';

const states = ['running', 'pending', 'deferred', 'succeeded', 'planned', 'failed'];

const options = {
  function: { type: 'string', placeholder: 'NAME', about: 'only those of one function' },
  state: { type: 'string', placeholder: 'STATE', about: `only those that are ${states.join(', ')}` },
  limit: { type: 'string', placeholder: 'N', default: '20', about: 'how many to list (default 20)' },
  json: { type: 'boolean', about: 'print the record, or the list of records, as JSON' },
} as const satisfies Options;

/** `drover operations`: what became of messages. */
export const operations: Command = {
  name: 'operations',
  usage: '[ID] [options]',
  summary: 'list operations, or show one',
  description: [
    'The newest come first. ID is an operation’s own id or that of its record; with it the operation is shown',
    'whole. A list as JSON leaves the messages and statements out.',
  ].join('\n'),
  options,
  examples: ['operations --state failed --limit 5', 'operations billing-1', 'operations billing-1 --json'],
  async run(args) {
    const { values, positionals } = parseArguments(options, args, ['ID']);
    const [id] = positionals;
    const { function: name, json = false } = values;
    const limit = numberOption('limit', values.limit, { least: 1, most: 1000, whole: true });
    const state = choiceOption('state', values.state, states);
    return withCloud(['Firestore'], () =>
      id === undefined ? list({ function: name, state }, limit, json) : show(id, json),
    );
  },
};

async function show(id: string, json: boolean): Promise<ExitCode> {
  const found = await ask(async (db) => withWholeLists(db, await findOperation(db, id)));
  print(...(json ? [recordJson(found.id, found.record)] : operationReport(found, { whole: true })));
  return exitCode.done;
}

async function list(
  selection: { function?: string | undefined; state?: string | undefined },
  limit: number,
  json: boolean,
): Promise<ExitCode> {
  const { function: name, state } = selection;
  const states = state === undefined ? undefined : [state];
  const found = await listOperations({ function: name, states }, limit);
  if (json) print(recordsJson(found));
  else if (found.length === 0) notice('There are no such operations.');
  else print(...operationsTable(found));
  return exitCode.done;
}

/** Why it failed; of a deferred one why it waits, and how long. */
function codeText({ state, error, notBefore }: OperationRecord): string {
  const until = state === 'deferred' && notBefore ? ` until ${timeText(notBefore)}` : '';
  return `${error?.code ?? ''}${until}`;
}

/** Operations, one a line. */
export function operationsTable(found: readonly Found[]): string[] {
  return table(
    ['CREATED', 'FUNCTION', 'STATE', 'OPERATION', 'TARGET', 'CHANGES', 'CODE'],
    found.map(({ record }) => [
      timeText(record.createdAt),
      record.function,
      { text: stateText(record), paint: (text) => paintState(record.state, text) },
      record.operationId,
      record.target ?? '-',
      record.changes === undefined ? '-' : `${record.changes.length}${record.truncated ? '+' : ''}`,
      codeText(record),
    ]),
  );
}
