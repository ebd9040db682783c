import { isUtf8 } from 'node:buffer';
import { Unreadable } from './fault.ts';

/**
 * @returns the text of a file, without its byte order mark
 * @throws Unreadable when it isn't UTF-8 (with the place in `lenientText`) or has a NUL
 */
export function decode(content: Buffer): string {
  const text = lenientText(content);
  if (!isUtf8(content)) {
    const [offset, byte] = firstBadByte(withoutMark(content), text);
    const utf16 = content[0] === 0xff || content[0] === 0xfe ? '; it seems to be UTF-16' : '';
    const hex = byte.toString(16).toUpperCase().padStart(2, '0');
    throw new Unreadable(
      'INVALID_UTF8',
      offset,
      `The file isn't UTF-8: the byte 0x${hex} can't be here${utf16}. Save it as UTF-8.`,
    );
  }
  const nul = text.indexOf('\0');
  if (nul !== -1) {
    throw new Unreadable(
      'NUL_IN_TEXT',
      nul,
      'The file has a NUL character, which PostgreSQL can’t keep: remove it, or leave the file out if it is binary.',
    );
  }
  return text;
}

/** The text with a replacement character for what isn't UTF-8. */
export function lenientText(content: Buffer): string {
  return withoutMark(content).toString('utf8');
}

function withoutMark(content: Buffer): Buffer {
  return content[0] === 0xef && content[1] === 0xbb && content[2] === 0xbf ? content.subarray(3) : content;
}

/** The first replacement character that stands for something else than itself; all before it is as it was. */
function firstBadByte(content: Buffer, text: string): [offset: number, byte: number] {
  let from = 0;
  let bytes = 0;
  for (;;) {
    const at = text.indexOf('\ufffd', from);
    bytes += Buffer.byteLength(text.slice(from, at));
    if (content.subarray(bytes, bytes + 3).toString('latin1') !== '\xef\xbf\xbd') {
      return [at, content[bytes] ?? 0];
    }
    bytes += 3;
    from = at + 1;
  }
}
