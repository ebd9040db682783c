import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';

/**
 * Bodies that a process takes in at a time. A body exists several times over while it is read (raw, as text, decoded),
 * and the largest that Pub/Sub pushes is 13 MB: sixteen of those at once would be more than the memory of an instance.
 */
const mostBytesInFlight = 16 * 1024 * 1024;

/**
 * Answers 429 to a request for whose body there is no room, so that Pub/Sub backs off and comes again, before any of it
 * is read. One alone is always let in.
 */
export function limitBytesInFlight(server: Server, most = mostBytesInFlight): void {
  const listeners = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request');
  let inFlight = 0;
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const bytes = Number(request.headers['content-length'] ?? 0);
    if (inFlight > 0 && inFlight + bytes > most) {
      response.writeHead(429, { connection: 'close' }).end();
      return;
    }
    inFlight += bytes;
    response.once('close', () => {
      inFlight -= bytes;
    });
    for (const listener of listeners) listener(request, response);
  });
}
