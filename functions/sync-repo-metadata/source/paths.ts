import { isUtf8 } from 'node:buffer';
import { archiveRefused, longestPathBytes } from './entries.ts';

/**
 * The path that an archive's name stands for: without a leading `./`, a slash at its end or an empty part; `''` is the
 * archive's own folder.
 *
 * @param name as it is in the archive, which knows bytes only
 * @throws OperationError `ARCHIVE_REFUSED` where it isn't a path below that folder, or not the same to everybody
 */
export function parsePath(name: Buffer): string {
  if (name.length > longestPathBytes) refuse(name, `has a name of more than ${longestPathBytes} bytes`);
  if (name.includes(0)) refuse(name, 'has a NUL in its name');
  if (!isUtf8(name)) refuse(name, 'has a name that is not UTF-8');
  const path = name.toString();
  if (path === '') refuse(name, 'has no name');
  if (path.startsWith('/')) refuse(name, 'has an absolute path');
  if (path.includes('\\')) refuse(name, 'has a backslash in its name');
  const parts = path.split('/');
  if (parts.includes('..')) refuse(name, 'has “..” in its path');
  return parts.filter((part) => part !== '' && part !== '.').join('/');
}

/** Whether an archive's name can only be a folder's. */
export function namesFolder(name: Buffer): boolean {
  return name.at(-1) === 0x2f;
}

/**
 * Looks where a symbolic link points, link by link as it is written: what it points to may be a link itself, for nobody
 * follows it.
 *
 * @param path of the link, from the repository's root
 * @param target as it is in the archive
 * @throws OperationError `ARCHIVE_REFUSED` where that is not in the repository
 */
export function checkTarget(path: string, target: Buffer): void {
  const leaves = (why: string): never => {
    throw archiveRefused('link', `the symbolic link ${quoted(path)} ${why}`, { path });
  };
  if (target.length === 0 || target.length > longestPathBytes || target.includes(0) || !isUtf8(target))
    leaves('points to nothing that a path can name');
  const text = target.toString();
  if (text.startsWith('/') || text.includes('\\'))
    leaves(`points to ${quoted(text)}, not into the repository`);
  let depth = path.split('/').length - 1;
  for (const part of text.split('/')) {
    if (part === '..') depth -= 1;
    else if (part !== '' && part !== '.') depth += 1;
    if (depth < 0) leaves(`points to ${quoted(text)}, out of the repository`);
  }
}

/** A name for a message: on one line, and not longer than people read. */
export function quoted(name: string | Buffer): string {
  const text = typeof name === 'string' ? name : name.subarray(0, 400).toString();
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

function refuse(name: Buffer, what: string): never {
  throw archiveRefused('path', `${quoted(name)} ${what}`);
}
