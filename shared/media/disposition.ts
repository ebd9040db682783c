// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this replaces
const unsafe = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069/\\]/g;

/**
 * The header that has a browser show something or save it, with the name that it proposes. Old browsers read the first name, of
 * ASCII, all others the second. Characters that no file should have in its name, or that turn the direction of what
 * follows, are replaced.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6266
 */
export function contentDisposition(kind: 'inline' | 'attachment', fileName: string): string {
  const name = fileName.toWellFormed().replaceAll(unsafe, '_');
  if (name === '') return kind;
  const plain = name.replaceAll(/[^A-Za-z0-9 ._()-]/g, '_');
  const extended = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename="${plain}"; filename*=UTF-8''${extended}`;
}
