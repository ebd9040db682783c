import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { paxMember, tarEnd, tarMember } from '../functions/sync-repo-metadata/source/archives.ts';
import { filesOf, type Tree } from './sync-repository.ts';

/** What an archive was made of. */
export interface Archived {
  readonly files: number;
  /** Of all files, not packed. */
  readonly bytes: number;
}

/** The folder that everything is in. */
const root = 'site-1.0/';

/** Some hundred small writes cost more than one. */
const pieceBytes = 256 * 1024;

/** Writes a tree as `git archive --format=tar.gz --prefix=…` does, a file at a time. */
export async function writeArchive(file: string, tree: Tree, commit: string): Promise<Archived> {
  const archived = { files: 0, bytes: 0 };
  const source = Readable.from(inPieces(membersOf(tree, commit, archived)), { objectMode: false });
  await pipeline(source, createGzip({ level: 6 }), createWriteStream(file));
  return archived;
}

function* membersOf(
  tree: Tree,
  commit: string,
  archived: { files: number; bytes: number },
): Generator<Buffer> {
  yield tarMember(paxMember({ comment: commit }, 'g'));
  yield tarMember({ name: root, type: '5' });
  const folders = new Set<string>();
  for (const { path, content } of filesOf(tree)) {
    for (const folder of foldersOf(path)) {
      if (!folders.has(folder)) yield tarMember({ name: `${root}${folder}/`, type: '5' });
      folders.add(folder);
    }
    const bytes = Buffer.from(content);
    archived.files += 1;
    archived.bytes += bytes.length;
    yield tarMember({ name: root + path, content: bytes });
  }
  yield tarEnd;
}

function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function* inPieces(members: Iterable<Buffer>): Generator<Buffer> {
  let piece: Buffer[] = [];
  let bytes = 0;
  for (const member of members) {
    piece.push(member);
    bytes += member.length;
    if (bytes < pieceBytes) continue;
    yield Buffer.concat(piece);
    piece = [];
    bytes = 0;
  }
  yield Buffer.concat(piece);
}
