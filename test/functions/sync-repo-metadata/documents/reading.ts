import type { Content, Fault, Format } from '../../../../functions/sync-repo-metadata/documents/document.ts';
import { readDocument } from '../../../../functions/sync-repo-metadata/documents/read.ts';

/** What a file of this text says, which can be read. */
export function contentOf(format: Format, text: string | Buffer, title = 'title'): Content {
  const reading = readDocument(format, Buffer.from(text), title);
  if ('fault' in reading) throw new Error(`${reading.fault.code}: ${reading.fault.message}`);
  return reading.content;
}

/** Why a file of this text can't be read. */
export function faultIn(format: Format, text: string | Buffer): Fault {
  const reading = readDocument(format, Buffer.from(text));
  if ('content' in reading) throw new Error(`It can be read: ${reading.content.json.slice(0, 200)}`);
  return reading.fault;
}

export const yaml = (text: string) => contentOf('yaml', text).metadata;
export const json = (text: string) => contentOf('json', text).metadata;

/** The same value without `-0`, which `jsonb` has not. */
export function withoutNegativeZero(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
