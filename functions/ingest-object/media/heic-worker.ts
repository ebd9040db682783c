import { parentPort, workerData } from 'node:worker_threads';
import { convertColours, type Matrix } from './colour.ts';

/** What a decode is given. */
export interface HeicTask {
  readonly content: Uint8Array;
  readonly maxPixels: number;
  /** What makes its colours sRGB, if they are not. */
  readonly colours: Matrix | undefined;
  /** What the decoder may take, in bytes: all of WebAssembly's memory. */
  readonly memory: number;
}

/** What comes of it: pixels, whose memory moves to whoever asked, or why there are none. */
export type HeicAnswer =
  | { readonly data: Uint8Array; readonly width: number; readonly height: number; readonly channels: 3 | 4 }
  | { readonly problem: string };

/** WebAssembly's memory, which TypeScript knows from browsers only. */
interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

const pageBytes = 65_536;

/** The header may lie, and the picture be larger than it says: then the decoder runs out of memory, and not the process. */
function limitMemory(bytes: number): void {
  const { WebAssembly: assembly } = globalThis as unknown as {
    WebAssembly: { Memory: { prototype: Memory } };
  };
  const { prototype } = assembly.Memory;
  const { grow } = prototype;
  prototype.grow = function limited(this: Memory, pages: number): number {
    if (this.buffer.byteLength + pages * pageBytes > bytes) throw new RangeError('out of memory');
    return grow.call(this, pages);
  };
}

type Libheif = typeof import('libheif-js/wasm-bundle.js').default;

async function decode(libheif: Libheif, { content, maxPixels, colours }: HeicTask): Promise<HeicAnswer> {
  const context = libheif.heif_context_alloc();
  const read = libheif.heif_context_read_from_memory(context, content);
  // it has its own by now
  if (content.buffer instanceof ArrayBuffer) content.buffer.transfer(0);
  if (read.code !== libheif.heif_error_code.heif_error_Ok)
    return { problem: read.message ?? 'it has no header' };
  // the picture that is meant to be seen: a file may have others, before it too
  const handle = libheif.heif_js_context_get_primary_image_handle(context);
  if ('code' in handle) return { problem: handle.message ?? 'it has no picture' };
  const width = libheif.heif_image_handle_get_width(handle);
  const height = libheif.heif_image_handle_get_height(handle);
  if (width * height > maxPixels) return { problem: 'it has more pixels than its header says' };
  const channels = libheif.heif_image_handle_has_alpha_channel(handle) ? 4 : 3;
  const { heif_chroma_interleaved_RGB: rgb, heif_chroma_interleaved_RGBA: rgba } = libheif.heif_chroma;
  const space = libheif.heif_colorspace.heif_colorspace_RGB;
  const decoded = await libheif.heif_js_decode_image2(handle, space, channels === 4 ? rgba : rgb);
  if ('code' in decoded) return { problem: decoded.message ?? 'it can’t be decoded' };
  const plane = decoded.channels.find(({ id }) => id === libheif.heif_channel.heif_channel_interleaved);
  if (plane === undefined) return { problem: 'it has no colours' };
  const [rows, row] = [Math.min(plane.height, height), Math.min(plane.width, width) * channels];
  const data = new Uint8Array(rows * row);
  for (let y = 0; y < rows; y++)
    data.set(plane.data.subarray(y * plane.stride, y * plane.stride + row), y * row);
  if (colours !== undefined) convertColours(data, channels, colours);
  return { data, width: row / channels, height: rows, channels };
}

/** A worker of its own for each picture: it is ended with it, and so is the memory that it took. */
if (parentPort !== null) {
  const task: HeicTask = workerData;
  limitMemory(task.memory);
  // that it can't be loaded would not be the picture's fault: nothing catches that
  const { default: libheif } = await import('libheif-js/wasm-bundle.js');
  await libheif.ready;
  const answer = await decode(libheif, task).catch((error: unknown) => ({ problem: String(error) }));
  parentPort.postMessage(answer, 'data' in answer ? [answer.data.buffer as ArrayBuffer] : []);
}
