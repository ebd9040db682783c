import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Storage } from '@google-cloud/storage';
import { Parser } from 'tar';
import { localProject } from '../../../local/stack.ts';

/** A file of an archive, with the name that git gives to its content. */
export interface ReadFile {
  readonly path: string;
  readonly content: Buffer;
  readonly blob: string;
}

/** Larger ones are no faster. */
const chunkBytes = 256 * 1024;

/**
 * The files of a `.tar.gz` that is downloaded, some at a time: those that end in a chunk. The next chunk is asked for when
 * these are done with.
 *
 * @param url of its content
 */
export async function* filesOfObject(url: string): AsyncGenerator<ReadFile[]> {
  const response = download(url);
  let files: ReadFile[] = [];
  const parser = new Parser({
    strict: true,
    onReadEntry(entry) {
      const chunks: Buffer[] = [];
      entry.on('data', (chunk: Buffer) => chunks.push(chunk));
      entry.on('end', () => {
        if (entry.type !== 'File') return;
        const content = chunks.length === 1 ? (chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(chunks);
        const path = entry.path.slice(entry.path.indexOf('/') + 1);
        files.push({ path, content, blob: blobOf(content) });
      });
    },
  });
  const unpacked = response.pipe(createGunzip({ chunkSize: chunkBytes }));
  response.once('error', (error) => unpacked.destroy(error));
  for await (const chunk of unpacked) {
    parser.write(chunk);
    if (files.length > 0) yield files;
    files = [];
  }
  parser.end();
  if (files.length > 0) yield files;
}

/** By the official client, as the function does, and as unchecked: what is packed has a checksum of its own. */
function download(url: string): Readable {
  const { origin, pathname } = new URL(url);
  const [, bucket = '', name = ''] = /\/b\/([^/]+)\/o\/(.+)$/.exec(pathname) ?? [];
  client ??= new Storage({ projectId: localProject, apiEndpoint: origin });
  const file = client.bucket(bucket).file(decodeURIComponent(name));
  return file.createReadStream({ validation: false, decompress: false });
}

let client: Storage | undefined;

function blobOf(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}
