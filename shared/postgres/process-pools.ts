import { config } from '../config.ts';
import { createPools, type Pools } from './pools.ts';

let current: Pools | undefined;

/** The connection pools of this process, made on first use. */
export function pools(): Pools {
  current ??= createPools(config());
  return current;
}

/** Closes the pools, if there are any. */
export async function closePools(deadlineMs: number): Promise<void> {
  await current?.close(deadlineMs);
  current = undefined;
}
