import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { Parser } from 'tar';

export const samples = path.resolve(import.meta.dirname, '..', '..', 'samples');

/** An archive, as people unpack it. */
export interface UnpackedArchive {
  /** The folder that all of it is in. */
  readonly root: string;
  /** What `git archive` noted. */
  readonly commit: string | undefined;
  /** By their paths within the folder. */
  readonly files: ReadonlyMap<string, Buffer>;
  readonly types: ReadonlySet<string>;
}

/** Reads a shipped archive with a reader that isn't Drover's. */
export async function unpack(name: string): Promise<UnpackedArchive> {
  const files = new Map<string, Buffer>();
  const roots = new Set<string>();
  const types = new Set<string>();
  let commit: string | undefined;
  const parser = new Parser({
    strict: true,
    onReadEntry(entry) {
      const [root = '', ...parts] = entry.path.split('/');
      roots.add(root);
      types.add(entry.type);
      commit ??= entry.globalExtended?.comment;
      const chunks: Buffer[] = [];
      entry.on('data', (chunk) => chunks.push(chunk));
      entry.on('end', () => {
        if (entry.type === 'File') files.set(parts.join('/'), Buffer.concat(chunks));
      });
    },
  });
  createReadStream(path.join(samples, name)).pipe(parser as unknown as NodeJS.WritableStream);
  await once(parser, 'end');
  const [root] = roots;
  if (root === undefined || roots.size > 1)
    throw new Error(`not one folder, but: ${[...roots].join(', ') || 'none'}`);
  return { root, commit, files, types };
}
