import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { printable } from './printable.ts';
import { UsageError } from './usage-error.ts';

/**
 * The bytes that `--data` means: itself, a file (`@path`) or standard input (`-`). They are not looked at: whether
 * they make a message is for the function to say, and to record.
 *
 * @throws UsageError where the file can't be read
 */
export async function readData(given: string): Promise<Buffer> {
  if (given === '-') return buffer(process.stdin);
  if (!given.startsWith('@')) return Buffer.from(given);
  const file = given.slice(1);
  try {
    return readFileSync(path.resolve(callersFolder(), file));
  } catch (error) {
    throw new UsageError(`${file} can't be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** `npm run` changes to the project's folder; a file's name was given from another one. */
function callersFolder(): string {
  const { npm_lifecycle_event: script, INIT_CWD: before } = process.env;
  return script === 'drover' && before ? before : process.cwd();
}

/**
 * A message's data as people can read it: text as it is, anything else as base64, both cut.
 *
 * @param most bytes to show
 */
export function dataLines(data: Buffer, most: number): string[] {
  const shown = data.subarray(0, most);
  const more =
    data.length > most
      ? [`… ${data.length} bytes in all, of which these are the first ${most}; --json gives all`]
      : [];
  if (data.length === 0) return ['(empty)'];
  return isUtf8(data)
    ? // A character may have been cut in two: `stream` leaves its first half out.
      [...printable(new TextDecoder().decode(shown, { stream: true })).split('\n'), ...more]
    : [`base64: ${shown.toString('base64')}`, ...more];
}
