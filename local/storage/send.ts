import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { ConnectionLost } from '../http/connection-lost.ts';
import type { Answer } from './call.ts';

export async function send(response: ServerResponse, answer: Answer): Promise<void> {
  const { status = 200, headers, json, content } = answer;
  if (json) {
    sendText(response, status, 'application/json; charset=UTF-8', JSON.stringify(json));
  } else if (content) {
    response.writeHead(status, headers);
    await pipeline(content, response);
  } else {
    response.writeHead(status, { ...(status !== 204 && { 'content-length': 0 }), ...headers }).end();
  }
}

export function sendText(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) }).end(text);
}

/** @returns whether the connection has been broken because there is no other way to say that something failed */
export function broken(response: ServerResponse, error: unknown): boolean {
  if (!response.headersSent && !(error instanceof ConnectionLost)) return false;
  response.destroy();
  return true;
}
