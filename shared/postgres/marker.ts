import * as z from 'zod';

const markerSchema = z.object({
  managedBy: z.literal('drover'),
  database: z.string(),
  schema: z.string().optional(),
  level: z.string(),
  epoch: z.number().int().optional(),
});

/**
 * The comment on a role that says it is ours, and whose. The name says nothing: anybody can give a role a name. The
 * instance isn't in it, so that clones and restored backups stay ours. An owner's has the epoch of the last change.
 */
export type Marker = z.infer<typeof markerSchema>;

export function formatMarker({ managedBy, database, schema, level, epoch }: Marker): string {
  return JSON.stringify({ managedBy, database, schema, level, epoch });
}

/** The marker in a comment, or undefined where it is some other comment. */
export function parseMarker(comment: string | null): Marker | undefined {
  if (comment === null || !comment.startsWith('{')) return undefined;
  try {
    return markerSchema.safeParse(JSON.parse(comment)).data;
  } catch {
    return undefined;
  }
}
