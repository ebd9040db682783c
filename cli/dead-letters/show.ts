import { styleText } from 'node:util';
import { OperationError } from '../../shared/operation/errors.ts';
import { operationsCollection } from '../../shared/registry/operations.ts';
import { readPayload } from '../../shared/registry/parts.ts';
import { parseArguments } from '../arguments.ts';
import { ask, withCloud } from '../cloud.ts';
import { type Command, exitCode, type Options } from '../command.ts';
import { findOperation } from '../lookup.ts';
import { dataLines } from '../message-data.ts';
import { operationReport } from '../operation-report.ts';
import { print } from '../output.ts';
import { printableLine } from '../printable.ts';
import { recordJson } from '../record-json.ts';
import { column } from '../table.ts';
import { UsageError } from '../usage-error.ts';
import { isReplayable } from './replaying.ts';

/** More than that is for a pager or a program. */
const shownBytes = 4096;

const options = {
  json: { type: 'boolean', about: 'print the record as JSON, the message’s data whole and as base64' },
} as const satisfies Options;

/** `drover dead-letters show` */
export const showCommand: Command = {
  name: 'dead-letters show',
  usage: 'ID [options]',
  summary: 'show one and its message',
  description: `ID is an operation’s own id or that of its record. Of the message’s data ${shownBytes} bytes are shown; what is not UTF-8 as base64.`,
  options,
  examples: [
    'dead-letters show billing-1',
    'dead-letters show billing-1 --json | jq -r .payload.data | base64 --decode',
  ],
  async run(args) {
    const { values, positionals } = parseArguments(options, args, ['ID']);
    const [id] = positionals;
    if (id === undefined) throw new UsageError('Which one? Give the id of an operation or of its record.');
    return withCloud(['Firestore'], async () => {
      const found = await ask((db) => findOperation(db, id, isReplayable));
      const { payload } = found.record;
      if (!payload) {
        throw new OperationError(
          'NOT_A_DEAD_LETTER',
          `Operation ${id} is ${found.record.state}, and no message of it is kept. See: drover operations ${found.id}`,
        );
      }
      const data = await ask((db) => readPayload(db.collection(operationsCollection).doc(found.id), payload));
      if (values.json) {
        print(recordJson(found.id, { ...found.record, payload: { ...payload, data } }));
        return exitCode.done;
      }
      print(
        ...operationReport(found, { whole: true }),
        '',
        styleText('bold', 'Attributes:'),
        ...column(
          payload.attributes
            .sort((a, b) => (a.name < b.name ? -1 : 1))
            .map(({ name, value }) => [printableLine(name), printableLine(value)]),
        ),
        '',
        styleText('bold', 'Data:'),
        ...dataLines(data, shownBytes).map((line) => `  ${line}`),
      );
      return exitCode.done;
    });
  },
};
