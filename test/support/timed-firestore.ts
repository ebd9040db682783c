import { type LocalFirestore, serveFirestore } from '../../local/firestore/serve.ts';
import { systemClock } from '../../local/firestore/time.ts';

/** A Firestore whose time can be moved on: leases end and transactions expire without anybody waiting for it. */
export interface TimedFirestore extends LocalFirestore {
  advance(seconds: number): void;
}

export async function startTimedFirestore(): Promise<TimedFirestore> {
  let advancedMicros = 0;
  const timers = new Set<{ due: number; fire: () => void }>();
  const now = () => systemClock.now() + advancedMicros;
  const firestore = await serveFirestore({
    clock: {
      now,
      after(milliseconds, callback) {
        const fire = () => {
          cancel();
          callback();
        };
        const timer = { due: now() + milliseconds * 1000, fire };
        timers.add(timer);
        const stop = systemClock.after(milliseconds, fire);
        const cancel = () => {
          stop();
          timers.delete(timer);
        };
        return cancel;
      },
    },
  });
  return Object.assign(firestore, {
    advance(seconds: number) {
      advancedMicros += seconds * 1_000_000;
      for (const { due, fire } of [...timers]) if (due <= now()) fire();
    },
  });
}
