import { once } from 'node:events';
import type { Duplex } from 'node:stream';

/** https://www.postgresql.org/docs/current/protocol-message-formats.html */
export interface ServerMessage {
  /** One letter. */
  readonly type: string;
  readonly body: Buffer;
  /** The whole message as it came. */
  readonly bytes: Buffer;
}

export interface StartupMessage {
  readonly parameters: ReadonlyMap<string, string>;
  readonly bytes: Buffer;
}

/** @returns undefined if the client closed the connection instead */
export async function readStartup(stream: Duplex): Promise<StartupMessage | undefined> {
  const length = await take(stream, 4);
  const rest = length && (await take(stream, length.readInt32BE() - 4));
  if (length === undefined || rest === undefined) return undefined;
  const words = rest.subarray(4).toString().split('\0');
  const parameters = new Map<string, string>();
  for (let at = 0; words[at]; at += 2) parameters.set(words[at] ?? '', words[at + 1] ?? '');
  return { parameters, bytes: Buffer.concat([length, rest]) };
}

/** @returns undefined if the server closed the connection instead */
export async function readMessage(stream: Duplex): Promise<ServerMessage | undefined> {
  const head = await take(stream, 5);
  if (head === undefined) return undefined;
  const length = head.readInt32BE(1) - 4;
  const body = length === 0 ? Buffer.alloc(0) : await take(stream, length);
  return body && { type: head.toString('latin1', 0, 1), body, bytes: Buffer.concat([head, body]) };
}

export function passwordMessage(body: Buffer): Buffer {
  return message('p', body);
}

export function fatal(code: string, text: string): Buffer {
  return message('E', Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${text}\0\0`));
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

async function take(stream: Duplex, size: number): Promise<Buffer | undefined> {
  for (;;) {
    const chunk: Buffer | null = stream.read(size);
    if (chunk !== null) return chunk.length === size ? chunk : undefined;
    if (stream.readableEnded || stream.destroyed) return undefined;
    await Promise.race([once(stream, 'readable'), once(stream, 'close')]);
  }
}
