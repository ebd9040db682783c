/**
 * - `waiting`: not sent
 * - `under way`: sent, and not ended
 * - `unchanged`: nothing was to be done
 */
export type StepState = 'waiting' | 'under way' | 'done' | 'failed' | 'skipped' | 'unchanged';

/** One message, and the steps that have to be done before it. */
export interface ScheduledStep {
  readonly id: string;
  /** Ids of steps. One that isn't known is taken for done. */
  readonly after: readonly string[];
}

export interface Scheduled {
  /** In the order of the steps. */
  readonly send: readonly string[];
  /** What can't be done any more, and which step is in its way. */
  readonly skip: readonly { readonly id: string; readonly because: string }[];
}

/**
 * What can be sent next: a pure function. What comes after something that failed is skipped; everything else goes on.
 *
 * @param most so many are under way at a time
 */
export function schedule(
  steps: readonly ScheduledStep[],
  states: ReadonlyMap<string, StepState>,
  most: number,
): Scheduled {
  const now = new Map(states);
  const skip: { id: string; because: string }[] = [];
  const isFailed = (id: string) => now.get(id) === 'failed' || now.get(id) === 'skipped';
  const isDone = (id: string) => !now.has(id) || now.get(id) === 'done' || now.get(id) === 'unchanged';
  const waiting = () => steps.filter(({ id }) => now.get(id) === 'waiting');
  // What is skipped has others skipped in turn.
  for (let found = true; found; ) {
    found = false;
    for (const { id, after } of waiting()) {
      const because = after.find(isFailed);
      if (because === undefined) continue;
      now.set(id, 'skipped');
      skip.push({ id, because });
      found = true;
    }
  }
  const underWay = steps.filter(({ id }) => now.get(id) === 'under way').length;
  const ready = waiting().filter(({ after }) => after.every(isDone));
  if (underWay === 0 && ready.length === 0) {
    // Each waits for another one of them: there is no order.
    for (const { id, after } of waiting())
      skip.push({ id, because: after.find((one) => !isDone(one)) ?? id });
  }
  return { send: ready.slice(0, Math.max(0, most - underWay)).map(({ id }) => id), skip };
}

/** Whether nothing is left to do or to wait for. */
export function isOver(states: ReadonlyMap<string, StepState>): boolean {
  return ![...states.values()].some((state) => state === 'waiting' || state === 'under way');
}
