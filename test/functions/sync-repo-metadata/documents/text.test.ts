import { describe, expect, it } from 'vitest';
import { formats } from '../../../../functions/sync-repo-metadata/documents/document.ts';
import { contentOf, faultIn } from './reading.ts';

const bytes = (...parts: (string | number[])[]) =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)));

describe('a file’s bytes', () => {
  it('may begin with a byte order mark, which is no part of the text', () => {
    expect(contentOf('source', '\ufeffa').text).toBe('a');
    expect(contentOf('markdown', '\ufeff---\ntitle: a\n---\nb').title).toBe('a');
    expect(contentOf('json', '\ufeff{"a":1}').json).toBe('{"a":1}');
    expect(contentOf('yaml', '\ufeffa: 1').metadata).toEqual({ a: 1 });
  });

  it('keep a byte order mark that is further inside', () => {
    expect(contentOf('source', 'a\ufeff').text).toBe('a\ufeff');
  });

  it.each([
    ['a byte that never is', bytes('ab\ncd', [0xff], 'e'), 2, 3, '0xFF'],
    ['one that goes on with nothing', bytes('ab', [0x80]), 1, 3, '0x80'],
    ['a character that ends early', bytes('a: "', [0xe2, 0x82], '"\n'), 1, 5, '0xE2'],
    ['one that ends with the file', bytes('é\n🐂', [0xf0, 0x9f]), 2, 3, '0xF0'],
    ['half of a surrogate pair', bytes('x', [0xed, 0xa0, 0x80]), 1, 2, '0xED'],
    ['a NUL in two bytes', bytes('x', [0xc0, 0x80]), 1, 2, '0xC0'],
    ['something after true replacement characters', bytes('\ufffd\ufffd\n\ufffd', [0xfe]), 2, 2, '0xFE'],
    ['something after a byte order mark', bytes('\ufeffab', [0xff]), 1, 3, '0xFF'],
  ])('are refused for %s', (_what, content, line, column, byte) => {
    for (const format of formats) {
      const fault = faultIn(format, content);
      expect(fault).toMatchObject({ code: 'INVALID_UTF8', line, column });
      expect(fault.message).toContain(byte);
    }
  });

  it('are told to be UTF-16 when they seem so', () => {
    const content = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('a: 1', 'utf16le')]);
    expect(faultIn('yaml', content)).toMatchObject({
      code: 'INVALID_UTF8',
      message: expect.stringContaining('UTF-16'),
    });
  });

  it.each(formats)('have no NUL character in %s', (format) => {
    expect(faultIn(format, '{}\n# a\n b\0')).toMatchObject({ code: 'NUL_IN_TEXT', line: 3, column: 3 });
  });
});
