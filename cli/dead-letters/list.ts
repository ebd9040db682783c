import { numberOption, parseArguments } from '../arguments.ts';
import { withCloud } from '../cloud.ts';
import { type Command, exitCode, type Options } from '../command.ts';
import { listDeadLetters } from '../listing.ts';
import { timeText } from '../operation-report.ts';
import { notice, print } from '../output.ts';
import { recordsJson } from '../record-json.ts';
import { table } from '../table.ts';

const options = {
  function: { type: 'string', placeholder: 'NAME', about: 'only those of one function' },
  code: { type: 'string', placeholder: 'CODE', about: 'only those that failed with this error' },
  limit: { type: 'string', placeholder: 'N', default: '20', about: 'how many to list (default 20)' },
  json: { type: 'boolean', about: 'print the list of records as JSON, without the messages’ data' },
} as const satisfies Options;

/** `drover dead-letters list` */
export const listCommand: Command = {
  name: 'dead-letters list',
  usage: '[options]',
  summary: 'list what failed for good',
  description: [
    'What failed for good, its message kept for replay; the newest operation first. The reason is `rejected`',
    '(the message itself was refused), `permanent` (doing it was) or `exhausted` (every delivery failed). What is',
    '`STUCK` is listed too: its message may come yet, and is kept only where it was replayed before.',
  ].join('\n'),
  options,
  examples: ['dead-letters list --function create-schema --code NOT_ALLOWED'],
  async run(args) {
    const { values } = parseArguments(options, args);
    const limit = numberOption('limit', values.limit, { least: 1, most: 1000, whole: true });
    return withCloud(['Firestore'], async () => {
      const found = await listDeadLetters(values, limit);
      if (values.json) print(recordsJson(found));
      else if (found.length === 0) notice('There are no such dead letters.');
      else {
        print(
          ...table(
            ['FAILED', 'FUNCTION', 'REASON', 'CODE', 'ATTEMPTS', 'OPERATION'],
            found.map(({ record }) => [
              timeText(record.finishedAt ?? record.createdAt),
              record.function,
              record.reason ?? '',
              record.error?.code ?? '',
              String(record.epoch),
              record.operationId,
            ]),
          ),
        );
      }
      return exitCode.done;
    });
  },
};
