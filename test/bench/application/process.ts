import path from 'node:path';
import { type Child, startChild } from '../child.ts';
import type { Cloud } from '../cloud.ts';

/** What the application's process is told. */
export interface ApplicationOrder {
  /** Names of versions, each of which a pool of its own reads. */
  readonly open?: readonly string[];
  /** Counts from now on. */
  readonly begin?: true;
}

/** What its pools have done since it was told to begin, in the order of their versions. */
export interface ApplicationAnswer {
  readonly pools: readonly PoolFigures[];
}

export interface PoolFigures {
  readonly queries: number;
  readonly failed: number;
  /** Reads of the secret, and new logins, that failed in the background. */
  readonly refreshesFailed: number;
  readonly firstProblem: string | undefined;
  readonly p50: number;
  readonly p99: number;
  readonly longest: number;
}

export type Application = Child<ApplicationOrder, ApplicationAnswer>;

/** Of each pool. */
export const poolSize = 20;

export const refreshMs = 150;

/** The table that it reads. */
export const readTable = { name: 'app.orders', rows: 1000 };

export function startApplication({ environment }: Pick<Cloud, 'environment'>): Promise<Application> {
  return startChild(path.join(import.meta.dirname, 'main.ts'), environment);
}
