import * as z from 'zod';

const markerSchema = z.object({
  managedBy: z.literal('drover'),
  database: z.string(),
  schema: z.string().optional(),
  level: z.string(),
  epoch: z.number().int().optional(),
  grants: z.number().int().optional(),
  version: z.number().int().optional(),
  checksum: z.string().optional(),
});

/**
 * The comment on a role that says it is ours, and whose. The name says nothing: anybody can give a role a name. The
 * instance isn't in it, so that clones and restored backups stay ours.
 *
 * An owner's has the epoch of the last change to its schema, and that of the last change to who is a member of the
 * schema's roles (`grants`); a database's monitor has the latter for the database's own roles. Who writes one keeps the
 * other. A custom role's level is its own name, with version and checksum of the definition that was applied last.
 */
export type Marker = z.infer<typeof markerSchema>;

/** Its fields in this order: catalog queries know a marker by how it begins. */
export function formatMarker(marker: Marker): string {
  const { managedBy, database, schema, level, epoch, grants, version, checksum } = marker;
  return JSON.stringify({ managedBy, database, schema, level, epoch, grants, version, checksum });
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
