import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setImmediate as immediate } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  defaultPatience,
  get,
  readText,
} from '../../../../functions/sync-repo-metadata/source/github-transfer.ts';
import { refusal } from './github.fixture.ts';

const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const open = new AbortController().signal;
const ask = (url: string, patience = {}, signal = open, headers = {}) =>
  get(url, headers, { ...defaultPatience, ...patience }, signal);

describe('an answer', () => {
  it('is what the server sends', async () => {
    const url = await serve((_, response) => response.writeHead(418, { 'x-is': 'tea' }).end('pot'));
    const answer = await ask(url);
    expect(answer.status).toBe(418);
    expect(answer.headers.get('x-is')).toBe('tea');
    expect(await readText(answer, 3)).toBe('pot');
  });

  it('without a body ends at once', async () => {
    const url = await serve((_, response) => response.writeHead(304).end());
    expect(await readText(await ask(url), 0)).toBe('');
  });

  it('that is longer than it may be is given up, and its connection with it', async () => {
    let gone: Promise<unknown> | undefined;
    const url = await serve((_, response) => {
      gone = once(response, 'close');
      response.write('x'.repeat(100));
    });
    await expect(readText(await ask(url), 99)).rejects.toEqual(
      refusal('GITHUB_UNAVAILABLE', true, '99 bytes'),
    );
    await gone;
  });

  it('that comes compressed is measured as it is unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(1024 * 1024));
    const url = await serve((_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb),
    );
    await expect(readText(await ask(url), 100_000)).rejects.toEqual(refusal('GITHUB_UNAVAILABLE', true));
  });
});

describe('a connection', () => {
  it('that can’t be made is unavailable', async () => {
    const url = await serve(() => undefined);
    closing.pop()?.();
    await expect(ask(url)).rejects.toEqual(refusal('GITHUB_UNAVAILABLE', true, /: ECONNREFUSED$/));
  });

  it('that breaks before an answer is unavailable', async () => {
    const url = await serve((request) => request.socket.destroy());
    await expect(ask(url)).rejects.toEqual(refusal('GITHUB_UNAVAILABLE', true));
  });

  it.each([
    ['in chunks', {}],
    ['of a known length', { 'content-length': 10 }],
  ])('that breaks in an answer %s makes it fail', async (_, headers) => {
    const url = await serve((request, response) => {
      response.writeHead(200, headers).write('five!', () => request.socket.end());
    });
    const { body } = await ask(url);
    await expect(buffer(body)).rejects.toEqual(refusal('GITHUB_UNAVAILABLE', true));
  });

  it('that is silent before an answer is given up', async () => {
    const url = await serve(() => undefined);
    await expect(ask(url, { headMs: 20 })).rejects.toEqual(
      refusal('GITHUB_UNAVAILABLE', true, 'silent for 0.02 s after a request'),
    );
  });

  it('that is silent in the middle of an answer is given up', async () => {
    let gone: Promise<unknown> | undefined;
    const url = await serve((_, response) => {
      gone = once(response, 'close');
      response.write('five!');
    });
    const { body } = await ask(url, { stallMs: 20 });
    await expect(buffer(body)).rejects.toEqual(
      refusal('GITHUB_UNAVAILABLE', true, 'silent for 0.02 s in the middle of an answer'),
    );
    await gone;
  });

  it('isn’t given up while nobody reads', async () => {
    const content = Buffer.alloc(4 * 1024 * 1024, 'x');
    const url = await serve((_, response) => response.end(content));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const { body } = await ask(url);
      body.read(0);
      while (body.readableLength < body.readableHighWaterMark) await immediate();
      // What the reader takes its time for is not the server's silence.
      vi.advanceTimersByTime(3_600_000);
      expect((await buffer(body)).length).toBe(content.length);
    } finally {
      vi.useRealTimers();
    }
  });

  it('is closed when its answer is destroyed, though no byte comes any more', async () => {
    let gone: Promise<unknown> | undefined;
    const url = await serve((_, response) => {
      gone = once(response, 'close');
      response.write('five!');
    });
    const { body } = await ask(url);
    await once(body, 'readable');
    body.destroy();
    await gone;
    expect(body.destroyed).toBe(true);
  });
});

describe('the signal', () => {
  const reason = new Error('time is over');

  it('ends a request before, in its middle and in its answer, with its own reason', async () => {
    const url = await serve((request, response) => void (request.url === '/body' && response.write('x')));
    await expect(ask(url, {}, AbortSignal.abort(reason))).rejects.toBe(reason);

    const early = new AbortController();
    const waiting = ask(url, {}, early.signal);
    early.abort(reason);
    await expect(waiting).rejects.toBe(reason);

    const late = new AbortController();
    const { body } = await ask(`${url}/body`, {}, late.signal);
    const reading = buffer(body);
    late.abort(reason);
    await expect(reading).rejects.toBe(reason);
  });
});

describe('a redirect', () => {
  it('takes the token along to the same origin, and to no other one', async () => {
    const seen: (string | undefined)[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end();
    });
    const url = await serve((request, response) => {
      seen.push(request.headers.authorization);
      const location = request.url === '/' ? '/moved' : other;
      response.writeHead(302, { location }).end();
    });
    await readText(await ask(`${url}/`, {}, open, { authorization: 'Bearer x' }), 0);
    expect(seen).toEqual(['Bearer x', 'Bearer x', undefined]);
  });

  it('that leads nowhere or around in circles is unavailable, and its address is in no error', async () => {
    for (const location of ['http://127.0.0.1:1/?token=k3y', 'http://[?token=k3y', '/?token=k3y']) {
      const url = await serve((_, response) => response.writeHead(302, { location }).end());
      const failed: unknown = await ask(url).catch((error: unknown) => error);
      expect(failed).toEqual(refusal('GITHUB_UNAVAILABLE', true, /^((?!k3y).)*$/));
      expect(failed).not.toHaveProperty('cause');
    }
  });
});
