import { isFinal } from '../../shared/registry/operations.ts';
import { parseArguments, waitingTimeMs } from '../arguments.ts';
import { awaitEach } from '../await-end.ts';
import { withCloud } from '../cloud.ts';
import { type Command, type ExitCode, exitCode, type Options } from '../command.ts';
import type { Found } from '../found.ts';
import { operationReport } from '../operation-report.ts';
import { operationsTable } from '../operations.ts';
import { notice, print } from '../output.ts';
import { recordsJson } from '../record-json.ts';
import { UsageError } from '../usage-error.ts';
import { chooseAll, chooseEach, readEach, replayEach } from './replaying.ts';

const options = {
  all: { type: 'boolean', about: 'all dead letters, or those that --function and --code leave' },
  function: { type: 'string', placeholder: 'NAME', about: 'with --all: only those of one function' },
  code: { type: 'string', placeholder: 'CODE', about: 'with --all: only those that failed with this error' },
  wait: { type: 'boolean', about: 'wait until they have ended, and report them' },
  timeout: {
    type: 'string',
    placeholder: 'SECONDS',
    default: '120',
    about: 'how long to wait for all of them (default 120)',
  },
  json: { type: 'boolean', about: 'print the records as a JSON array and nothing else' },
} as const satisfies Options;

/** `drover dead-letters replay` */
export const replayCommand: Command = {
  name: 'dead-letters replay',
  usage: 'ID… | --all [options]',
  summary: 'publish their messages again',
  description: [
    'Opens the operation again and publishes its message as it was, with its original time: what was asked for',
    'since then is newer and stays. ID is an operation’s own id or that of its record.',
  ].join('\n'),
  options,
  examples: ['dead-letters replay billing-1 --wait', 'dead-letters replay --all --code NOT_ALLOWED'],
  async run(args) {
    const { values, positionals } = parseArguments(options, args, ['ID…']);
    const { all = false, json = false, wait = false } = values;
    const timeoutMs = waitingTimeMs(values.timeout);
    if (all === positionals.length > 0) throw new UsageError('Give ids, or --all');
    if (!all && (values.function ?? values.code) !== undefined) {
      throw new UsageError('--function and --code go with --all');
    }
    return withCloud(['Firestore', 'Pub/Sub'], async () => {
      const chosen = all ? await chooseAll(values) : await chooseEach(positionals);
      const replayed = await replayEach(chosen.ids);
      const failures = chosen.failures + chosen.ids.length - replayed.length;
      const found = wait ? await awaitEach(replayed, timeoutMs) : await readEach(replayed);
      report(found, { json, wait });
      if (failures > 0) return exitCode.failed;
      return wait ? exitCodeOf(found, timeoutMs) : exitCode.done;
    });
  },
};

function report(found: readonly Found[], { json, wait }: { json: boolean; wait: boolean }): void {
  const [first] = found;
  if (json) print(recordsJson(found));
  else if (first && wait && found.length === 1) print(...operationReport(first, { whole: false }));
  else if (first) print(...operationsTable(found));
}

function exitCodeOf(found: readonly Found[], timeoutMs: number): ExitCode {
  const running = found.filter(({ record }) => !isFinal(record.state));
  for (const { record } of running) {
    notice(`After ${timeoutMs / 1000} s operation ${record.operationId} is still ${record.state}`);
  }
  if (found.some(({ record }) => record.state === 'failed')) return exitCode.failed;
  return running.length > 0 ? exitCode.running : exitCode.done;
}
