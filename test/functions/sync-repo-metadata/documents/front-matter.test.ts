import { describe, expect, it } from 'vitest';
import { contentOf, faultIn } from './reading.ts';

describe('front matter', () => {
  it.each([
    ['---\na: 1\n---\nb\n', 'b\n'],
    ['---\r\na: 1\r\n---\r\nb\r\n', 'b\r\n'],
    ['---  \na: 1\n--- \t\nb', 'b'],
    ['---\na: 1\n...\nb', 'b'],
    ['---\na: 1\n---', ''],
    ['---\n\n# comment\na: 1\n\n---\n---\nb', '---\nb'],
    ['\ufeff---\na: 1\n---\nb', 'b'],
  ])('of %j ends before its text', (file, text) => {
    expect(contentOf('markdown', file)).toMatchObject({ metadata: { a: 1 }, json: '{"a":1}', text });
  });

  it.each(['---\n---\nb', '---\n\n---\nb', '---\n# only a comment\n---\nb', '---\n~\n---\nb'])(
    'may be empty, as in %j',
    (file) => {
      expect(contentOf('markdown', file)).toMatchObject({ metadata: {}, json: '{}', text: 'b' });
    },
  );

  it.each(['a: 1\n', ' ---\na: 1\n---\n', '\n---\na: 1\n---\n', '----\na: 1\n---\n', '--- a: 1\n---\n'])(
    'isn’t there unless it begins in the first line, as not in %j',
    (file) => {
      expect(contentOf('markdown', file)).toMatchObject({ metadata: {}, text: file });
    },
  );

  it.each(['+++\na = 1\n+++\n', '***\na: 1\n***\n', ';;;\n{}\n;;;\n'])(
    'isn’t what others write as %j',
    (file) => {
      expect(contentOf('markdown', file)).toMatchObject({ metadata: {}, text: file });
    },
  );

  it.each(['---\ntitle: a\n\n# b\n', '---\n\n# c\nkey:\n  - a\n', '---\r\na: 1\r\n', '---\na: 1\n ---\n'])(
    'needs an end, which %j lacks',
    (file) => {
      expect(faultIn('markdown', file)).toMatchObject({
        code: 'INVALID_FRONT_MATTER',
        line: 1,
        message: expect.stringContaining('put a line with ---'),
      });
    },
  );

  it.each([
    '---',
    '---\n',
    '---\n\nText\n',
    '---\nSome text: and more\nb',
    '---\n# heading\n\ntext',
    '---\n- a: b\n',
  ])('isn’t there when %j begins with a thematic break', (file) => {
    expect(contentOf('markdown', file)).toMatchObject({ metadata: {}, text: file });
  });

  it.each(['---\n- a\n---\n', '---\ntext\n---\n', '---\n1\n---\n'])(
    'is a mapping, which %j isn’t',
    (file) => {
      expect(faultIn('markdown', file)).toMatchObject({ code: 'INVALID_FRONT_MATTER', line: 2 });
    },
  );

  it('has its faults at their place in the file', () => {
    expect(faultIn('markdown', '---\na: 1\nb: "x\\0"\n---\n')).toMatchObject({ line: 3, column: 4 });
    expect(faultIn('markdown', '---\r\na: 1\r\na: 2\r\n---\r\n')).toMatchObject({ line: 3, column: 1 });
    expect(faultIn('markdown', '---\na: 1\nb: [\n---\n')).toMatchObject({ code: 'INVALID_YAML' });
    expect(faultIn('markdown', '\ufeff---\nb: @\n---\n')).toMatchObject({ line: 2, column: 4 });
  });
});
