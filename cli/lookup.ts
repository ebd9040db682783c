import type { Firestore } from '@google-cloud/firestore';
import { OperationError } from '../shared/operation/errors.ts';
import { type OperationRecord, operationsCollection } from '../shared/registry/operations.ts';
import { type Found, foundIn, readRecord } from './found.ts';
import { stateText, timeText } from './operation-report.ts';
import { table } from './table.ts';
import { UsageError } from './usage-error.ts';

const recordId = /^[0-9a-f]{40}$/;

/**
 * The operation that somebody means by the id of its record or by its own. One operation id can have several
 * records: of a dry run, of other functions, of messages that were refused because the id was taken.
 *
 * @param preferred decides among several
 * @throws OperationError `NOT_FOUND`
 * @throws UsageError with the list, where several fit
 */
export async function findOperation(
  db: Firestore,
  id: string,
  preferred: (record: OperationRecord) => boolean = () => true,
): Promise<Found> {
  const exact = recordId.test(id) ? await readRecord(db, id) : undefined;
  if (exact) return exact;
  const { docs } = await db.collection(operationsCollection).where('operationId', '==', id).get();
  const all = docs.flatMap((document) => foundIn(document) ?? []);
  const fitting = all.filter(({ record }) => preferred(record));
  const candidates = fitting.length > 0 ? fitting : all;
  const [first] = candidates;
  if (first === undefined) {
    throw new OperationError('NOT_FOUND', `There is no operation with the id ${id}, nor a record of it`);
  }
  if (candidates.length === 1) return first;
  throw new UsageError(
    [
      `Several operations have the id ${id}. Name one by its record:`,
      ...table(
        ['RECORD', 'FUNCTION', 'STATE', 'CREATED', 'CODE'],
        candidates.map(({ id: record, record: { function: name, ...rest } }) => [
          record,
          name,
          stateText(rest),
          timeText(rest.createdAt),
          rest.error?.code ?? '',
        ]),
      ).map((line) => `  ${line}`),
    ].join('\n'),
    { seeHelp: false },
  );
}
