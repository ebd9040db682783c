import { describe, expect, it } from 'vitest';
import {
  inlineBytes,
  keepOutcome,
  keepPayload,
  readOutcome,
  readPayload,
} from '../../../shared/registry/parts.ts';
import { useRegistry, wanted } from './fixture.ts';

const registry = useRegistry();
const record = () => registry.db.collection('operations').doc('one');
const { delivery } = wanted();

/** Bytes that are no text, and differ from place to place. */
const bytes = (length: number) => {
  const data = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) data.writeUInt32BE(Math.imul(at, 2_654_435_761) >>> 0, at);
  return data;
};

/** A list: Firestore would refuse some names of attributes as names of fields. */
const attributes = Object.entries(delivery.attributes).map(([name, value]) => ({ name, value }));

describe('a message that is kept', () => {
  it.each([0, 1, inlineBytes])('is in the record where it has %i bytes', async (length) => {
    const data = bytes(length);
    const payload = await keepPayload(record(), { ...delivery, data });
    await record().set({ payload });
    expect(await record().listCollections()).toEqual([]);
    const stored = (await record().get()).get('payload');
    expect((await readPayload(record(), stored)).equals(data)).toBe(true);
    expect(stored.attributes).toEqual(attributes);
  });

  it.each([
    [inlineBytes + 1, 1],
    [768 * 1024, 1],
    [768 * 1024 + 1, 2],
    [9_900_000, 13],
  ])('of %i bytes is in %i parts below the record', async (length, parts) => {
    const data = bytes(length);
    const payload = await keepPayload(record(), { ...delivery, data });
    expect(payload).toEqual({ attributes, parts });
    expect((await readPayload(record(), payload)).equals(data)).toBe(true);
  });

  it('may have attributes whose names no field can have', async () => {
    const odd = { ...delivery, attributes: { __a__: '1', 'a.b': '2', '`': '3' } };
    await record().set({ payload: await keepPayload(record(), odd) });
    expect((await record().get()).get('payload').attributes).toEqual([
      { name: '__a__', value: '1' },
      { name: 'a.b', value: '2' },
      { name: '`', value: '3' },
    ]);
  });

  it('is the same where it is kept twice', async () => {
    const data = bytes(1_000_000);
    await keepPayload(record(), { ...delivery, data });
    const payload = await keepPayload(record(), { ...delivery, data });
    expect((await readPayload(record(), payload)).equals(data)).toBe(true);
  });
});

describe('outcomes that are kept', () => {
  it('are those of their attempts, and no message', async () => {
    await keepPayload(record(), { ...delivery, data: bytes(inlineBytes + 1) });
    await keepOutcome(record(), 1, Buffer.from('first'));
    await keepOutcome(record(), 10, bytes(1_600_000));
    expect((await readOutcome(record(), 1)).toString()).toBe('first');
    expect((await readOutcome(record(), 10)).equals(bytes(1_600_000))).toBe(true);
    expect(await readOutcome(record(), 2)).toHaveLength(0);
  });
});
