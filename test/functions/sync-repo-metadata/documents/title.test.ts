import { describe, expect, it } from 'vitest';
import { contentOf } from './reading.ts';

const markdown = (text: string, field?: string) => contentOf('markdown', text, field).title;

describe('the title of a file', () => {
  it.each([
    ['title: a b', 'a b'],
    ['title: "  a  "', 'a'],
    ['title: 2024', '2024'],
    ['title: 1.10', '1.10'],
    ['title: 12345678901234567890', '12345678901234567890'],
    ['title: 0', '0'],
    ['title: 2024-01-02', '2024-01-02'],
  ])('is that of the metadata, by %j', (yaml, title) => {
    expect(contentOf('yaml', yaml).title).toBe(title);
    expect(markdown(`---\n${yaml}\n---\n# Heading`)).toBe(title);
  });

  it.each(['title: ""', 'title: "  "', 'title:', 'title: true', 'title: [a]', 'title: {a: b}', 'name: a'])(
    'is the first heading when the metadata has none, as in %j',
    (yaml) => {
      expect(contentOf('yaml', yaml).title).toBeUndefined();
      expect(markdown(`---\n${yaml}\n---\n# Heading`)).toBe('Heading');
    },
  );

  it('is of the field that is asked for', () => {
    const text = 'title: a\nspec: {title: b, list: [c], "x.y": d}\n';
    const title = (field: string) => contentOf('yaml', text, field).title;
    expect(title('spec.title')).toBe('b');
    expect(title('spec')).toBeUndefined();
    expect(title('spec.list.0')).toBeUndefined();
    expect(title('title.length')).toBeUndefined();
    expect(title('constructor.name')).toBeUndefined();
    expect(contentOf('json', '{"a": {"n": 1.50}}', 'a.n').title).toBe('1.50');
  });

  it('isn’t there when all the metadata is a list or a scalar', () => {
    for (const text of ['[{"title": "a"}]', '"title"', 'null', '5']) {
      expect(contentOf('json', text).title).toBeUndefined();
    }
  });

  it('is cut to 1,000 characters, and never within one', () => {
    expect(contentOf('json', JSON.stringify({ title: 'x'.repeat(2_000) })).title).toBe('x'.repeat(1_000));
    const oxen = contentOf('json', JSON.stringify({ title: `x${'🐂'.repeat(600)}` })).title;
    expect(oxen).toBe(`x${'🐂'.repeat(499)}`);
    expect(markdown(`# ${'x'.repeat(5_000_000)}`)).toBe('x'.repeat(1_000));
  });
});

describe('the first heading', () => {
  it.each([
    ['# A', 'A'],
    ['###### A', 'A'],
    ['   ## A', 'A'],
    ['# A ##', 'A'],
    ['# C#', 'C#'],
    ['#\tA', 'A'],
    ['text\n\n## A\n# B', 'A'],
    ['text\r\n\r\n# A\r\n', 'A'],
    ['A\n===', 'A'],
    ['A\n---\ntext', 'A'],
    ['A\nB\n=', 'A B'],
    ['# \n## A', 'A'],
    ['# ![](x.png)\n\n# A', 'A'],
    ['```\n# no\n```\n# A', 'A'],
    ['~~~ sh\n# no\n```\n# no\n~~~~\n# A', 'A'],
    ['````\n```\n# no\n````\n# A', 'A'],
    ['``` a`b\n# A', 'A'],
    ['<!-- # no\n# no\n-->\n# A', 'A'],
    ['<!-- no -->\n# A', 'A'],
    ['- item\n---\n\nA\n---', 'A'],
    ['> quote\n---\n# A', 'A'],
    ['***\n===\n# A', 'A'],
    ['    # no\n# A', 'A'],
    ['#no\n# A', 'A'],
    ['####### no\n\n# A', 'A'],
  ])('of %j is %j', (text, title) => {
    expect(markdown(text)).toBe(title);
  });

  it.each([
    '',
    'text',
    '#no',
    '```\n# no',
    '<!--\n# no',
    '---\n\n---\n',
    '\ta\n===',
    '#',
    '    # no',
    '- a\n===',
    '| a |\n---',
  ])('isn’t there in %j', (text) => {
    expect(markdown(text)).toBeUndefined();
  });

  it.each([
    ['`code` and **bold**, *em*, __b__, _e_, ~~s~~', 'code and bold, em, b, e, s'],
    ['***all*** **a *b* c**', 'all a b c'],
    ['[text](https://x) and [ref][r] and [`code`](y)', 'text and ref and code'],
    ['[![badge](a.svg)](b) Name', 'badge Name'],
    ['<img src="x"> Name <https://example.org>', 'Name https://example.org'],
    ['snake_case_name and 2 * 3 * 4', 'snake_case_name and 2 * 3 * 4'],
    ['`a_b_ *c*` \\*d\\*', 'a_b_ *c* *d*'],
    ['a   b', 'a b'],
    ['List [1]', 'List [1]'],
  ])('%j is without its markup', (heading, title) => {
    expect(markdown(`# ${heading}`)).toBe(title);
    expect(markdown(`The ${heading}\n===`)).toBe(`The ${title}`);
  });

  it('isn’t looked for behind a hundred without text', () => {
    expect(markdown(`${'# \n'.repeat(99)}# A`)).toBe('A');
    expect(markdown(`${'# \n'.repeat(100)}# A`)).toBeUndefined();
  });

  it('is found in time that grows with the length of the file only', () => {
    const parts = [
      '#',
      '# ',
      '*',
      '_',
      '`',
      '[',
      '](',
      '<',
      '<!',
      '\\',
      '~',
      ' ',
      '**a ',
      '_a',
      '- ',
      '`a`',
      '\t',
      '=',
      '>\n',
      'a\n',
      '# \n',
    ];
    for (const part of parts) {
      markdown(part.repeat(1_000_000 / part.length));
      markdown(`# ${part.repeat(1_000_000 / part.length)}`);
    }
  });
});
