import { describe, expect, test, vi } from 'vitest';
import { readHeif } from '../../../../functions/ingest-object/media/heif.ts';
import { fixture, openAll } from './images.fixture.ts';

const mebibyte = 1024 ** 2;

function box(type: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length + 8);
  head.write(type, 4, 'latin1');
  return Buffer.concat([head, body]);
}

/** One `dimg`: from what an item is put together. */
function madeOf(item: number, tiles: number): Buffer {
  const body = Buffer.alloc(4 + tiles * 2);
  body.writeUInt16BE(item, 0);
  body.writeUInt16BE(tiles, 2);
  for (let tile = 0; tile < tiles; tile++) body.writeUInt16BE(2, 4 + tile * 2);
  return box('dimg', body);
}

/** A HEIC without pixels, whose first item is shown and 64 × 64. */
function heic(...references: Buffer[]): Buffer {
  const entry = Buffer.alloc(13);
  entry[0] = 2;
  entry.writeUInt16BE(1, 4);
  entry.write('hvc1', 8, 'latin1');
  const size = Buffer.alloc(12);
  size.writeUInt32BE(64, 4);
  size.writeUInt32BE(64, 8);
  const associations = Buffer.from([0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0x81]);
  return Buffer.concat([
    box('ftyp', Buffer.from('heic\0\0\0\0mif1heic')),
    box(
      'meta',
      Buffer.alloc(4),
      box('pitm', Buffer.from([0, 0, 0, 0, 0, 1])),
      box('iinf', Buffer.from([0, 0, 0, 0, 0, 1]), box('infe', entry)),
      box('iloc', Buffer.alloc(8)),
      box('iref', Buffer.alloc(4), ...references),
      box('iprp', box('ipco', box('ispe', size)), box('ipma', associations)),
    ),
  ]);
}

/** How many numbers are read from buffers. */
async function readsOf(work: () => unknown): Promise<number> {
  const spy = vi.spyOn(Buffer.prototype, 'readUIntBE');
  try {
    await work();
    return spy.mock.calls.length;
  } finally {
    spy.mockRestore();
  }
}

describe('the header of a HEIC', () => {
  test.each([
    ['1000 tiles', [madeOf(1, 1000)], true],
    ['more tiles', [madeOf(1, 1001)], false],
    ['1000 references', Array.from({ length: 1000 }, (_, item) => madeOf(item + 1, 1)), true],
    ['more references', Array.from({ length: 1001 }, (_, item) => madeOf(item + 1, 1)), false],
    ['more than 4 MiB', [box('free', Buffer.alloc(4 * mebibyte))], false],
  ])('%s', async (_, references, isRead) => {
    const image = heic(...references);
    expect(readHeif(image)?.width).toBe(isRead ? 64 : undefined);
    if (!isRead) {
      const refused = { code: 'IMAGE_DAMAGED', retryable: false };
      await expect(openAll(image)).rejects.toMatchObject(refused);
    }
  });

  test('has only the tiles read of the picture that is shown', async () => {
    const others = Array.from({ length: 400 }, (_, item) => madeOf(item + 10, 5000));
    const image = heic(...others, madeOf(1, 3));
    expect(await readsOf(() => expect(readHeif(image)?.width).toBe(64))).toBeLessThan(1000);
  });

  test('is read once', async () => {
    const image = await fixture('grid.heic');
    const once = await readsOf(() => readHeif(image));
    expect(once).toBeGreaterThan(0);
    expect(await readsOf(() => openAll(image))).toBe(once);
  });
});
