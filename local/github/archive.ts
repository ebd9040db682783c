import { gzipSync } from 'node:zlib';
import { Header, type HeaderData, Pax } from 'tar';
import type { Commit } from './repository.ts';
import type { Tree } from './tree.ts';

/**
 * The gzipped tar of a commit as `git archive` makes it: the commit's id in a global header, everything in one folder, each
 * folder before its parts.
 *
 * @param top name of that folder
 * @see https://git-scm.com/docs/git-archive
 */
export function archiveOf({ sha, tree, date }: Commit, top: string): Buffer {
  const blocks: Buffer[] = [];
  const add = (data: HeaderData, content: Buffer = Buffer.alloc(0)) => {
    const common = { uid: 0, gid: 0, uname: 'root', gname: 'root', mtime: date, size: content.length };
    const header = new Header({ ...common, ...data });
    header.encode();
    if (header.needPax) blocks.push(new Pax({ ...common, ...data }).encode());
    blocks.push(header.block ?? Buffer.alloc(0), content, Buffer.alloc(-content.length & 511));
  };
  const walk = (folder: Tree, path: string) => {
    add({ path, mode: 0o775, type: 'Directory' });
    for (const [name, part] of folder.parts) {
      if (part.kind === 'tree') walk(part, `${path}${name}/`);
      else if (part.mode === '120000') {
        add({ path: path + name, mode: 0o777, type: 'SymbolicLink', linkpath: part.content.toString() });
      } else {
        const mode = part.mode === '100755' ? 0o775 : 0o664;
        add({ path: path + name, mode, type: 'File' }, part.content);
      }
    }
  };
  add(
    { path: 'pax_global_header', mode: 0o666, type: 'GlobalExtendedHeader' },
    Buffer.from(`52 comment=${sha}\n`),
  );
  walk(tree, `${top}/`);
  blocks.push(Buffer.alloc(1024));
  return gzipSync(Buffer.concat(blocks));
}
