import * as z from 'zod';

const schema = z.object({ managedBy: z.literal('drover'), owner: z.string() });

/**
 * The comment on a database that says it is ours, and whose: all logins of the instance can read it.
 *
 * @param owner stands for the tenant
 */
export function formatDatabaseMarker(owner: string): string {
  return JSON.stringify({ managedBy: 'drover', owner });
}

/** Whose a database is, by its comment; undefined where that says nothing of it. */
export function databaseOwner(comment: string | null): string | undefined {
  if (comment === null || !comment.startsWith('{')) return undefined;
  try {
    return schema.safeParse(JSON.parse(comment)).data?.owner;
  } catch {
    return undefined;
  }
}
