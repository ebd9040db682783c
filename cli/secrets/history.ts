import { redact } from '../../shared/telemetry/redact.ts';
import { parseArguments } from '../arguments.ts';
import { withCloud } from '../cloud.ts';
import { type Command, exitCode, type Options } from '../command.ts';
import { timeText } from '../operation-report.ts';
import { notice, print } from '../output.ts';
import { toJson } from '../record-json.ts';
import { table } from '../table.ts';
import { findSecret, readSecretId } from './record.ts';

const options = {
  json: { type: 'boolean', about: 'print the events as JSON' },
} as const satisfies Options;

/** `drover secrets history` */
export const secretHistoryCommand: Command = {
  name: 'secrets history',
  usage: 'SECRET [options]',
  summary: 'show what became of one, newest first',
  description:
    'What the registry still has: the last events, and no value. VERSION is the one that became current.',
  options,
  examples: ['secrets history billing-db'],
  async run(args) {
    const { values, positionals } = parseArguments(options, args, ['SECRET']);
    const name = readSecretId(positionals[0]);
    return withCloud(['Firestore'], async () => {
      const { history } = await findSecret(name);
      if (values.json) print(toJson(history));
      else if (history.length === 0) notice('Nothing has become of it yet.');
      else {
        print(
          ...table(
            ['AT', 'ACTION', 'VERSION', 'RESULT', 'OPERATION', 'ACTOR', 'DETAIL'],
            history.map(({ at, action, version, code, operation, actor, detail = '' }) => [
              timeText(at),
              action,
              version === undefined ? '-' : String(version),
              code ?? 'ok',
              operation,
              actor ?? '-',
              String(redact(detail)),
            ]),
          ),
        );
      }
      return exitCode.done;
    });
  },
};
