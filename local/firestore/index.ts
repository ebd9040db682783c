import { type ServedFirestore, serveFirestore } from './serve.ts';
import { type Clock, systemClock } from './time.ts';

/** A running Firestore of this machine. */
export interface LocalFirestore extends ServedFirestore {
  /** Sets the server's time forward: leases end and transactions expire without anybody waiting for it. */
  advance(seconds: number): void;
}

/**
 * Starts an empty Firestore in memory, on loopback, for the official client with FIRESTORE_EMULATOR_HOST.
 *
 * What it serves and what it refuses: `docs/local-cloud/firestore.md`.
 *
 * @param options.port 0 or none takes any free one
 */
export async function startFirestore(options: { port?: number } = {}): Promise<LocalFirestore> {
  const { clock, advance } = advanceableClock();
  return Object.assign(await serveFirestore({ ...options, clock }), { advance });
}

function advanceableClock(): { clock: Clock; advance(seconds: number): void } {
  let advancedMicros = 0;
  const timers = new Set<{ due: number; fire: () => void }>();
  const now = () => systemClock.now() + advancedMicros;
  return {
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
    advance(seconds) {
      advancedMicros += seconds * 1_000_000;
      for (const { due, fire } of [...timers]) if (due <= now()) fire();
    },
  };
}
