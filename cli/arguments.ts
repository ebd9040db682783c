import { parseArgs } from 'node:util';
import type { Options } from './command.ts';
import { didYouMean } from './suggest.ts';
import { UsageError } from './usage-error.ts';

type Values<O extends Options> = ReturnType<
  typeof parseArgs<{ options: O; allowPositionals: true; strict: true }>
>['values'];

/**
 * Parses a command's arguments.
 *
 * @param positionals names of the arguments without a dash, in order; `…` behind a name stands for any number
 * @throws UsageError for an unknown option, a value that is missing and too many arguments
 */
export function parseArguments<const O extends Options>(
  options: O,
  args: readonly string[],
  positionals: readonly string[] = [],
): { values: Values<O>; positionals: string[] } {
  refuseUnknown(options, args);
  try {
    const parsed = parseArgs({
      args: [...args],
      options,
      allowPositionals: true,
      allowNegative: true,
      strict: true,
    });
    const extra = parsed.positionals[positionals.length];
    if (extra !== undefined && !positionals.at(-1)?.endsWith('…')) {
      throw new UsageError(`Unexpected argument: ${extra}`);
    }
    return parsed as { values: Values<O>; positionals: string[] };
  } catch (error) {
    if (!(error instanceof Error) || error instanceof UsageError) throw error;
    throw new UsageError(error.message);
  }
}

/** parseArgs would refuse it too, but not say what was meant. */
function refuseUnknown(options: Options, args: readonly string[]): void {
  const { tokens } = parseArgs({
    args: [...args],
    options,
    allowPositionals: true,
    allowNegative: true,
    strict: false,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind !== 'option' || token.name in options) continue;
    const names = Object.keys(options).map((name) => `--${name}`);
    throw new UsageError(`There is no option ${token.rawName}.${didYouMean(token.rawName, names)}`);
  }
}

/**
 * A number given as an option.
 *
 * @throws UsageError where it is none, or out of bounds
 */
export function numberOption(
  name: string,
  text: string,
  { least, most, whole = false }: { least: number; most: number; whole?: boolean },
): number {
  const number = text.trim() === '' ? Number.NaN : Number(text);
  if (number >= least && number <= most && (!whole || Number.isInteger(number))) return number;
  throw new UsageError(`--${name} must be a ${whole ? 'whole ' : ''}number from ${least} to ${most}`);
}

/**
 * One of several words given as an option.
 *
 * @throws UsageError where it is none of them
 */
export function choiceOption<const C extends string>(
  name: string,
  text: string | undefined,
  choices: readonly C[],
): C | undefined {
  const choice = choices.find((one) => one === text);
  if (choice !== undefined || text === undefined) return choice;
  throw new UsageError(`--${name} must be one of ${choices.join(', ')}.${didYouMean(text, choices)}`);
}

/**
 * How long a command waits for operations, in milliseconds.
 *
 * @param seconds the value of `--timeout`
 * @throws UsageError
 */
export function waitingTimeMs(seconds: string): number {
  return 1000 * numberOption('timeout', seconds, { least: 0, most: 86_400 });
}
