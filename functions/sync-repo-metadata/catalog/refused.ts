import { OperationError } from '../../../shared/operation/errors.ts';
import { catalogPath } from './model.ts';

/** Something in a catalog that can't be. */
export interface CatalogProblem {
  /** `collections.codes.key` */
  readonly path: string;
  readonly message: string;
  readonly line?: number;
}

/** @param where the file that says so; undefined where it was the message */
export function catalogInvalid(problems: readonly CatalogProblem[], where: string = catalogPath) {
  const list = problems.map(
    ({ path, message, line }) => `${line === undefined ? '' : `line ${line}: `}${path}: ${message}`,
  );
  return new OperationError('CATALOG_INVALID', `${where} can't be used: ${list.join('; ')}`, {
    details: { where, problems },
  });
}
