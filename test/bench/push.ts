import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { localProject } from '../../local/stack.ts';

/** Between two attempts to reach a process that may not listen yet. */
const retryMs = 2;

/** The body of a push, as Pub/Sub sends it. */
export function pushBody(topic: string, messageId: string, data: unknown): string {
  return JSON.stringify({
    message: {
      data: Buffer.from(JSON.stringify(data)).toString('base64'),
      messageId,
      publishTime: new Date().toISOString(),
      attributes: { 'operation-id': messageId },
    },
    subscription: `projects/${localProject}/subscriptions/${topic}`,
  });
}

/**
 * Pushes a message to a process that was just started, as soon as it listens.
 *
 * @returns the status of the answer
 */
export async function pushWhenListening(
  port: number,
  topic: string,
  body: string,
  signal: AbortSignal,
): Promise<number | undefined> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await push(port, topic, body);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED')) throw error;
    }
    await delay(retryMs);
  }
}

async function push(port: number, topic: string, body: string): Promise<number | undefined> {
  const sent = request({
    host: '127.0.0.1',
    port,
    method: 'POST',
    path: `/projects/${localProject}/topics/${topic}`,
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    agent: false,
  });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return response.statusCode;
}
