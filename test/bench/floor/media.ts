import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { closedLoop } from '../closed-loop.ts';

/** What the floor of media is told: photographs on disk, and where their previews go. */
export interface MediaOrder {
  readonly photographs: readonly string[];
  readonly folder: string;
  readonly atATime: number;
  /** As one writes it, a pipeline for each file; or as fast as it can be: the original decoded once. */
  readonly way: 'each' | 'once';
}

export interface MediaAnswer {
  readonly ms: number;
  readonly files: number;
  readonly bytes: number;
}

/**
 * The floor of what makes previews of photographs: a process of its own that has sharp make the same files, from disk to disk.
 */
async function carryOut({ photographs, folder, atATime, way }: MediaOrder): Promise<MediaAnswer> {
  const before = performance.now();
  let files = 0;
  let bytes = 0;
  await mkdir(folder, { recursive: true });
  await closedLoop([...photographs.entries()], atATime, async ([index, file]) => {
    for (const [name, content] of await ways[way](await readFile(file))) {
      await writeFile(path.join(folder, `${index}-${name}`), content);
      files += 1;
      bytes += content.length;
    }
  });
  return { ms: performance.now() - before, files, bytes };
}

type Made = Promise<(readonly [string, Buffer])[]>;

const ways: Readonly<Record<MediaOrder['way'], (content: Buffer) => Made>> = { each, once };

async function each(content: Buffer): Made {
  const scaled = (width: number, height?: number) =>
    sharp(content)
      .autoOrient()
      .resize({ width, ...(height && { height, fit: 'inside' as const }), withoutEnlargement: true });
  const made: (readonly [string, Buffer])[] = [];
  for (const size of [1200, 800, 400]) {
    made.push([`${size}.webp`, await scaled(size).webp({ quality: 80 }).toBuffer()]);
    made.push([`${size}.png`, await scaled(size).png().toBuffer()]);
  }
  made.push(['thumbnail.jpg', await scaled(300, 300).jpeg({ quality: 85 }).toBuffer()]);
  return made;
}

/** The smaller ones are made of the largest. */
async function once(content: Buffer): Made {
  const { data, info } = await sharp(content)
    .autoOrient()
    .resize({ width: 1200, withoutEnlargement: true })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  const scaled = (size: number, most?: number) =>
    sharp(data, { raw: { width, height, channels: 3 } }).resize({
      width: size,
      ...(most === undefined ? {} : { height: most, fit: 'inside' as const }),
      withoutEnlargement: true,
    });
  const made: (readonly [string, Buffer])[] = [];
  for (const size of [1200, 800, 400]) {
    made.push([`${size}.webp`, await scaled(size).webp({ quality: 80 }).toBuffer()]);
    made.push([`${size}.png`, await scaled(size).png().toBuffer()]);
  }
  made.push(['thumbnail.jpg', await scaled(300, 300).jpeg({ quality: 85 }).toBuffer()]);
  return made;
}

process.on('message', async (order: MediaOrder) => {
  process.send?.(await carryOut(order));
});
process.send?.({});
