import type { ParseArgsOptionDescriptor } from 'node:util';

/** What the process tells the shell. */
export const exitCode = {
  /** The operation succeeded, or what was asked for was done. */
  done: 0,
  /** The operation failed, or the command did. */
  failed: 1,
  /** The arguments or the settings can't be used. Nothing was done. */
  unusable: 2,
  /** Still running when the time given was over. */
  running: 3,
} as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** An option as node:util's parseArgs takes it, with what the help says about it. */
export interface Option extends ParseArgsOptionDescriptor {
  /** What stands for its value in the help: `SECONDS`. */
  readonly placeholder?: string;
  readonly about: string;
}

export type Options = Readonly<Record<string, Option>>;

export interface Command {
  /** As it is typed: `send`, `dead-letters show`. */
  readonly name: string;
  /** What follows the name in the usage line. */
  readonly usage: string;
  /** One line. */
  readonly summary: string;
  /** What the summary and the options don't say. */
  readonly description?: string;
  readonly options: Options;
  /** What follows `drover`. */
  readonly examples: readonly string[];
  /**
   * @throws UsageError where the arguments can't be used
   */
  run(args: readonly string[]): Promise<ExitCode>;
}
