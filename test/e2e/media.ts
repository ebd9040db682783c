import { crc32 } from 'node:zlib';
import { expect } from 'vitest';
import { uploads } from '../support/stack.ts';
import type { ObjectsStack } from './objects.ts';

/** A row of an image, as PostgreSQL has it. */
export interface MediaRow {
  readonly id: string;
  readonly object: string;
  readonly generation: string;
  readonly type: string;
  readonly previews: readonly {
    readonly object: string;
    readonly contentType: string;
    readonly width: number;
    readonly height: number;
    readonly bytes: number;
  }[];
  readonly [column: string]: unknown;
}

/** Rows of a user's images, by their names; none where there is no table. */
export async function rowsOf(cloud: ObjectsStack, user: string, table = 'photos.media'): Promise<MediaRow[]> {
  const [found] = await cloud.query(`SELECT to_regclass('${table}') IS NOT NULL AS is_there`);
  if (found?.['is_there'] !== true) return [];
  return (await cloud.query(
    `SELECT * FROM ${table} WHERE user_id = '${user}' ORDER BY object`,
  )) as unknown as MediaRow[];
}

/** What there is of a user's images: which generation is shown, by its row, and what is in the folder of previews. */
export interface Shown {
  readonly rows: Readonly<Record<string, string>>;
  readonly previews: readonly { readonly object: string; readonly bytes: number; readonly of: string }[];
}

/** Where images are, if not in the folder and table of {@link routes}. */
export interface Where {
  readonly bucket?: string;
  /** The folder of the user's previews. */
  readonly folder?: string;
  readonly table?: string;
}

export async function shownOf(
  cloud: ObjectsStack,
  user: string,
  { bucket = uploads, folder = `previews/photos/${user}/`, table }: Where = {},
): Promise<Shown> {
  const rows = await rowsOf(cloud, user, table);
  const [files] = await cloud.storage.bucket(bucket).getFiles({ prefix: folder });
  return {
    rows: Object.fromEntries(rows.map(({ object, generation }) => [object, generation])),
    previews: files.map(({ name, metadata }) => ({
      object: name,
      bytes: Number(metadata.size),
      of: `${metadata.metadata?.['drover-source']} ${metadata.metadata?.['drover-generation']}`,
    })),
  };
}

/**
 * Expects that these images of a user's are shown, and nothing else: that there is a row of just this generation, and in the bucket
 * exactly the previews that the rows name.
 *
 * @param generations by the names of the originals
 * @param what said where it isn't so
 */
export async function expectShown(
  cloud: ObjectsStack,
  user: string,
  generations: Readonly<Record<string, string>>,
  { what = user, ...where }: Where & { readonly what?: string } = {},
): Promise<MediaRow[]> {
  const rows = await rowsOf(cloud, user, where.table);
  const { rows: shown, previews } = await shownOf(cloud, user, where);
  expect.soft(shown, what).toEqual(generations);
  const named = rows.flatMap(({ object, generation, previews: all }) =>
    all.map((preview) => ({
      object: preview.object,
      bytes: preview.bytes,
      of: `${object} ${generation}`,
    })),
  );
  const byName = (a: { object: string }, b: { object: string }) => (a.object < b.object ? -1 : 1);
  expect.soft([...previews].sort(byName), what).toEqual(named.sort(byName));
  for (const row of rows) expect.soft(row.previews.length, what).toBeGreaterThan(0);
  return rows;
}

/** The content of an object as it is now. */
export async function contentOf({ stack }: ObjectsStack, object: string): Promise<Buffer> {
  const { STORAGE_EMULATOR_HOST } = stack.environment;
  const path = `/storage/v1/b/${uploads}/o/${encodeURIComponent(object)}?alt=media`;
  const answer = await fetch(`${STORAGE_EMULATOR_HOST}${path}`);
  if (!answer.ok) throw new Error(`${object}: ${answer.status}`);
  return Buffer.from(await answer.arrayBuffer());
}

/** An image that says it is 60,000 pixels wide and high. */
export function claimingToBeHuge(png: Buffer): Buffer {
  const huge = Buffer.from(png);
  huge.writeUInt32BE(60_000, 16);
  huge.writeUInt32BE(60_000, 20);
  huge.writeUInt32BE(crc32(huge.subarray(12, 29)), 29);
  return huge;
}
