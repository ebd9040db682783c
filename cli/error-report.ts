import type { Note } from '../shared/operation/outcome.ts';
import type { Problem } from '../shared/operation/request.ts';
import { redact } from '../shared/telemetry/redact.ts';
import { printable, printableLine } from './printable.ts';

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * An error for people: its code and message, the problems with their paths, the statements that would help, and what
 * else it knows. Secrets are taken out once more, as from every event.
 */
export function errorLines(failure: Failure): string[] {
  const { code } = failure;
  const message = String(redact(failure.message));
  const details = redact(failure.details ?? {}) as Readonly<Record<string, unknown>>;
  const { problems, statements, last, ...rest } = details;
  const problemList = isProblems(problems) ? problems : [];
  return [
    printable(`${code}: ${withoutProblems(message, problemList)}`),
    ...problemList.map((problem) => printableLine(`  ${problem.path}  ${problem.message}`)),
    ...indented(statementLines(isTexts(statements) ? statements : [])),
    ...Object.entries(rest)
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([name, value]) => printableLine(`  ${name}: ${oneLine(value)}`)),
    // Given up on: what the last attempt failed with knows more than its message.
    ...indented(isFailure(last) ? errorLines(last) : []),
  ];
}

/** Things to know, with the statements that somebody with more rights can run. */
export function noteLines(notes: readonly Note[]): string[] {
  return notes.flatMap(({ code, message, statements = [] }) => [
    printable(`${code}: ${message}`),
    ...indented(statementLines(statements)),
  ]);
}

/** Statements ready to be copied. */
export function statementLines(statements: readonly string[]): string[] {
  return statements.flatMap((statement) =>
    printable(statement.endsWith(';') ? statement : `${statement};`).split('\n'),
  );
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

/** The message of an invalid message lists its problems, too; once is enough. */
function withoutProblems(message: string, problems: readonly Problem[]): string {
  const list = problems.map((problem) => `${problem.path}: ${problem.message}`).join('; ');
  return list !== '' && message.endsWith(list) ? message.slice(0, -list.length).trimEnd() : message;
}

function oneLine(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function isProblems(value: unknown): value is Problem[] {
  return Array.isArray(value) && value.every((entry) => hasText(entry, 'path') && hasText(entry, 'message'));
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string');
}

function isFailure(value: unknown): value is Failure {
  return hasText(value, 'code') && hasText(value, 'message');
}

function hasText(value: unknown, name: string): boolean {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, name) === 'string';
}
