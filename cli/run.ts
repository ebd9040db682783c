import manifest from '../package.json' with { type: 'json' };
import { type ExitCode, exitCode } from './command.ts';
import { commands, selectCommand } from './commands.ts';
import { complain } from './complaint.ts';
import { commandHelp, overview } from './help.ts';
import { notice, print } from './output.ts';

/** Runs the command that the arguments name, and turns how it went into an exit code. */
export async function run(args: readonly string[]): Promise<ExitCode> {
  const [first] = args;
  if (first === undefined) {
    notice(overview(commands));
    return exitCode.unusable;
  }
  if (first === '--version') {
    print(manifest.version);
    return exitCode.done;
  }
  if (first === '--help' || first === '-h' || first === 'help') {
    print(overview(commands));
    return exitCode.done;
  }
  let name = '';
  try {
    const selected = selectCommand(args);
    const help = asksForHelp(args);
    if (selected.kind === 'group') {
      const text = overview(selected.members, selected.name);
      if (help) print(text);
      else notice(text);
      return help ? exitCode.done : exitCode.unusable;
    }
    name = selected.command.name;
    if (help) {
      print(commandHelp(selected.command));
      return exitCode.done;
    }
    return await selected.command.run(selected.rest);
  } catch (error) {
    return complain(error, name);
  }
}

/** What follows `--` are arguments, whatever they look like. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end)).some((arg) => arg === '--help' || arg === '-h');
}
