const image = /!\[([^[\]]*)\](?:\([^()]*\)|\[[^[\]]*\])/g;
const link = /\[([^[\]]*)\](?:\([^()]*\)|\[[^[\]]*\])/g;
const autolink = /<([A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*)>/g;
const tag = /<\/?[A-Za-z][^<>]*>/g;
const code = /(`+[^`]+`+)/;
const star = /(?<!\\)(\*{1,3})(?=\S)([^*]*[^\s*\\])\1/g;
const underscore = /(?<![\p{L}\p{N}_\\])(_{1,3})(?=\S)([^_]*[^\s_\\])\1(?![\p{L}\p{N}_])/gu;
const strike = /~~(?=\S)([^~]*[^\s~])~~/g;
const escaped = /\\([!-/:-@[-`{-~])/g;

/** Emphasis within emphasis within emphasis. */
const nested = 3;

/** The text of a heading without Markdown's inline markup, in one line; simply, not as CommonMark has it in every case. */
export function plainText(markdown: string): string {
  const linked = markdown.replace(image, '$1').replace(link, '$1');
  const parts = linked
    .split(code)
    .map((part, index) => (index % 2 === 1 ? part.replace(/^`+|`+$/g, '') : withoutEmphasis(part)));
  return parts.join('').replace(/\s+/g, ' ').trim();
}

function withoutEmphasis(text: string): string {
  let plain = text.replace(autolink, '$1').replace(tag, '');
  for (let round = 0; round < nested; round += 1) {
    plain = plain.replace(star, '$2').replace(underscore, '$2').replace(strike, '$1');
  }
  return plain.replace(escaped, '$1');
}
