import { createRequire } from 'node:module';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import type { RandomAccess } from '../../../../functions/sync-repo-metadata/source/blocks.ts';
import type { Archive } from '../../../../functions/sync-repo-metadata/source/entries.ts';

/** A file by its path; a link where it has a target. */
export interface TestFile {
  readonly path: string;
  readonly content?: string | Buffer;
  readonly target?: string;
}

/** What there is in one block and the blocks after it, right or wrong. */
export interface TarMember {
  readonly name: string | Buffer;
  readonly type?: string;
  readonly content?: string | Buffer;
  readonly target?: string | Buffer;
  readonly prefix?: string;
  readonly magic?: string;
  /** Where its header says another size than its content has. */
  readonly size?: number | Buffer;
}

const block = 512;

const filled = (bytes: number) => Math.ceil(bytes / block) * block;

/** A header and what follows it. */
export function tarMember(member: TarMember): Buffer {
  const { name, type = '0', target = '', prefix = '', magic = 'ustar\x0000' } = member;
  const content = Buffer.from(member.content ?? '');
  const bytes = Buffer.alloc(block + filled(content.length));
  const put = (text: string | Buffer, at: number, length: number) =>
    Buffer.from(text).copy(bytes, at, 0, length);
  put(name, 0, 100);
  put('0000644\x000000000\x000000000\x00', 100, 24);
  const size = member.size ?? content.length;
  put(typeof size === 'number' ? `${size.toString(8).padStart(11, '0')}\0` : size, 124, 12);
  put('14000000000\x00        ', 136, 20);
  put(type, 156, 1);
  put(target, 157, 100);
  put(magic, 257, 8);
  put(prefix, 345, 155);
  let sum = 0;
  for (let at = 0; at < block; at += 1) sum += bytes[at] ?? 0;
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8);
  content.copy(bytes, block);
  return bytes;
}

/** The empty blocks at the end of an archive. */
export const tarEnd = Buffer.alloc(2 * block);

/** Not packed. */
export function tarOf(members: readonly TarMember[]): Buffer {
  return Buffer.concat([...members.map(tarMember), tarEnd]);
}

export function paxMember(records: Record<string, string | Buffer>, type = 'x'): TarMember {
  const content = Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, value)));
  return { name: type === 'g' ? 'pax_global_header' : 'pax.paxheader', type, content };
}

function paxRecord(key: string, value: string | Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** As `git archive --format=tar` writes it, and GitHub with it. */
export function gitTar(files: readonly TestFile[], root = '', commit = ''): Buffer {
  const members: TarMember[] = commit ? [paxMember({ comment: commit }, 'g')] : [];
  if (root) members.push({ name: `${root}/`, type: '5' });
  for (const path of foldersOf(files)) members.push(...gitMember(inRoot(root, `${path}/`), { type: '5' }));
  for (const { path, content, target } of files) {
    const rest = target === undefined ? { content: content ?? '' } : { type: '2', target };
    members.push(...gitMember(inRoot(root, path), rest));
  }
  return tarOf(members);
}

/** Git cuts a long name at a slash, and writes a pax header where that doesn't help. */
function gitMember(path: string, rest: Omit<TarMember, 'name'>): TarMember[] {
  const name = Buffer.from(path);
  const target = Buffer.from(rest.target ?? '');
  const records = {
    ...(name.length > 100 && { path: name }),
    ...(target.length > 100 && { linkpath: target }),
  };
  const member = { ...rest, name: name.length > 100 ? 'hash.data' : name, target: target.subarray(0, 100) };
  return Object.keys(records).length > 0 ? [paxMember(records), member] : [member];
}

const inRoot = (root: string, path: string) => (root ? `${root}/${path}` : path);

function foldersOf(files: readonly TestFile[]): string[] {
  const folders = files.flatMap(({ path }) => {
    const parts = path.split('/').slice(0, -1);
    return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  });
  return [...new Set(folders)];
}

/** What there is in a zip's directory and before it, right or wrong. */
export interface ZipMember {
  readonly name: string | Buffer;
  readonly content?: string | Buffer;
  readonly stored?: boolean;
  /** Of Unix, with its type. */
  readonly mode?: number;
  readonly flags?: number;
  readonly method?: number;
  readonly crc?: number;
  /** Unpacked, where its directory says another. */
  readonly size?: number;
  /** What is in the file in the content's place. */
  readonly packed?: Buffer;
  readonly extra?: Buffer;
  /** Where the directory says that it is. */
  readonly offset?: number;
}

/** @param count that the end says there are */
export function zipOf(members: readonly ZipMember[], comment = '', count = members.length): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const member of members) {
    const { local, central } = zipMember(member, at);
    parts.push(local);
    directory.push(central);
    at += local.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(at, 16);
  end.writeUInt16LE(Buffer.byteLength(comment), 20);
  return Buffer.concat([...parts, entries, end, Buffer.from(comment)]);
}

function zipMember(member: ZipMember, at: number): { readonly local: Buffer; readonly central: Buffer } {
  const name = Buffer.from(member.name);
  const content = Buffer.from(member.content ?? '');
  const isPacked = member.stored !== true && content.length > 0;
  const packed = member.packed ?? (isPacked ? deflateRawSync(content) : content);
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(member.flags ?? 0x800, 2);
  common.writeUInt16LE(member.method ?? (isPacked ? 8 : 0), 4);
  common.writeUInt32LE(member.crc ?? crc32(content), 10);
  common.writeUInt32LE(packed.length, 14);
  common.writeUInt32LE(member.size ?? content.length, 18);
  common.writeUInt16LE(name.length, 22);
  const extra = member.extra ?? Buffer.alloc(0);
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, name, packed]);
  common.writeUInt16LE(extra.length, 24);
  const rest = Buffer.alloc(14);
  rest.writeUInt32LE(((member.mode ?? 0) * 0x10000) >>> 0, 6);
  rest.writeUInt32LE(member.offset ?? at, 10);
  const madeBy = Buffer.from([0x17, member.mode === undefined ? 0 : 3]);
  const central = Buffer.concat([Buffer.from('PK\x01\x02'), madeBy, common, rest, name, extra]);
  return { local, central };
}

/** As `git archive --format=zip` writes it. */
export function gitZip(files: readonly TestFile[], root = '', commit = ''): Buffer {
  const members: ZipMember[] = root ? [{ name: `${root}/` }] : [];
  for (const path of foldersOf(files)) members.push({ name: inRoot(root, `${path}/`) });
  for (const { path, content, target } of files) {
    const name = inRoot(root, path);
    members.push(
      target === undefined
        ? { name, content: content ?? '' }
        : { name, content: target, stored: true, mode: 0o120777 },
    );
  }
  return zipOf(members, commit);
}

/** What yazl has, as far as it is used: it has no types of its own. */
interface Yazl {
  readonly ZipFile: new () => {
    readonly outputStream: NodeJS.ReadableStream;
    addBuffer(content: Buffer, path: string, options?: object): void;
    addEmptyDirectory(path: string): void;
    end(options?: object): void;
  };
}

const yazl = createRequire(import.meta.url)('yazl') as Yazl;

/** A zip as somebody else writes it. */
export async function yazlZip(files: readonly TestFile[], options: object = {}): Promise<Buffer> {
  const zip = new yazl.ZipFile();
  for (const { path, content } of files) zip.addBuffer(Buffer.from(content ?? ''), path, options);
  zip.end(options);
  return buffer(zip.outputStream);
}

/** A gzip file that arrives in pieces of some size. */
export function streamOf(content: Buffer, bytes = 1000): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < content.length; at += bytes) yield content.subarray(at, at + bytes);
    })(),
  );
}

/** A tar as it arrives. */
export function packed(tar: Buffer): Readable {
  return streamOf(gzipSync(tar));
}

/** Bytes that can be read from anywhere, and count how often they are. */
export function accessTo(content: Buffer): RandomAccess & { readonly reads: (readonly [number, number])[] } {
  const reads: (readonly [number, number])[] = [];
  return {
    reads,
    bytes: content.length,
    async read(start, end) {
      reads.push([start, end]);
      return content.subarray(start, end);
    },
  };
}

/** All there is in an archive, by its paths. */
export async function contentsOf(archive: Archive): Promise<Record<string, string>> {
  const contents: [string, string][] = [];
  for await (const entry of archive) {
    const content = await entry.content();
    if (content.length !== entry.bytes) throw new Error(`${entry.path} has another length than it said`);
    contents.push([entry.path, (entry.kind === 'link' ? '-> ' : '') + content.toString('latin1')]);
  }
  return Object.fromEntries(contents);
}
