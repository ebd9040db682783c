import { describe, expect, it } from 'vitest';
import { firestore } from '../../../shared/gcp/firestore.ts';
import { hash } from '../../../shared/operation/canonical.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { nothing, operation, push, type Run, useWorker } from './worker.ts';

const worker = useWorker();

const done: string[] = [];

/** Paints the wall, as far as nothing newer is wanted. */
const paint: Run = async ({ color }, { intend, fulfil, registry }) => {
  const ref = await registry('walls', 'north');
  const { epoch } = await intend({
    ref,
    identity: { instance: 'acme', database: 'house', wall: 'north' },
    desired: { color },
  });
  if (color === 'invisible') throw new OperationError('NO_PAINT', 'there is no such paint');
  done.push(color);
  fulfil({ painted: `${color} (${epoch})` });
  return nothing;
};

const wall = async () => {
  const db = await firestore();
  return (await db.collection('walls').doc(hash('north').slice(0, 40)).get()).data();
};

describe('what a handler wants', () => {
  it('is in the registry with what came of it, once the operation ended', async () => {
    await operation(paint)(push('one', { color: 'blue' }));
    const { at, ...applied } = (await wall())?.['applied'] ?? {};
    expect(applied).toMatchObject({ painted: 'blue (1)', operation: expect.any(String) });
    expect(at.toMillis()).toBeGreaterThan(0);
    expect(await wall()).toMatchObject({
      wall: 'north',
      epoch: 1,
      appliedEpoch: 1,
      intents: [],
      applied: { desired: { color: 'blue' } },
    });
  });

  it('is superseded by something newer that was done: the operation succeeds without doing anything', async () => {
    await operation(paint)(push('newer', { color: 'green' }, {}, 5));
    done.length = 0;
    await operation(paint)(push('older', { color: 'red' }, {}, 1));
    expect(done).toEqual([]);
    expect(await worker.record('older')).toMatchObject({
      state: 'succeeded',
      changes: [],
      notes: [{ code: 'SUPERSEDED' }],
      reported: true,
    });
    expect(await wall()).toMatchObject({ applied: { desired: { color: 'green' } }, appliedEpoch: 1 });
  });

  it('is not superseded where its revision is higher, however old the message', async () => {
    await operation(paint)(push('first', { color: 'green' }, { revision: '1' }, 5));
    await operation(paint)(push('second', { color: 'red' }, { revision: '2' }, 1));
    expect(await wall()).toMatchObject({ applied: { desired: { color: 'red' } }, appliedEpoch: 2 });
  });

  it('is taken back where it is impossible', async () => {
    await operation(paint)(push('one', { color: 'green' }, {}, 1));
    await operation(paint)(push('two', { color: 'invisible' }, {}, 2));
    expect(await worker.record('two')).toMatchObject({ state: 'failed', error: { code: 'NO_PAINT' } });
    expect(await wall()).toMatchObject({ applied: { desired: { color: 'green' } } });
  });

  it('is numbered above a failed attempt’s', async () => {
    let broken = true;
    const run: Run = async (message, context) => {
      const outcome = await paint(message, context);
      if (broken) throw new Error('after the paint');
      return outcome;
    };
    await expect(operation(run)(push('one', { color: 'blue' }))).rejects.toThrow('INTERNAL');
    expect(await wall()).toMatchObject({ epoch: 1, appliedEpoch: 0 });
    broken = false;
    await operation(run)(push('one', { color: 'blue' }));
    expect(await wall()).toMatchObject({ epoch: 2, appliedEpoch: 2, applied: { painted: 'blue (2)' } });
  });
});
