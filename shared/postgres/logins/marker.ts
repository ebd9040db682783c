import * as z from 'zod';

const schema = z.object({
  managedBy: z.literal('drover'),
  secret: z.string(),
  epoch: z.number().int(),
});

/**
 * The comment on a login that says that it is ours, and which secret's. It begins otherwise than the marker of a group: a
 * login is a principal like any other where groups are granted. The epoch is that of the last change to its
 * password: whoever has an older one comes too late.
 */
export type LoginMarker = z.infer<typeof schema>;

export function formatLoginMarker({ managedBy, secret, epoch }: LoginMarker): string {
  return JSON.stringify({ secret, managedBy, epoch });
}

/** The marker in a comment, or undefined where it is some other comment. */
export function parseLoginMarker(comment: string | null): LoginMarker | undefined {
  if (comment === null || !comment.startsWith('{')) return undefined;
  try {
    return schema.safeParse(JSON.parse(comment)).data;
  } catch {
    return undefined;
  }
}
