import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { longestUrlLife, signReadUrl } from '../../../../shared/gcp/storage/sign.ts';
import { writeObject } from '../../../../shared/gcp/storage/write.ts';
import { bucket, contentType, get, useStorage } from './fixture.ts';

const storage = useStorage();
const { signal } = new AbortController();
const forbidden = { status: 403, code: 'SignatureDoesNotMatch' };
const write = (name: string, content: string) =>
  writeObject({ bucket, name }, content, { signal, contentType });
const sign = (name: string, more: Partial<Parameters<typeof signReadUrl>[1]> = {}) =>
  signReadUrl({ bucket, name }, { signal, seconds: 60, ...more });

describe('a signed URL', () => {
  it('reads the object, whatever that is called', async () => {
    const awkward = fc.constantFrom(
      '/',
      '.',
      '%',
      '%2F',
      '%2e',
      '\\',
      ' ',
      '+',
      '?',
      '#',
      ':',
      '\u0300',
      '…',
    );
    const name = fc
      .string({
        unit: fc.oneof(awkward, fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })),
        maxLength: 20,
      })
      .map((text) => `a${text}`)
      .filter((text) => !/[\r\n]/.test(text) && !text.split('/').some((part) => /^\.\.?$/.test(part)));
    await fc.assert(
      fc.asyncProperty(name, async (given) => {
        await write(given, given);
        expect(await get(await sign(given))).toMatchObject({ status: 200, text: given });
      }),
      { numRuns: 100 },
    );
  });

  it('answers with the headers that were signed', async () => {
    await write('headers', '1');
    const contentDisposition = `attachment; filename="a_ 1;.jpg"; filename*=UTF-8''%C3%A4%20%221%3B.jpg`;

    const { headers } = await get(await sign('headers', { contentType: 'image/jpeg', contentDisposition }));

    expect(headers).toMatchObject({
      'content-type': 'image/jpeg',
      'content-disposition': contentDisposition,
    });
  });

  it('reads no other generation than the one that was signed', async () => {
    const { generation } = await write('generations', 'first');
    const [any, first] = [await sign('generations'), await sign('generations', { generation })];
    expect(await get(first)).toMatchObject({ status: 200, text: 'first' });

    await write('generations', 'second');

    expect(await get(first)).toMatchObject({ status: 404 });
    expect(await get(any)).toMatchObject({ status: 200, text: 'second' });
  });

  it.each([1, 60.5, longestUrlLife])('of %d s lasts so long and no longer', async (seconds) => {
    await write('lasting', '1');
    const url = await sign('lasting', { seconds });
    expect(new URL(url).searchParams.get('X-Goog-Expires')).toBe(String(Math.floor(seconds)));

    storage.server.advance(seconds + 1);
    try {
      expect(await get(url)).toMatchObject({ status: 400, code: 'ExpiredToken' });
    } finally {
      storage.server.advance(-seconds - 1);
    }
  });

  it('is of no use for anything else', async () => {
    await write('a', 'mine');
    await write('b', 'another’s');
    const url = await sign('a');

    expect(await get(url.replace('/a?', '/b?'))).toMatchObject(forbidden);
    expect(await get(url.replace('Expires=60', 'Expires=600'))).toMatchObject(forbidden);
    expect(await get(`${url}&response-content-type=text%2Fhtml`)).toMatchObject(forbidden);
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(403);
  });
});

describe('no URL is signed', () => {
  it.each([
    ['for no time', 'x', 0, /from 1 s to 604800 s, and not 0/],
    ['for longer than a week', 'x', longestUrlLife + 1, /and not 604801/],
    ['for no number of seconds', 'x', Number.NaN, /and not NaN/],
    ['for what a browser would resolve', 'photos/alice/../bob/x', 60, /\. or \.\./],
    ['for a name that ends in dots', 'photos/alice/..', 60, /\. or \.\./],
    ['for a name with one dot', 'photos/./x', 60, /\. or \.\./],
    ['for a bucket', '', 60, /no object can be called that/],
    ['for half a character', 'a\ud800', 60, /no object can be called that/],
  ])('%s', async (_, name, seconds, message) => {
    await expect(sign(name, { seconds })).rejects.toMatchObject({
      code: 'UNSIGNABLE',
      retryable: false,
      message: expect.stringMatching(message),
    });
  });

  it('when it is too late', async () => {
    await expect(sign('x', { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  });
});
