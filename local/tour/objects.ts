import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { styleText } from 'node:util';
import pg from 'pg';
import sharp from 'sharp';
import type { Stack } from '../stack.ts';
import { drover } from './drover.ts';
import { type Step, target } from './step.ts';
import { bucketOf, uploads } from './uploads.ts';

/** What the tour's uploads are. */
export const tourRoutes = [
  {
    kind: 'media',
    bucket: uploads,
    objects: 'photos/{user}/original/**',
    target: target('app'),
    schema: 'photos',
  },
  { kind: 'manifest', bucket: uploads, objects: 'manifests/**.yaml' },
  {
    kind: 'archive',
    bucket: uploads,
    objects: ['repositories/**.tar.gz', 'repositories/**.zip'],
    target: target('app'),
  },
];

const photograph = 'photos/alice/original/lake.jpg';

const manifest = path.resolve(import.meta.dirname, '..', '..', 'samples', 'manifests', 'ledger.yaml');

/** Photographs, a manifest, and something that is neither. */
export const objectSteps: readonly Step[] = [
  {
    title: 'Alice’s photograph, taken with the camera on its side: previews, and a row in the database',
    does: { object: photograph, content: () => lake('#3b6ea5') },
    expected: { state: 'succeeded' },
    after: showMedia,
  },
  {
    title: 'Another one of the same name: the row and its previews are replaced',
    does: { object: photograph, content: () => lake('#7a5ea5') },
    expected: { state: 'succeeded' },
    after: showMedia,
  },
  {
    title: 'A text that is called a photograph: refused by its content, and told where it lies',
    does: { object: 'photos/bob/original/notes.jpg', content: () => Buffer.from('Not a picture at all.\n') },
    expected: { state: 'failed', code: 'NOT_AN_IMAGE' },
    after: showTags,
  },
  {
    title: 'A manifest: schemas, roles and grants as they should be, in one file',
    does: { object: 'manifests/ledger.yaml', content: () => readFile(manifest) },
    expected: { state: 'succeeded' },
    after: showGrants,
  },
  {
    title: 'The same manifest once more: compared by one look at the catalog, and nothing to do',
    does: { object: 'manifests/ledger.yaml', content: () => readFile(manifest) },
    expected: { state: 'succeeded', changes: 0 },
  },
];

/** A picture of water under a sky, as a camera writes it that was held upright: the picture lies on its side. */
async function lake(sky: string): Promise<Buffer> {
  const picture = `<svg xmlns="http://www.w3.org/2000/svg" width="1800" height="2400">
    <linearGradient id="sky" x2="0" y2="1"><stop stop-color="${sky}"/><stop offset="1" stop-color="#e8d5b0"/></linearGradient>
    <rect width="1800" height="1500" fill="url(#sky)"/><rect y="1500" width="1800" height="900" fill="#27506b"/>
    <path d="M0 1500 L500 900 L950 1500 Z M600 1500 L1200 700 L1800 1500 Z" fill="#3c4a3a"/>
    <circle cx="1400" cy="380" r="120" fill="#fff4c8"/></svg>`;
  const onItsSide = await sharp(Buffer.from(picture)).rotate(270).flatten().png().toBuffer();
  return sharp(onItsSide)
    .jpeg({ quality: 90 })
    .withExif({
      IFD0: { Make: 'Acme', Model: 'Box Camera 3' },
      IFD2: { DateTimeOriginal: '2026:06:21 21:04:00', OffsetTimeOriginal: '+02:00' },
    })
    .withMetadata({ orientation: 6 })
    .toBuffer();
}

/** What somebody sees who may read the schema and says whose rows they want; and what another one's user sees. */
async function showMedia(stack: Stack): Promise<boolean> {
  const rows = await readAs(stack, 'alice');
  for (const { object, width, height, captured_at, camera_model, previews } of rows) {
    const taken = captured_at instanceof Date ? captured_at.toISOString() : 'nobody knows when';
    console.log(`      ${object}: ${width} × ${height}, taken ${taken} with ${camera_model}`);
    for (const preview of previews as readonly Preview[]) {
      const size = `${preview.width} × ${preview.height}`.padEnd(12);
      console.log(`      ${preview.object.split('/').at(-1)?.padEnd(14)} ${size} ${preview.bytes} bytes`);
    }
  }
  const [files] = await bucketOf(stack).getFiles({ prefix: 'previews/' });
  const others = await readAs(stack, 'bob');
  console.log(
    styleText(
      'dim',
      `      as alice ${rows.length} row, as bob ${others.length}; previews in the bucket: ${files.length}`,
    ),
  );
  return rows.length === 1 && others.length === 0 && files.length === 7;
}

interface Preview {
  readonly object: string;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
}

async function readAs({ cluster }: Stack, user: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: cluster.superuserUrl('app') });
  await client.connect();
  try {
    await client.query('SET ROLE app__photos__reader');
    await client.query("SELECT set_config('drover.user', $1, false)", [user]);
    return (await client.query('SELECT * FROM photos.media')).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}

async function showTags(stack: Stack): Promise<boolean> {
  const [{ metadata }] = await bucketOf(stack).file('photos/bob/original/notes.jpg').getMetadata();
  for (const [key, value] of Object.entries(metadata ?? {})) console.log(`      ${key}: ${value}`);
  return metadata?.['drover-state'] === 'failed';
}

async function showGrants(stack: Stack): Promise<boolean> {
  const { instance, database } = target('app');
  const shown = await drover(['grants', 'who', `${instance}/${database}`], stack);
  const lines = shown.split('\n').filter((line) => line.includes('ledger'));
  for (const line of lines.slice(1))
    console.log(`      ${line.trim().split(/ {2,}/).slice(0, 4).join('  ')}`);
  return lines.length > 1;
}
