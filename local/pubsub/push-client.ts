import { Agent, request } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import type { PushRequest } from './push-request.ts';

/** Posts to endpoints over kept connections. */
export class PushClient {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #secureAgent = new SecureAgent({ keepAlive: true });

  /**
   * @param signal ends the request, at the acknowledgement deadline
   * @returns the status code, or 102 as soon as that arrives; rejects where there is no complete answer
   */
  post(url: URL, { headers, body }: PushRequest, signal: AbortSignal): Promise<number> {
    const secure = url.protocol === 'https:';
    return new Promise((resolve, reject) => {
      const options = { method: 'POST', agent: secure ? this.#secureAgent : this.#agent, headers, signal };
      const post = (secure ? secureRequest : request)(url, options);
      post.once('information', ({ statusCode }) => {
        if (statusCode === 102) resolve(statusCode);
      });
      post.once('response', (response) => {
        response.once('end', () => resolve(response.statusCode ?? 0));
        response.once('error', reject);
        response.resume();
      });
      post.once('error', reject);
      // Data and head leave in one packet.
      post.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
    this.#secureAgent.destroy();
  }
}
