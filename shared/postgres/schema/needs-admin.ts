import { OperationError } from '../../operation/errors.ts';
import type { Sql } from '../sql.ts';

/** A refusal that ends when an admin has run these statements. */
export function needsAdmin(code: string, what: string, statements: readonly Sql[]): OperationError {
  const list = statements.map(({ text }) => text);
  return new OperationError(
    code,
    `${what} An admin has to run: ${list.slice(0, 3).join('; ')}${list.length > 3 ? '; …' : ''}`,
    {
      details: { statements: list },
    },
  );
}
