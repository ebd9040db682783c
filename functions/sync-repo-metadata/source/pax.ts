import { Damage } from './damage.ts';
import { archiveRefused } from './entries.ts';

/** What an extended header says of the entry after it, and of nothing but that. */
export interface Overrides {
  name?: Buffer;
  target?: Buffer;
  bytes?: number;
}

/** Records of a pax header by their keywords; of one that is there twice, the last. */
type Records = ReadonlyMap<string, Buffer>;

/**
 * @param text of a header of type `x`
 * @throws Damage, or OperationError `ARCHIVE_REFUSED`
 */
export function overridesOf(text: Buffer): Overrides {
  const records = parsePax(text);
  const name = records.get('path');
  const target = records.get('linkpath');
  const size = records.get('size')?.toString('latin1');
  if (size !== undefined && !/^\d{1,15}$/.test(size)) throw new Damage('a pax header’s size is not a number');
  for (const keyword of records.keys()) {
    if (keyword.startsWith('GNU.sparse.'))
      throw archiveRefused('kind', 'it has a sparse file, whose content is not what it unpacks to');
  }
  return {
    ...(name && { name }),
    ...(target && { target }),
    ...(size !== undefined && { bytes: Number(size) }),
  };
}

/**
 * @param text of a header of type `g`
 * @returns the commit that `git archive` notes there
 * @throws Damage, or OperationError `ARCHIVE_REFUSED` where it would be about each entry's name or length
 */
export function commitOf(text: Buffer): string | undefined {
  const records = parsePax(text);
  for (const keyword of ['path', 'linkpath', 'size']) {
    if (records.has(keyword)) throw archiveRefused('path', `it gives all of its entries one ${keyword}`);
  }
  return asCommit(records.get('comment'));
}

/** @returns a commit's hash, if it is one: of SHA-1 or SHA-256 */
export function asCommit(comment: Buffer | undefined): string | undefined {
  const text = comment?.toString('latin1') ?? '';
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text) ? text : undefined;
}

/**
 * Records are `LENGTH KEYWORD=VALUE` and a line feed, with their whole length in bytes; a value may have line feeds too.
 *
 * @see https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html “pax Extended Header”
 */
function parsePax(text: Buffer): Records {
  const records = new Map<string, Buffer>();
  let at = 0;
  while (at < text.length) {
    const space = text.indexOf(0x20, at);
    const length = space < 0 ? '' : text.toString('latin1', at, Math.min(space, at + 10));
    const end = at + Number(length);
    const equals = text.indexOf(0x3d, space);
    if (
      !/^[1-9]\d*$/.test(length) ||
      end > text.length ||
      text[end - 1] !== 0x0a ||
      equals < 0 ||
      equals >= end
    )
      throw new Damage('a pax header is not made of records');
    records.set(text.toString('utf8', space + 1, equals), text.subarray(equals + 1, end - 1));
    at = end;
  }
  return records;
}
