import * as z from 'zod';
import type { DesiredSchema } from '../../shared/postgres/schema/model.ts';
import { maxIdentifierBytes, schemaName, target, text } from '../../shared/postgres/target.ts';

const principal = text(maxIdentifierBytes)
  .min(1)
  .refine((name) => Buffer.byteLength(name) <= maxIdentifierBytes, {
    error: `must be at most ${maxIdentifierBytes} bytes`,
  });

/**
 * Makes a schema with its roles in a database, and brings one that exists to that. Sent again, it changes nothing.
 */
export const createSchemaMessage = z.strictObject({
  /** Which database of which instance. */
  target,
  /** The schema's name. */
  schema: schemaName,
  /** A login that may act as the schema's owner, by SET ROLE. It exists already. */
  owner: principal.optional(),
  /** Roles to make beside the owner's. A level that exists is never taken away. */
  levels: z
    .array(z.enum(['writer', 'reader', 'analyst']))
    .max(3)
    .default(['writer', 'reader', 'analyst']),
  /** The comment on the schema; left as it is where there is none. */
  comment: text(1024).optional(),
  /** Take over a schema that exists, with all that is in it, and roles of the names that it needs. */
  adopt: z.boolean().default(false),
  /** Take CONNECT and TEMPORARY, which every login has by default, away from PUBLIC in the whole database. */
  lockDatabase: z.boolean().default(false),
});

export type CreateSchemaMessage = z.infer<typeof createSchemaMessage>;

/** The schema that a message asks for: what the registry has as wanted. */
export function desiredOf({ target, owner, comment, ...rest }: CreateSchemaMessage): DesiredSchema {
  return {
    ...rest,
    database: target.database,
    ...(owner === undefined ? {} : { owner }),
    ...(comment === undefined ? {} : { comment }),
  };
}
