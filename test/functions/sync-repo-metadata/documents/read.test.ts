import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formats } from '../../../../functions/sync-repo-metadata/documents/document.ts';
import { blobHash, readDocument } from '../../../../functions/sync-repo-metadata/documents/read.ts';
import { contentOf, faultIn } from './reading.ts';

describe('the hash of a file', () => {
  it.each(['', 'hello\n', 'grüße 🐂\n', 'a\r\n\0'])('is the name that git gives to %j', (text) => {
    const content = Buffer.from(text);
    const named = execFileSync('git', ['hash-object', '--stdin'], { input: content, encoding: 'utf8' });
    expect(blobHash(content)).toBe(named.trim());
  });
});

describe('a file of each format', () => {
  it('is Markdown with front matter', () => {
    expect(contentOf('markdown', '---\ntitle: Oxen\nscore: 0\n---\n# Ox\n\nText.\n')).toEqual({
      title: 'Oxen',
      metadata: { title: 'Oxen', score: 0 },
      json: '{"title":"Oxen","score":0}',
      text: '# Ox\n\nText.\n',
    });
  });

  it('is YAML, whose text is its metadata alone', () => {
    expect(contentOf('yaml', 'title: Oxen\n')).toEqual({
      title: 'Oxen',
      metadata: { title: 'Oxen' },
      json: '{"title":"Oxen"}',
      text: undefined,
    });
  });

  it('is JSON, kept as it is written', () => {
    const text = '{\n  "title": "Oxen", "n": 1.10\n}\n';
    expect(contentOf('json', text)).toEqual({
      title: 'Oxen',
      metadata: { title: 'Oxen', n: 1.1 },
      json: text,
      text: undefined,
    });
  });

  it('is source, of which nothing is understood', () => {
    const text = '---\ntitle: no\n---\n# no\n';
    expect(contentOf('source', text)).toEqual({ title: undefined, metadata: {}, json: '{}', text });
  });

  it.each(['', ' \n\t\n'])('has nothing to keep when it is JSON of %j', (text) => {
    expect(faultIn('json', text)).toMatchObject({ code: 'EMPTY', line: 1, column: 1 });
  });

  it.each(['', '\n\n', '# only\n# comments\n', '---\n', '---\n# x\n', '...\n'])(
    'has nothing to keep when it is YAML of %j',
    (text) => {
      expect(faultIn('yaml', text)).toMatchObject({ code: 'EMPTY' });
    },
  );

  it.each(['markdown', 'source'] as const)('may be empty when it is %s', (format) => {
    expect(contentOf(format, '')).toEqual({ title: undefined, metadata: {}, json: '{}', text: '' });
  });

  it('has metadata of its own, that nobody else has', () => {
    const [one, other] = [contentOf('source', 'a'), contentOf('source', 'b')];
    expect(one.metadata).not.toBe(other.metadata);
  });
});

/** Bytes that are near to a file. */
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((all) => Buffer.from(all)),
  fc.string({ unit: 'binary', maxLength: 200 }).map((text) => Buffer.from(text)),
  fc
    .array(
      fc.constantFrom(
        ...[
          '---\n',
          '...\n',
          'a: ',
          '- ',
          '? ',
          '&a ',
          '*a',
          '<<: ',
          '"',
          "'",
          '\\u',
          '0000',
          'd800',
          '{',
          '}',
        ],
        ...['[', ']', ',', ':', '\n', '  ', '\t', '|', '>', '# ', '!!int ', '%YAML 1.1\n', '1e9', '0x', '\0'],
        ...['\r\n', '\ufeff', '`', '~~~', '===', '<!--', '__proto__', '\xff', 'é', '🐂'],
      ),
      { maxLength: 40 },
    )
    .map((parts) => Buffer.from(parts.join(''))),
);

describe('any bytes', () => {
  it('are read, or have a fault with a place and a message', () => {
    fc.assert(
      fc.property(bytes, fc.constantFrom(...formats), (content, format) => {
        const reading = readDocument(format, content, 'a');
        if ('content' in reading) {
          expect(JSON.parse(reading.content.json)).toEqual(
            JSON.parse(JSON.stringify(reading.content.metadata)),
          );
          return;
        }
        const { code, line = 0, column = 0, message } = reading.fault;
        expect(code).toMatch(/^[A-Z][A-Z0-9_]+$/);
        expect(line).toBeGreaterThan(0);
        expect(line).toBeLessThanOrEqual(content.toString().split('\n').length);
        expect(column).toBeGreaterThan(0);
        expect(message.length).toBeLessThanOrEqual(400);
        expect(message.isWellFormed() && !message.includes('\0')).toBe(true);
      }),
      { numRuns: 1_500 },
    );
  });
});
