/**
 * Text as a terminal may show it. Ids, names and messages come from whoever may publish: an escape sequence among
 * them could rewrite what somebody sees, so control characters are shown instead of sent.
 */
export function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]|\p{Bidi_Control}/gu, escaped);
}

/** {@link printable} for one line of a table or list. */
export function printableLine(text: string): string {
  return text.replace(/\p{Cc}|\p{Bidi_Control}/gu, escaped);
}

function escaped(character: string): string {
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}
