import type { Plan } from '../../tenants/plans.ts';

export const quotasCollection = 'quotas';

/** What of a tenant's plan limits its operations. */
export type OperationLimits = Pick<Plan, 'operationsPerMinute' | 'operationsPerDay' | 'concurrentOperations'>;

export type LimitName = keyof OperationLimits;

/** How much a tenant has used. Times are Firestore's. */
export interface Usage {
  /** In UTC: `2026-03-01`. */
  readonly day: string;
  /** Operations counted on that day. On any other day that is none. */
  readonly today: number;
  /** Operations of the last minute, by the second (since the epoch) in which they were counted; the oldest first. */
  readonly recent: readonly { readonly second: number; readonly count: number }[];
}

/** The document of a tenant's usage: `quotas/{tenantDocumentId}`. Who never asked for anything needs none. */
export interface QuotaRecord extends Usage {
  readonly tenant: string;
  /** When somebody asked last, whatever the answer: whoever writes here waits for who reads it, and so for its turn. */
  readonly askedAt?: Date;
}

/** The usage of a tenant at a time: what is shown, and what is decided by. */
export function usageAt(found: Usage | undefined, now: Date): Usage {
  const day = now.toISOString().slice(0, 10);
  const recent = found?.recent.filter((one) => leavesWindow(one.second) > now.getTime()) ?? [];
  return { day, today: found?.day === day ? found.today : 0, recent };
}

/**
 * When what was counted in a second is older than a minute, whenever in that second it was; in milliseconds since the
 * epoch.
 */
export function leavesWindow(second: number): number {
  return (second + 1 + 60) * 1000;
}

/** When the day after a time begins, in UTC. */
export function nextDay(now: Date): Date {
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + 1));
}
