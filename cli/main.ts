import { enableCompileCache } from 'node:module';
import path from 'node:path';
import type { ExitCode } from './command.ts';
import { endOnLostOutput } from './output.ts';

// Compiling takes longer than most commands. In the project, for what lies in a shared /tmp others may have put there.
enableCompileCache(path.resolve(import.meta.dirname, '..', 'node_modules', '.cache', 'drover'));
endOnLostOutput();
// The clients warn of things that end as an error anyway, such as not being on Google's machines.
if (process.env['DEBUG'] !== '1') process.removeAllListeners('warning');

const { run } = await import('./run.ts');
const { complain } = await import('./complaint.ts');
let ended: ExitCode | undefined;
// The clients look for credentials on the side, too: nobody waits for the promise that says there are none.
process.on('uncaughtException', (error) => process.exit(ended ?? complain(error)));
ended = await run(process.argv.slice(2));
process.exitCode = ended;
// The clients are closed by now; should one hold on to a connection, nobody has to wait for it.
setTimeout(() => process.exit(), 1000).unref();
