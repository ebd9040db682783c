/** What a person wrote into a camera, or a camera of itself, at most. */
const maxLength = 200;
const maxQuoted = 60;

/** A text of a file as PostgreSQL and people can have it: undefined if nothing is left. */
export function cleanText(given: string | undefined, length = maxLength): string | undefined {
  const [text = ''] = (given ?? '').split('\0', 1);
  const visible = text
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]+/gu, ' ')
    .trim();
  return [...visible].slice(0, length).join('').trim() || undefined;
}

/** What was found where something else was expected. */
export function quoted(given: string): string {
  return cleanText(given, maxQuoted) ?? '(blank)';
}
