import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HttpServer {
  /** `127.0.0.1:port` */
  readonly host: string;
  /** Ends connections that are open, too. */
  close(): Promise<void>;
}

/**
 * Serves HTTP on loopback.
 *
 * @param port 0 takes any free one
 */
export async function startHttpServer(port: number, listener: RequestListener): Promise<HttpServer> {
  const server = createServer(listener).listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
