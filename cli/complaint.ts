import { inspect } from 'node:util';
import { classify } from '../shared/operation/classify.ts';
import { OperationError } from '../shared/operation/errors.ts';
import { redact } from '../shared/telemetry/redact.ts';
import { type ExitCode, exitCode } from './command.ts';
import { errorLines } from './error-report.ts';
import { notice } from './output.ts';
import { printable } from './printable.ts';
import { UsageError } from './usage-error.ts';

/**
 * Says on standard error what went wrong.
 *
 * @param command the one that was run, to point to its help
 * @returns what the shell is told
 */
export function complain(error: unknown, command?: string): ExitCode {
  if (process.env['DEBUG'] === '1' && error instanceof Error)
    notice(printable(String(redact(inspect(error)))));
  if (error instanceof UsageError) {
    notice(printable(`drover: ${error.message}`));
    if (command !== undefined && error.seeHelp)
      notice(['See drover', command, '--help'].filter(Boolean).join(' '));
    return exitCode.unusable;
  }
  const known = classify(error);
  // An error that no table knows is shown in its own words: clients explain missing credentials quite well.
  const unknown = !(error instanceof OperationError) && known.code === 'INTERNAL' && error instanceof Error;
  notice(unknown ? `drover: ${printable(String(redact(error.message)))}` : errorLines(known).join('\n'));
  return exitCode.failed;
}
