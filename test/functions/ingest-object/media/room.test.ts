import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { roomOf } from '../../../../functions/ingest-object/media/room.ts';

const { signal } = new AbortController();

describe('room, of which each takes the same,', () => {
  it('is taken by so many at a time, in the order in which they came, however many leave the line', async () => {
    const action = fc.oneof(
      fc.constant({ kind: 'take' as const }),
      fc.record({ kind: fc.constantFrom('end' as const, 'leave' as const), which: fc.nat() }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.array(action, { maxLength: 40 }),
        async (most, actions) => {
          const turns = roomOf(most);
          // The same, as it should be.
          let line: { controller: AbortController; number: number }[] = [];
          let number = 0;
          const expected: number[] = [];
          const at = new Map<number, () => void>();
          const settle = () => new Promise((resolve) => setImmediate(resolve));
          for (const one of actions) {
            if (one.kind === 'take') {
              const mine = number++;
              const controller = new AbortController();
              turns.take(1, controller.signal).then(
                (end) => at.set(mine, end),
                () => undefined,
              );
              if (expected.length < most) expected.push(mine);
              else line.push({ controller, number: mine });
            } else if (one.kind === 'end' && expected.length > 0) {
              const [mine = 0] = expected.splice(one.which % expected.length, 1);
              at.get(mine)?.();
              at.get(mine)?.();
              at.delete(mine);
              const next = line.shift();
              if (next) expected.push(next.number);
            } else if (one.kind === 'leave' && line.length > 0) {
              const leaving = line[one.which % line.length];
              line = line.filter((other) => other !== leaving);
              leaving?.controller.abort();
            }
            await settle();
            expect([...at.keys()].sort()).toEqual([...expected].sort());
          }
        },
      ),
    );
  });

  it('are nobody’s who has gone before', async () => {
    const turns = roomOf(1);
    const gone = AbortSignal.abort(new Error('gone'));

    await expect(turns.take(1, gone)).rejects.toThrow('gone');
    await turns.take(1, signal);
  });
});
