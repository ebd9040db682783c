import type * as z from 'zod';
import { customRoleName } from '../../shared/postgres/custom-role.ts';
import { schemaLevels } from '../../shared/postgres/names.ts';
import { databaseName, instanceName, maxIdentifierBytes, schemaName } from '../../shared/postgres/target.ts';
import { UsageError } from '../usage-error.ts';

/** An instance, or one of its databases. */
export interface Place {
  readonly instance: string;
  readonly database?: string | undefined;
}

/**
 * Reads `PROJECT:REGION:NAME` or `PROJECT:REGION:NAME/DATABASE`. A database's name may have slashes of its own.
 *
 * @throws UsageError
 */
export function readPlace(given: string | undefined): Place {
  if (given === undefined)
    throw new UsageError('Where? Give PROJECT:REGION:NAME, with /DATABASE for one only.');
  const slash = given.indexOf('/');
  const instance = readInstance(slash < 0 ? given : given.slice(0, slash));
  return slash < 0
    ? { instance }
    : { instance, database: checked(databaseName, given.slice(slash + 1), 'The database') };
}

export function readInstance(given: string): string {
  return checked(instanceName, given, 'The instance');
}

export function readDatabase(given: string): string {
  return checked(databaseName, given, '--database');
}

export function readSchema(given: string): string {
  return checked(schemaName, given, '--schema');
}

/** A level, or the name of a custom role. */
export function readLevel(given: string): string {
  const levels: readonly string[] = [...schemaLevels, 'monitor'];
  return levels.includes(given) ? given : checked(customRoleName, given, '--level');
}

/** The name of any role: PostgreSQL cuts longer ones off, and has no other rule. */
export function readPrincipal(given: string | undefined): string {
  if (!given) throw new UsageError('Who? Give the name of a login, an IAM principal or another role.');
  if (Buffer.byteLength(given) > maxIdentifierBytes && !given.endsWith('.gserviceaccount.com')) {
    throw new UsageError(`The principal must be at most ${maxIdentifierBytes} bytes`);
  }
  if (/\p{Cc}/u.test(given)) throw new UsageError('The principal must not contain control characters');
  return given;
}

function checked<T extends z.ZodType<string>>(schema: T, given: string, what: string): string {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ message }) => message).join(', and ');
  throw new UsageError(`${what} ${JSON.stringify(given)} ${problems}`);
}
