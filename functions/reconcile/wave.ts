import { type Breaker, everywhere, roomIn } from '../../shared/registry/secrets/breaker.ts';

/** A secret whose rotation is due. */
export interface DueSecret {
  readonly secret: string;
  /** Null for one that has nothing to do with a database. */
  readonly instance: string | null;
  /** It is being rotated already. */
  readonly running: boolean;
}

export interface Wave<S extends DueSecret> {
  /** What is due, the longest first. */
  readonly due: readonly S[];
  /** What is under way. */
  readonly running: readonly (Pick<DueSecret, 'instance'> & { readonly since: Date })[];
  /** By scope: an instance, or everywhere. */
  readonly breakers: ReadonlyMap<string, Breaker>;
  /** Rotations at a time. */
  readonly limits: { readonly all: number; readonly instance: number };
  readonly now: Date;
}

/**
 * Which rotations to begin: as many at a time as there may be, in all and on each instance, and none where they are
 * halted. What was begun and isn't seen under way yet is chosen again, which its id makes harmless.
 */
export function chooseRotations<S extends DueSecret>({
  due,
  running,
  breakers,
  limits,
  now,
}: Wave<S>): { readonly chosen: S[]; readonly halted: Breaker[] } {
  const room = new Map<string, number>([
    [everywhere, roomIn(breakers.get(everywhere), limits.all, running.map(sinceOf), now)],
  ]);
  const roomOf = (instance: string) => {
    const there = running.filter((one) => one.instance === instance).map(sinceOf);
    return room.get(instance) ?? roomIn(breakers.get(instance), limits.instance, there, now);
  };
  const chosen: S[] = [];
  for (const one of due) {
    if (one.running) continue;
    const all = room.get(everywhere) ?? 0;
    const own = one.instance === null ? 1 : roomOf(one.instance);
    if (all <= 0 || own <= 0) continue;
    room.set(everywhere, all - 1);
    if (one.instance !== null) room.set(one.instance, own - 1);
    chosen.push(one);
  }
  const scopes = new Set([everywhere, ...due.flatMap(({ instance }) => instance ?? [])]);
  const halted = [...scopes].flatMap((scope) => {
    const breaker = breakers.get(scope);
    return breaker?.haltedUntil && breaker.haltedUntil > now ? [breaker] : [];
  });
  return { chosen, halted };
}

function sinceOf({ since }: { readonly since: Date }): Date {
  return since;
}
