import { execFile } from 'node:child_process';
import path from 'node:path';
import type { Stack } from '../stack.ts';

const command = path.resolve(import.meta.dirname, '..', '..', 'cli', 'main.ts');

/** Runs the command the way a user would. */
export function drover(given: readonly string[], stack: Stack): Promise<string> {
  return new Promise((resolve, reject) => {
    const environment = { ...process.env, ...stack.environment };
    execFile(process.execPath, [command, ...given], { env: environment }, (error, stdout, stderr) => {
      // An operation that failed is an exit code of 1 and a record all the same.
      if (stdout.trim() === '')
        reject(new Error(`drover ${given[0]} printed nothing: ${stderr || error?.message}`));
      else resolve(stdout);
    });
  });
}
