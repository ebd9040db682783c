import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limitBytesInFlight } from '../../functions/admission.ts';

const most = 1000;

/** A request that was let in. Nothing has read its body yet. */
interface Served {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Resolves once the exchange is over for the server, be it by an answer or because the client has gone. */
  readonly over: Promise<unknown>;
}

let server: Server;
const awaited = new Map<string, (served: Served) => void>();

beforeEach(async () => {
  server = createServer((request, response) => {
    const over = new Promise<void>((resolve) => response.once('close', resolve));
    awaited.get(request.url ?? '')?.({ request, response, over });
  });
  limitBytesInFlight(server, most);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  awaited.clear();
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
});

/** Sends the head of a request on a connection of its own, and none of its body. */
function begin(bytes: number) {
  const { port } = server.address() as AddressInfo;
  const path = `/${awaited.size}`;
  const served = Promise.withResolvers<Served>();
  awaited.set(path, served.resolve);
  const client = request({
    host: '127.0.0.1',
    port,
    path,
    method: 'POST',
    headers: { 'content-length': bytes, connection: 'keep-alive' },
    agent: false,
  });
  const answer = once(client, 'response').then(([response]) => response as IncomingMessage);
  answer.catch(() => undefined);
  client.on('error', () => undefined);
  client.flushHeaders();
  /** What came first: the function has the request, or the client has an answer. */
  const fate = Promise.race([
    served.promise.then(() => 'let in'),
    answer.then(({ statusCode }) => statusCode ?? 0),
  ]);
  return { bytes, client, served: served.promise, answer, fate };
}

/** Sends the body of a request that was let in, and has it read and answered with its length. */
async function finish({ bytes, client, served, answer }: ReturnType<typeof begin>): Promise<string> {
  client.end(Buffer.alloc(bytes));
  const { request, response, over } = await served;
  response.end(String((await buffer(request)).length));
  const answered = await text(await answer);
  await over;
  return answered;
}

describe('the bytes that a process takes in at a time', () => {
  it('may be those of one body that is larger than the limit, where it is alone', async () => {
    const large = begin(5 * most);

    expect(await large.fate).toBe('let in');
    expect(await finish(large)).toBe(String(5 * most));
  });

  it('do not include a body that would exceed them: it is refused before any of it was sent', async () => {
    const first = begin(most - 1);
    expect(await first.fate).toBe('let in');

    const second = begin(2);

    expect(await second.fate).toBe(429);
    expect((await second.answer).headers.connection).toBe('close');
    expect(await finish(first)).toBe(String(most - 1));
  });

  it('are no fewer for a body that was refused', async () => {
    const first = begin(most);
    expect(await first.fate).toBe('let in');
    const refused = begin(most);
    expect(await refused.fate).toBe(429);
    await text(await refused.answer);

    expect(await begin(1).fate).toBe(429);

    expect(await finish(first)).toBe(String(most));
    expect(await begin(most).fate).toBe('let in');
  });

  it('are free again once the answer was sent', async () => {
    const first = begin(most);
    expect(await first.fate).toBe('let in');
    expect(await begin(most).fate).toBe(429);

    await finish(first);

    const next = begin(most);
    expect(await next.fate).toBe('let in');
    expect(await finish(next)).toBe(String(most));
  });

  it('are free again once the client has gone in the middle of its body', async () => {
    const first = begin(most);
    expect(await first.fate).toBe('let in');
    first.client.write(Buffer.alloc(most / 2));
    expect(await begin(most).fate).toBe(429);

    first.client.destroy();
    await (await first.served).over;

    const next = begin(most);
    expect(await next.fate).toBe('let in');
    expect(await finish(next)).toBe(String(most));
  });

  it('may be those of many small bodies at once, up to the limit', async () => {
    const small = Array.from({ length: 10 }, () => begin(most / 10));

    expect(await Promise.all(small.map(({ fate }) => fate))).toEqual(small.map(() => 'let in'));

    expect(await begin(1).fate).toBe(429);
    expect(await begin(0).fate).toBe('let in');
    expect(await Promise.all(small.map(finish))).toEqual(small.map(() => String(most / 10)));
  });
});
