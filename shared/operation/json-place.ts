/**
 * Where a text stops being JSON: `line 3, column 14`.
 *
 * JSON.parse shows the text around the place instead, and that may be a password that lacks its quotes. So the place
 * is found by asking it for ever longer beginnings, by bisection.
 */
export function placeOfError(text: string): string {
  let good = 0;
  let bad = text.length;
  while (good < bad) {
    const middle = Math.floor((good + bad) / 2);
    if (mayGoOn(text.slice(0, middle + 1))) good = middle + 1;
    else bad = middle;
  }
  const before = text.slice(0, good).split('\n');
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}

/** Whether nothing is wrong with a beginning but that it is one. */
function mayGoOn(beginning: string): boolean {
  try {
    JSON.parse(beginning);
    return true;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    // The message may quote the text, which may say the same words: only its own are looked at.
    if (/^Unexpected end of JSON|^Unterminated string/.test(message)) return true;
    const [, position] = / in JSON at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(message) ?? [];
    return position !== undefined && Number(position) >= beginning.length;
  }
}
