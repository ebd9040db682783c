import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What a client sent and, after it, what the server answered. */
export interface PostgresCall {
  /** `Startup`, `Password`, or a query's text. */
  readonly query: string;
  readonly phase: 'before' | 'after';
}

/**
 * Called before a message is passed on to the server, and before its complete answer is passed on to the client. A
 * promise holds it; throwing breaks the connection.
 */
export type PostgresInterceptor = (call: PostgresCall) => void | Promise<void>;

export interface PostgresProxy {
  readonly port: number;
  /** Connections that are open towards clients. */
  readonly open: number;
  intercept: PostgresInterceptor | undefined;
  close(): Promise<void>;
}

/**
 * A TCP proxy on loopback that knows PostgreSQL's messages, but for TLS. Rows of COPY pass unseen.
 *
 * @param port 0 takes any free one
 */
export async function startPostgresProxy(to: number, port = 0): Promise<PostgresProxy> {
  const clients = new Set<Socket>();
  const proxy: Pick<PostgresProxy, 'intercept'> = { intercept: undefined };
  const server = createServer((client) => {
    clients.add(client);
    client.once('close', () => clients.delete(client));
    relay(client, connect(to, '127.0.0.1'), (call) => proxy.intercept?.(call));
  }).listen(port, '127.0.0.1');
  await once(server, 'listening');
  return Object.defineProperties(proxy as PostgresProxy, {
    port: { value: (server.address() as AddressInfo).port },
    open: { get: () => clients.size },
    close: {
      value: async () => {
        server.close();
        for (const client of clients) client.destroy();
        await once(server, 'close');
      },
    },
  });
}

function relay(client: Socket, server: Socket, intercept: PostgresInterceptor): void {
  /** Questions that the server has not answered yet: a pipelining client asks several. */
  const asked: string[] = [];
  const end = () => {
    client.destroy();
    server.destroy();
  };
  for (const socket of [client, server]) socket.setNoDelay(true).on('error', end);
  // Whoever is killed takes the other side with it, even where a message is held.
  client.once('close', end);

  const ask = inOrder(end, async (message: Buffer, first: boolean) => {
    const query = questionOf(message, first);
    if (query !== undefined) {
      await intercept({ query, phase: 'before' });
      asked.push(query);
    }
    if (!server.destroyed) server.write(message);
  });
  const answer = inOrder(end, async (messages: Buffer, complete: boolean) => {
    const query = complete ? asked.shift() : undefined;
    if (query !== undefined) await intercept({ query, phase: 'after' });
    if (!client.destroyed) client.write(messages);
  });

  let first = true;
  const fromClient = framer((message) => {
    ask(message, first);
    first = false;
  }, true);
  let unfinished: Buffer[] = [];
  const fromServer = framer((message) => {
    unfinished.push(message);
    const ends = endsAnswer(message);
    if (!ends && !asksForRows(message)) return;
    answer(Buffer.concat(unfinished), ends);
    unfinished = [];
  }, false);
  client.on('data', fromClient);
  server.on('data', fromServer);
  server.once('close', () => {
    // A last word, such as FATAL.
    answer(Buffer.concat(unfinished), false);
    void answer.settled().then(() => client.end());
  });
}

/** Handles one after the other, however long each one takes. */
function inOrder(fail: () => void, handle: (message: Buffer, flag: boolean) => Promise<void>) {
  let last = Promise.resolve();
  return Object.assign(
    (message: Buffer, flag: boolean) => {
      last = last.then(() => handle(message, flag)).catch(fail);
    },
    { settled: () => last },
  );
}

/** Cuts a stream into messages: a type of one byte, which a client's first message lacks, and a length. */
function framer(onMessage: (message: Buffer) => void, untypedFirst: boolean): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  let typed = !untypedFirst;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const head = typed ? 1 : 0;
      if (rest.length < head + 4) return;
      const length = head + rest.readInt32BE(head);
      if (rest.length < length) return;
      const message = rest.subarray(0, length);
      rest = rest.subarray(length);
      typed = true;
      onMessage(message);
    }
  };
}

function questionOf(message: Buffer, first: boolean): string | undefined {
  if (first) return 'Startup';
  const type = String.fromCharCode(message[0] ?? 0);
  if (type === 'p') return 'Password';
  return type === 'Q' ? message.subarray(5, -1).toString() : undefined;
}

/** ReadyForQuery, or a request for the next step of the login (AuthenticationSASL, AuthenticationSASLContinue). */
function endsAnswer(message: Buffer): boolean {
  const type = String.fromCharCode(message[0] ?? 0);
  return type === 'Z' || (type === 'R' && [10, 11].includes(message.readInt32BE(5)));
}

/** CopyInResponse: the rest of the answer comes after the rows. */
function asksForRows(message: Buffer): boolean {
  return String.fromCharCode(message[0] ?? 0) === 'G';
}
