import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { invalidMessage, maxMessageBytes, parseData } from '../../../shared/operation/request.ts';

const schema = z.strictObject({
  name: z.string().max(20),
  tags: z.array(z.string().max(3)).default([]),
  nested: z.strictObject({ deep: z.number() }).optional(),
});

const parse = (text: string, shape: z.ZodType = schema) => parseData(Buffer.from(text), shape);

const problemsOf = (data: ReturnType<typeof parse>) => ('problems' in data ? data.problems : []);
const pathsOf = (data: ReturnType<typeof parse>) => problemsOf(data).map(({ path }) => path);

describe('the data of a message', () => {
  it('is what the schema makes of it', () => {
    expect(parse('{"name":"a"}')).toMatchObject({ message: { name: 'a', tags: [] } });
  });

  it('has the same hash whatever the order of its keys and its white space', () => {
    expect(parse('{ "tags": ["x"],\n "name": "a" }').hash).toBe(parse('{"name":"a","tags":["x"]}').hash);
  });

  it('has the same hash whatever defaults the schema adds', () => {
    const before = z.strictObject({ name: z.string() });
    const after = before.extend({ size: z.number().default(3) });
    expect(parse('{"name":"a"}', after)).toMatchObject({ message: { size: 3 } });
    expect(parse('{"name":"a"}', after).hash).toBe(parse('{"name":"a"}', before).hash);
  });

  it('has the same hash whether or not it is valid', () => {
    expect(parse('{"size":3}').hash).toBe(parse('{"size":3}', z.unknown()).hash);
  });

  it.each([
    ['a value', '{"name":"a"}', '{"name":"b"}'],
    ['a type', '{"name":"1"}', '{"name":1}'],
    ['the order of a list', '{"tags":["a","b"]}', '{"tags":["b","a"]}'],
    ['what is left out', '{"tags":[]}', '{}'],
  ])('has another hash where %s differs', (_, one, another) => {
    expect(parse(one).hash).not.toBe(parse(another).hash);
  });
});

describe('data that can’t be used', () => {
  const padded = (bytes: number) => `{"name":"a"}${' '.repeat(bytes - 12)}`;

  it('is longer than 256 KiB', () => {
    expect(parse(padded(maxMessageBytes))).toMatchObject({ message: { name: 'a' } });
    expect(problemsOf(parse(padded(maxMessageBytes + 1)))).toEqual([
      { path: 'data', message: 'is 262145 bytes; at most 262144 are accepted' },
    ]);
  });

  it('counts as too long by its bytes, not its characters', () => {
    const text = JSON.stringify({ name: 'ü'.repeat(maxMessageBytes / 2) });
    expect(problemsOf(parse(text))[0]?.message).toMatch(/bytes; at most/);
  });

  it.each([
    ['nothing', ''],
    ['half of it', '{"name":'],
    ['another language', 'name: a'],
    ['two of them', '{}{}'],
  ])('is no JSON: %s', (_, text) => {
    expect(problemsOf(parse(text))).toEqual([
      { path: 'data', message: expect.stringMatching(/^is not JSON: see line \d+, column \d+$/) },
    ]);
  });

  it('is not UTF-8', () => {
    const data = Buffer.concat([Buffer.from('{"name":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]);
    expect(problemsOf(parseData(data, schema))).toEqual([{ path: 'data', message: 'is not UTF-8' }]);
  });

  it('is no JSON, and what stands there is not shown: it may be a secret', () => {
    expect(JSON.stringify(parse('{"password": hunter2}'))).not.toContain('hunter2');
  });

  it.each(['"\\ud800"', '"a\\uDFFFb"', '"\\\\\\udc00"', '{"\\ud83d":1}'])(
    'has half of a character: %s',
    (text) => {
      expect(problemsOf(parse(text, z.unknown()))).toEqual([
        { path: 'data', message: expect.stringMatching(/^has half of a surrogate pair/) },
      ]);
    },
  );

  it('is not taken to have half of a character where it has a whole one, or text that looks like a half', () => {
    for (const text of ['"\\ud83d\\ude00"', '"\\\\ud800"', '"😀"']) {
      expect(problemsOf(parse(text, z.unknown()))).toEqual([]);
    }
  });

  it('nests too deeply, and still has a hash', () => {
    const deep = parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`, z.unknown());
    expect(pathsOf(deep)).toEqual(['data']);
    expect(deep.hash).toMatch(/^[0-9a-f]{64}$/);
  });

  it('is told apart from other data that can’t be used', () => {
    expect(parse('{').hash).not.toBe(parse('{{').hash);
  });
});

describe('the problems of a message', () => {
  it('have the paths of what is wrong, in lists and objects', () => {
    expect(pathsOf(parse('{"name":7,"tags":["a","long one",3],"nested":{"deep":"x"}}'))).toEqual([
      'data.name',
      'data.tags[1]',
      'data.tags[2]',
      'data.nested.deep',
    ]);
  });

  it.each([
    ['a missing field', '{}', 'data.name'],
    ['another type altogether', '[]', 'data'],
    ['an unknown key', '{"name":"a","color":1}', 'data.color'],
    ['an unknown key further down', '{"name":"a","nested":{"deep":1,"deeper":1}}', 'data.nested.deeper'],
  ])('name %s', (_, text, path) => {
    expect(pathsOf(parse(text))).toEqual([path]);
  });

  it.each([
    ['__proto__', 'data.__proto__'],
    ['constructor', 'data.constructor'],
    ['hasOwnProperty', 'data.hasOwnProperty'],
    ['', 'data[""]'],
    ['a.b', 'data["a.b"]'],
    ['"]; DROP', 'data["\\"]; DROP"]'],
    ['line\nbreak', 'data["line\\nbreak"]'],
    ['\u001b[31m', 'data["\\u001b[31m"]'],
    ['x'.repeat(1000), `data["${'x'.repeat(64)}"]`],
  ])('quote and cut a key from outside: %j', (key, path) => {
    const text = `{"name":"a",${JSON.stringify(key)}:1}`;
    expect(problemsOf(parse(text))).toEqual([{ path, message: 'is not a field of this message' }]);
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });

  it('are no more than anybody reads', () => {
    const keys = Array.from({ length: 5000 }, (_, index) => `"k${index}":1`).join();
    expect(pathsOf(parse(`{"name":"a",${keys}}`))).toHaveLength(100);
    const tags = Array.from({ length: 5000 }, () => '"too long"').join();
    expect(pathsOf(parse(`{"name":"a","tags":[${tags}]}`))).toHaveLength(100);
    const lists = z.array(z.strictObject({}));
    expect(pathsOf(parse(`[${`{${keys}},`.repeat(4)}{}]`, lists))).toHaveLength(100);
  });

  it('are all in the error', () => {
    const error = invalidMessage([
      { path: 'data.a', message: 'is wrong' },
      { path: 'attributes.b', message: 'is, too' },
    ]);
    expect(error).toMatchObject({
      code: 'INVALID_MESSAGE',
      retryable: false,
      message: "The message can't be used: data.a: is wrong; attributes.b: is, too",
      details: { problems: [{ path: 'data.a' }, { path: 'attributes.b' }] },
    });
  });
});
