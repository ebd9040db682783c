import { describe, expect, it } from 'vitest';
import { contentOf, faultIn, yaml } from './reading.ts';

const mebibytes = (text: string, count: number) => text.repeat((count * 2 ** 20) / text.length);

describe('YAML that can’t be read', () => {
  it.each([
    ['a tab as indentation', 'a:\n\tb: 1\n', 2, 1, 'Tabs are not allowed as indentation: use spaces.'],
    ['a flow list without its end', 'a: [1,\n2\nb: 1', 2, 1, undefined],
    ['a quote without its end', 'a: 1\nb: "c', 2, 6, undefined],
    ['an indentation of its own', 'a:\n  b: 1\n c: 2\n', 3, 1, undefined],
    ['a mapping in the line of another', 'a: b: c\n', 1, 4, undefined],
    ['an escape that YAML has not', 'a: "b\\q"\n', 1, 6, 'Invalid escape sequence \\q.'],
    ['a sign that begins nothing', 'a: @b\n', 1, 4, undefined],
    ['a bracket too many', 'a: 1\n]\n', 2, 1, undefined],
    ['a tag that nobody knows', 'a: 1\nb: !secret c\n', 2, 4, 'Unresolved tag: !secret.'],
    ['a tag of a list that nobody knows', 'b: !!set {a}\n', 1, 4, undefined],
    ['a number by its tag, which is none', 'b: !!int x\n', 1, 10, '"x" is tagged !!int, and isn’t one.'],
    ['a whole number by its tag, which is none', 'b: !!int 1.5\n', 1, 10, undefined],
    ['a second document', 'a: 1\n---\nb: 2\n', 2, 1, 'A second document begins here: a file has one.'],
    ['an alias without an anchor', 'a: &x 1\nb: *y\n', 2, 4, 'The alias "*y" has no anchor before it.'],
    ['an alias before its anchor', 'b: *y\na: &y 1\n', 1, 4, undefined],
  ])('has %s', (_what, text, line, column, message) => {
    const fault = faultIn('yaml', text);
    expect(fault).toMatchObject({ code: 'INVALID_YAML', line, column });
    if (message !== undefined) expect(fault.message.replaceAll("'", '’')).toBe(message);
  });

  it.each(['&a [*a]', 'a: &a\n  b: *a\n', '&a {*a : 1}', '- &a {<<: *a}'])(
    'would never end, as %j',
    (text) => {
      expect(faultIn('yaml', text)).toMatchObject({
        code: 'INVALID_YAML',
        message: expect.stringContaining('would never end'),
      });
    },
  );

  it.each([
    ['a: 1\nb: 2\na: 3\n', 3, 1],
    ['{a: 1,\n "a": 2}', 2, 2],
    ['? a\n: 1\n? a\n: 2\n', 3, 3],
    ['1: a\n"1": b\n', 2, 1],
    ['- a: 1\n  b:\n    c: 1\n    c: 1\n', 4, 5],
    ['__proto__: 1\n__proto__: 1\n', 2, 1],
  ])('has a key twice, as %j', (text, line, column) => {
    expect(faultIn('yaml', text)).toMatchObject({ code: 'DUPLICATE_KEY', line, column });
  });

  it.each(['.inf', '-.Inf', '.NaN', '1e400', '0e-16384', '9'.repeat(400), `0x${'f'.repeat(300)}`])(
    'has the number %s',
    (number) => {
      expect(faultIn('yaml', `a: 1\nb: ${number}\n`)).toMatchObject({
        code: 'NOT_STORABLE',
        line: 2,
        column: 4,
      });
      expect(yaml(`b: "${number}"`)).toEqual({ b: number });
    },
  );

  it.each(['a: 1\nb: "x\\0"', 'a: 1\n"\\x00": 1', 'a: 1\nb: ["\\u0000"]', 'a: 1\nb: "\\U00000000"'])(
    'has an escaped NUL, as %j',
    (text) => {
      expect(faultIn('yaml', text)).toMatchObject({ code: 'NUL_IN_TEXT', line: 2 });
    },
  );

  it.each(['a: 1\nb: "\\ud800"', 'a: 1\n"\\udc00\\ud800": 1'])(
    'has half of a surrogate pair, as %j',
    (text) => {
      expect(faultIn('yaml', text)).toMatchObject({ code: 'NOT_STORABLE', line: 2 });
    },
  );

  it('doesn’t show more of a value than is needed to know it', () => {
    const { message } = faultIn('yaml', `a: "${'x'.repeat(500)}🐂\\0"`);
    expect(message).toContain(`"${'x'.repeat(59)}…"`);
  });
});

describe('YAML that nests', () => {
  const shapes: Readonly<Record<string, (levels: number) => string>> = {
    brackets: (levels) => '['.repeat(levels) + ']'.repeat(levels),
    braces: (levels) => '{a: '.repeat(levels) + '}'.repeat(levels),
    dashes: (levels) => '- '.repeat(levels),
    keys: (levels) => Array.from({ length: levels }, (_, level) => `${' '.repeat(level)}a:\n`).join(''),
    questions: (levels) => '? '.repeat(levels),
    aliases: (levels) =>
      Array.from(
        { length: levels - 1 },
        (_, level) => `- &a${level} [${level ? `*a${level - 1}` : ''}]\n`,
      ).join(''),
  };

  it.each(['brackets', 'braces', 'dashes', 'keys', 'aliases'] as const)(
    '100 levels by %s is read',
    (shape) => {
      expect(JSON.stringify(yaml(shapes[shape]?.(100) ?? ''))).toContain('['.repeat(0));
      expect(faultIn('yaml', shapes[shape]?.(101) ?? '')).toMatchObject({ code: 'TOO_DEEP' });
    },
  );

  it.each(Object.keys(shapes))('100,000 levels by %s is refused', (shape) => {
    const levels = shape === 'keys' ? 2_000 : shape === 'aliases' ? 5_000 : 100_000;
    expect(faultIn('yaml', shapes[shape]?.(levels) ?? '')).toMatchObject({ code: 'TOO_DEEP' });
  });
});

describe('YAML that explodes', () => {
  it('is refused before it does, when each anchor repeats another', () => {
    const lines = Array.from({ length: 40 }, (_, level) => {
      const values = level === 0 ? 'lol,'.repeat(9) : `*a${level - 1},`.repeat(9);
      return `a${level}: &a${level} [${values}]\n`;
    });
    expect(faultIn('yaml', lines.join(''))).toMatchObject({ code: 'ANCHORS_EXPLODE', line: 5 });
  });

  it('is refused when one long value is repeated', () => {
    const text = `a: &a ${'x'.repeat(10_000)}\nb: [${'*a, '.repeat(2_000)}]\n`;
    expect(faultIn('yaml', text)).toMatchObject({ code: 'ANCHORS_EXPLODE', line: 2 });
  });

  it('is refused when it merges a large mapping many times', () => {
    const large = Array.from({ length: 2_000 }, (_, key) => `k${key}: 1`).join(', ');
    const rows = Array.from({ length: 2_000 }, (_, row) => `r${row}: {<<: *a}\n`).join('');
    expect(faultIn('yaml', `a: &a {${large}}\n${rows}`)).toMatchObject({ code: 'ANCHORS_EXPLODE' });
    const again = `a: &a {${large}}\nb: {<<: [${'*a, '.repeat(50_000)}]}\n`;
    expect(faultIn('yaml', again)).toMatchObject({ code: 'ANCHORS_EXPLODE' });
  });

  it('isn’t, when an alias is there often and stands for little', () => {
    const { metadata } = contentOf('yaml', `a: &a {x: 1}\nb: [${'*a, '.repeat(2_000)}]\n`);
    expect((metadata as { b: unknown[] }).b).toHaveLength(2_000);
  });
});

describe('a mebibyte of YAML', () => {
  it.each([
    ['escapes that don’t exist', `a: "${mebibytes('\\q', 1)}"`, 'INVALID_YAML'],
    ['commas', `[${mebibytes(',', 1)}`, 'TOO_COMPLEX'],
    ['brackets that end', mebibytes(']', 1), 'INVALID_YAML'],
    ['empty lines of a string', `a: |+\n x\n${mebibytes('\n', 1)}`, 'TOO_COMPLEX'],
    ['a number', `a: ${mebibytes('9', 1)}`, 'NOT_STORABLE'],
    ['a tag', `a: !${mebibytes('x', 1)} b`, 'INVALID_YAML'],
  ])('is refused: %s', (_what, text, code) => {
    expect(faultIn('yaml', text)).toMatchObject({ code });
  });

  it.each([
    ['one string', `a: ${mebibytes('x', 1)}`],
    ['one string with quotes', `a: '${mebibytes("''", 1)}'`],
    ['blanks', `a:${mebibytes(' ', 1)}b`],
    ['blanks at the end of a string', `a: "b\n${mebibytes(' ', 1)}\n c"`],
    ['blanks in a string of several lines', `a: b\n ${mebibytes(' ', 1)}c`],
    ['lines such as most have', mebibytes('- name: some name\n  tags: [a, b]\n  score: 10\n', 0.5)],
  ])('is read in time that grows with it, and not with its square: %s', (_what, text) => {
    expect(contentOf('yaml', text)).toBeDefined();
  });
});
