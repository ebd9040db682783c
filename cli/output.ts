import { exitCode } from './command.ts';

/** Writes what was asked for. */
export function print(...lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Writes what people should know beside it. */
export function notice(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** A reader that has seen enough (`| head`) is no error; anything else that keeps output from arriving is one. */
export function endOnLostOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit();
      if (stream === process.stdout) notice(`drover: the output could not be written: ${error.message}`);
      process.exit(exitCode.failed);
    });
  }
}
