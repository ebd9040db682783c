import path from 'node:path';
import { type Child, startChild } from '../child.ts';

/** What the floor's process is told: one of these at a time. */
export interface SyncOrder {
  /** The URL of a database: its connection is warm from then on. */
  readonly connect?: string;
  /** What the product made of an object: so that nothing has to be parsed later. */
  readonly learn?: { readonly object: string; readonly schema: string; readonly repository: string };
  /** The URL of an object, which is read, unpacked and hashed. */
  readonly read?: string;
  /** The same, and the rows are written. */
  readonly copy?: { readonly object: string; readonly schema: string };
}

/** What it did, without what it was told before. */
export interface SyncAnswer {
  readonly ms: number;
  readonly files: number;
  readonly bytes: number;
}

export type SyncFloor = Child<SyncOrder, SyncAnswer>;

export function startSyncFloor(): Promise<SyncFloor> {
  return startChild<SyncOrder, SyncAnswer>(path.join(import.meta.dirname, 'sync.ts'), {});
}
