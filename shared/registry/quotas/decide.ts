import { type LimitName, leavesWindow, nextDay, type OperationLimits, type Usage, usageAt } from './model.ts';

/** How long to wait for a place among those that run: nobody knows when one of them ends. */
const placeMs = 30_000;

/** However long the line is: it may be gone sooner than it seems, and the plan may be another one by then. */
const longestWaitMs = 600_000;

/** What is known about a tenant when one of its operations asks to run. */
export interface Asking {
  readonly limits: OperationLimits;
  readonly usage: Usage | undefined;
  /** It is in the figures already: this is another attempt, or a replay. */
  readonly counted: boolean;
  /** How many of the tenant's others run. */
  readonly running: number;
  /** How many of its others were asked for earlier and wait. */
  readonly ahead: number;
  /** By Firestore's clock: workers' clocks differ. */
  readonly now: Date;
}

export type Admission =
  /** It runs, and the usage is this now. */
  | { readonly kind: 'admit'; readonly usage: Usage }
  /** It waits at least until then. */
  | { readonly kind: 'defer'; readonly limit: LimitName; readonly notBefore: Date }
  /** It will not run. */
  | { readonly kind: 'refuse'; readonly limit: LimitName; readonly resetsAt: Date };

/**
 * Whether an operation of a tenant may run now. Never more than the limits say: in any minute, on any day (UTC), and at a
 * time.
 *
 * Whoever waits is served in order: what is asked for now runs only if there is room for all those before it, too. An
 * operation that was counted before has had its turn, and needs but a place.
 */
export function decideAdmission({ limits, counted, running, ahead, now, ...asking }: Asking): Admission {
  const usage = usageAt(asking.usage, now);
  const line = counted ? 0 : ahead;
  if (!counted && usage.today >= limits.operationsPerDay) {
    return { kind: 'refuse', limit: 'operationsPerDay', resetsAt: nextDay(now) };
  }
  const room = counted ? undefined : roomInMinute(usage, limits.operationsPerMinute, line, now);
  const place = freePlace(limits.concurrentOperations, running, line, now);
  if (room === undefined && place === undefined) {
    return { kind: 'admit', usage: counted ? usage : withOneMore(usage, now) };
  }
  const later = Math.max(room ?? 0, place ?? 0);
  return {
    kind: 'defer',
    limit: later === room ? 'operationsPerMinute' : 'concurrentOperations',
    notBefore: new Date(Math.min(later, now.getTime() + longestWaitMs)),
  };
}

/** When the minute has room for one more than those in line; undefined where it has now. */
function roomInMinute({ recent }: Usage, perMinute: number, line: number, now: Date): number | undefined {
  const used = recent.reduce((sum, { count }) => sum + count, 0);
  let tooMany = used + line + 1 - perMinute;
  if (tooMany <= 0) return undefined;
  for (const { second, count } of recent) {
    tooMany -= count;
    if (tooMany <= 0) return leavesWindow(second);
  }
  // Those in line fill some minutes more.
  const last = recent.at(-1);
  const from = last === undefined ? now.getTime() : leavesWindow(last.second);
  return from + Math.ceil(tooMany / perMinute) * leavesWindow(0);
}

/** When to look for a place again; undefined where one is free now. */
function freePlace(concurrent: number, running: number, line: number, now: Date): number | undefined {
  const tooMany = running + line + 1 - concurrent;
  if (tooMany <= 0) return undefined;
  return now.getTime() + placeMs * Math.ceil(tooMany / concurrent);
}

function withOneMore({ day, today, recent }: Usage, now: Date): Usage {
  const last = recent.at(-1);
  const second = Math.max(Math.floor(now.getTime() / 1000), last?.second ?? 0);
  const counted =
    last?.second === second
      ? [...recent.slice(0, -1), { second, count: last.count + 1 }]
      : [...recent, { second, count: 1 }];
  return { day, today: today + 1, recent: counted };
}
