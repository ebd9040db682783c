import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { closedLoop } from '../closed-loop.ts';

/** What the floor of media is told: photographs on disk, and where their previews go. */
export interface MediaOrder {
  readonly photographs: readonly string[];
  readonly folder: string;
  readonly atATime: number;
}

export interface MediaAnswer {
  readonly ms: number;
  readonly files: number;
  readonly bytes: number;
}

/**
 * The floor of what makes previews of photographs: a process of its own that has sharp make the same files, as fast as it
 * can, from disk to disk. The original is decoded once; the smaller ones are made of the largest.
 */
async function carryOut({ photographs, folder, atATime }: MediaOrder): Promise<MediaAnswer> {
  const before = performance.now();
  let files = 0;
  let bytes = 0;
  await mkdir(folder, { recursive: true });
  await closedLoop([...photographs.entries()], atATime, async ([index, file]) => {
    for (const [name, content] of await previewsOf(await readFile(file))) {
      await writeFile(path.join(folder, `${index}-${name}`), content);
      files += 1;
      bytes += content.length;
    }
  });
  return { ms: performance.now() - before, files, bytes };
}

async function previewsOf(content: Buffer): Promise<(readonly [string, Buffer])[]> {
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
