import { createHash } from 'node:crypto';

/** What a file may be given as: its content, what only its owner may run, or where a symbolic link leads. */
export type FileContent =
  | string
  | Buffer
  | { readonly executable: string | Buffer }
  | { readonly link: string };

export interface Blob {
  readonly kind: 'blob';
  readonly mode: '100644' | '100755' | '120000';
  readonly content: Buffer;
  readonly id: string;
}

/** A folder, with its parts in git's order. */
export interface Tree {
  readonly kind: 'tree';
  readonly mode: '40000';
  readonly parts: readonly (readonly [name: string, part: Tree | Blob])[];
  readonly id: string;
}

/** The id that git gives to an object. @see https://git-scm.com/book/en/v2/Git-Internals-Git-Objects */
export function objectId(type: 'blob' | 'tree' | 'commit', content: Buffer): string {
  return createHash('sha1').update(`${type} ${content.length}\0`).update(content).digest('hex');
}

export function blobOf(given: FileContent): Blob {
  const [mode, raw] =
    typeof given === 'string' || Buffer.isBuffer(given)
      ? (['100644', given] as const)
      : 'link' in given
        ? (['120000', given.link] as const)
        : (['100755', given.executable] as const);
  const content = Buffer.from(raw);
  return { kind: 'blob', mode, content, id: objectId('blob', content) };
}

/** The tree of files by their paths. */
export function treeOf(files: ReadonlyMap<string, Blob>): Tree {
  const folders = new Map<string, Map<string, Blob>>();
  const parts: [string, Tree | Blob][] = [];
  for (const [path, blob] of files) {
    const slash = path.indexOf('/');
    if (slash < 0) {
      parts.push([path, blob]);
      continue;
    }
    const folder = path.slice(0, slash);
    const inside = folders.get(folder) ?? new Map<string, Blob>();
    folders.set(folder, inside.set(path.slice(slash + 1), blob));
  }
  for (const [name, inside] of folders) parts.push([name, treeOf(inside)]);
  // A folder is sorted as if its name ended with a slash.
  const key = ([name, part]: (typeof parts)[number]) => Buffer.from(part.kind === 'tree' ? `${name}/` : name);
  parts.sort((one, other) => Buffer.compare(key(one), key(other)));
  const content = parts.map(([name, part]) =>
    Buffer.concat([Buffer.from(`${part.mode} ${name}\0`), Buffer.from(part.id, 'hex')]),
  );
  return { kind: 'tree', mode: '40000', parts, id: objectId('tree', Buffer.concat(content)) };
}
