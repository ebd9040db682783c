import { Damage } from './damage.ts';

/** All of a tar archive is blocks of so many bytes. */
export const blockBytes = 512;

/** What a block before an entry, or before another header's text, says. */
export interface TarHeader {
  /** One character. */
  readonly type: string;
  /** A copy. */
  readonly name: Buffer;
  /** A copy; what a link points to. */
  readonly target: Buffer;
  /** Of what follows, without what fills its last block. */
  readonly bytes: number;
}

/** Whether a block is one of those at the archive's end. */
export function isEmpty(block: Buffer): boolean {
  return block.equals(emptyBlock);
}

const emptyBlock = Buffer.alloc(blockBytes);

/**
 * Reads a header of POSIX (ustar), of GNU tar or of the tar before both.
 *
 * @throws Damage
 * @see https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html “ustar Interchange Format”
 * @see https://www.gnu.org/software/tar/manual/html_node/Standard.html
 */
export function parseHeader(block: Buffer): TarHeader {
  if (numberAt(block, 148, 8, 'checksum') !== checksumOf(block))
    throw new Damage('a header has another checksum');
  const name = textAt(block, 0, 100);
  // GNU tar's magic is `ustar  `, and what others have the beginning of a long name in has other things with it.
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? textAt(block, 345, 155) : noText;
  return {
    type: String.fromCharCode(block[156] ?? 0),
    name: prefix.length > 0 ? Buffer.concat([prefix, slash, name]) : Buffer.from(name),
    target: Buffer.from(textAt(block, 157, 100)),
    bytes: numberAt(block, 124, 12, 'size'),
  };
}

const noText = Buffer.alloc(0);
const slash = Buffer.from('/');

function checksumOf(block: Buffer): number {
  // The field itself counts as eight spaces.
  let sum = 8 * 0x20;
  for (let at = 0; at < 148; at += 1) sum += block[at] as number;
  for (let at = 156; at < blockBytes; at += 1) sum += block[at] as number;
  return sum;
}

/** A view. */
function textAt(block: Buffer, at: number, length: number): Buffer {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return end < 0 ? field : field.subarray(0, end);
}

/** Octal digits; of what has more than fit, GNU tar writes the number itself, with the highest bit as its mark. */
function numberAt(block: Buffer, at: number, length: number, field: string): number {
  if ((block[at] as number) & 0x80) {
    const value = block.readUIntBE(at + length - 6, 6);
    const isShort = block[at] === 0x80 && block.subarray(at + 1, at + length - 6).every((byte) => byte === 0);
    if (!isShort) throw new Damage(`a header’s ${field} is beyond all bounds`);
    return value;
  }
  const digits = block.toString('latin1', at, at + length).match(/^ *([0-7]*)(?:[ \0].*)?$/s)?.[1];
  if (digits === undefined) throw new Damage(`a header’s ${field} is not a number`);
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}
