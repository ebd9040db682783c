import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { longestPathBytes } from '../../../../functions/sync-repo-metadata/source/entries.ts';
import { checkTarget, parsePath, quoted } from '../../../../functions/sync-repo-metadata/source/paths.ts';

const parse = (name: string) => parsePath(Buffer.from(name));
const refused = (why: string) =>
  expect.objectContaining({ code: 'ARCHIVE_REFUSED', details: expect.objectContaining({ why }) });
const thrownBy = (call: () => unknown): unknown => {
  try {
    call();
    return undefined;
  } catch (error) {
    return error;
  }
};

describe('a name in an archive', () => {
  it.each([
    ['a', 'a'],
    ['a/b.md', 'a/b.md'],
    ['./a/b', 'a/b'],
    ['././a', 'a'],
    ['a//b/./c', 'a/b/c'],
    ['a/b/', 'a/b'],
    ['.', ''],
    ['./', ''],
    ['..a/b..', '..a/b..'],
    ['.github/x', '.github/x'],
    ['ünï ☃\n', 'ünï ☃\n'],
  ])('of %j is the path %j', (name, path) => {
    expect(parse(name)).toBe(path);
  });

  it.each([
    ['', /no name/],
    ['/etc/passwd', /absolute/],
    ['//a', /absolute/],
    ['..', /“..”/],
    ['a/../../b', /“..”/],
    ['a/..', /“..”/],
    ['a\\b', /backslash/],
    ['a\0b', /NUL/],
  ])('of %j is refused', (name, message) => {
    const error = thrownBy(() => parse(name));

    expect(error).toEqual(refused('path'));
    expect(error).toMatchObject({ message: expect.stringMatching(message), retryable: false });
  });

  it.each([
    ['of Latin-1', Buffer.from([0x61, 0xe9])],
    ['with half of a surrogate pair', Buffer.from([0xed, 0xa0, 0x80])],
    ['with a slash in two bytes', Buffer.from([0xc0, 0xaf])],
  ])('%s is not UTF-8, and refused', (_, name) => {
    expect(thrownBy(() => parsePath(name))).toMatchObject({ message: expect.stringMatching(/not UTF-8/) });
  });

  it('is as long as a path may be, in bytes', () => {
    const longest = `${'ü'.repeat(longestPathBytes / 2 - 1)}ab`;

    expect(parse(longest)).toBe(longest);
    expect(thrownBy(() => parse(`${longest}c`))).toEqual(refused('path'));
  });

  it('is refused, or the path of something below the archive’s folder', () => {
    const piece = fc.oneof(fc.constantFrom('.', '..', '/', '\\', '\0', 'a', 'ü', '…'), fc.string());
    const names = fc.oneof(
      fc.array(piece).map((pieces) => pieces.join('')),
      fc.uint8Array(),
    );
    fc.assert(
      fc.property(names, (name) => {
        const error = thrownBy(() => {
          const path = parsePath(Buffer.from(name as string));
          for (const part of path === '' ? [] : path.split('/'))
            if (part === '' || part === '.' || part === '..' || /[\0\\]/.test(part))
              throw new Error(`${path} is wrong`);
          // It is the same for all that are read after.
          if (path !== '' && parse(path) !== path) throw new Error(`${path} is not stable`);
        });
        if (error !== undefined) expect(error).toEqual(refused('path'));
      }),
    );
  });
});

describe('a symbolic link', () => {
  it.each([
    ['link', 'a'],
    ['link', '.'],
    ['link', 'not/there/../x'],
    ['a/link', '..'],
    ['a/link', '../b'],
    ['a/b/link', '../../c/./d//'],
    ['a/link', '...'],
  ])('%j -> %j stays in the repository', (path, target) => {
    checkTarget(path, Buffer.from(target));
  });

  it.each([
    ['link', '..'],
    ['link', '/etc/passwd'],
    ['link', 'a/../../b'],
    ['a/link', '../../b'],
    ['a/link', '../../a/b'],
    ['a/b/link', 'c/../../../..'],
    ['link', '..\\x'],
    ['link', ''],
    ['link', 'a\0b'],
    ['link', 'x'.repeat(longestPathBytes + 1)],
  ])('%j -> %j is refused', (path, target) => {
    expect(thrownBy(() => checkTarget(path, Buffer.from(target)))).toEqual(refused('link'));
  });

  it('is refused exactly where one that follows it step by step would leave', () => {
    const part = fc.constantFrom('a', 'b', '..', '.', '');
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'b'), { maxLength: 4 }),
        fc.array(part, { minLength: 1 }),
        (folder, parts) => {
          const target = parts.join('/');
          const at = [...folder];
          let leaves = target === '' || target.startsWith('/');
          for (const step of parts) {
            if (step === '..') leaves ||= at.pop() === undefined;
            else if (step !== '' && step !== '.') at.push(step);
          }

          const error = thrownBy(() => checkTarget([...folder, 'link'].join('/'), Buffer.from(target)));

          expect(error !== undefined).toBe(leaves);
        },
      ),
    );
  });
});

it('a name in a message is on one line and not long', () => {
  expect(quoted('a\nb')).toBe('"a\\nb"');
  expect(quoted(Buffer.from('é'.repeat(10_000))).length).toBeLessThan(110);
});
