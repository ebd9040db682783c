import { config } from '../config.ts';
import { createPools, type Pools } from './pools.ts';

let current: Pools | undefined;

/** The connection pools of this process, made on first use. */
export function pools(): Pools {
  current ??= createPools(config());
  return current;
}

type Farewell = (deadlineMs: number) => Promise<void>;

const farewells = new Set<Farewell>();

/** Has something done over the pools' connections before they are closed, in half of the time that there is. */
export function beforePoolsClose(farewell: Farewell): void {
  farewells.add(farewell);
}

/** Closes the pools, if there are any. */
export async function closePools(deadlineMs: number): Promise<void> {
  await Promise.allSettled([...farewells].map((farewell) => farewell(deadlineMs / 2)));
  await current?.close(deadlineMs / (farewells.size > 0 ? 2 : 1));
  current = undefined;
}
