/** Most connections that may be open: to one database, to all of one instance, in the process. */
export interface ConnectionLimits {
  readonly database: number;
  readonly instance: number;
  readonly process: number;
}

/** What is open to one database. `open` includes `idle`, and whatever is promised to a caller. */
export interface DatabaseUsage {
  readonly instance: string;
  readonly open: number;
  readonly idle: number;
  /** Grows with each use; the smallest was used longest ago. */
  readonly lastUsed: number;
}

/** The limit that a caller waits for. */
export interface ReachedLimit {
  readonly scope: keyof ConnectionLimits;
  readonly open: number;
  readonly limit: number;
}

export type Decision<T> =
  /** Lend an idle connection, or open one. */
  | { readonly admit: true; readonly closeFirst?: T }
  | { readonly admit: false; readonly reached: ReachedLimit };

/**
 * Whether a caller may have a connection now. Where a limit is in the way, an idle connection of the database that was
 * used longest ago makes room: of the same instance if that is what is full, of any otherwise.
 *
 * @param wanted the database the caller wants, undefined while none of its connections is open
 */
export function decide<T extends DatabaseUsage>(
  instance: string,
  wanted: T | undefined,
  databases: Iterable<T>,
  limits: ConnectionLimits,
): Decision<T> {
  if (wanted !== undefined && wanted.idle > 0) return { admit: true };
  if (wanted !== undefined && wanted.open >= limits.database) {
    return { admit: false, reached: { scope: 'database', open: wanted.open, limit: limits.database } };
  }
  const all = [...databases];
  const neighbours = all.filter((database) => database.instance === instance);
  for (const [scope, candidates] of [
    ['instance', neighbours],
    ['process', all],
  ] as const) {
    const open = sumOfOpen(candidates);
    if (open < limits[scope]) continue;
    const closeFirst = leastRecentlyUsed(candidates);
    if (closeFirst === undefined) return { admit: false, reached: { scope, open, limit: limits[scope] } };
    // One that leaves makes room in its instance and in the process.
    return { admit: true, closeFirst };
  }
  return { admit: true };
}

function sumOfOpen(databases: readonly DatabaseUsage[]): number {
  return databases.reduce((sum, { open }) => sum + open, 0);
}

function leastRecentlyUsed<T extends DatabaseUsage>(databases: readonly T[]): T | undefined {
  return databases
    .filter(({ idle }) => idle > 0)
    .reduce<T | undefined>(
      (oldest, next) => (oldest && oldest.lastUsed <= next.lastUsed ? oldest : next),
      undefined,
    );
}
