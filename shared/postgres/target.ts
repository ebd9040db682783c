import * as z from 'zod';

/** Cloud SQL's connection name: `project:region:name`; a domain-scoped project has a colon of its own. */
export const instanceName = z
  .string()
  .max(128)
  .regex(/^(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]*:[a-z]+-[a-z]+[0-9]+:[a-z][a-z0-9-]*$/, {
    error: 'must be a connection name, project:region:name',
  });

/** PostgreSQL cuts longer names off without an error (NAMEDATALEN - 1). */
export const maxIdentifierBytes = 63;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
const controlCharacters = /[\u0000-\u001f\u007f]/;

export const databaseName = z
  .string()
  .min(1)
  .refine((name) => Buffer.byteLength(name) <= maxIdentifierBytes, {
    error: `must be at most ${maxIdentifierBytes} bytes`,
  })
  .refine((name) => !controlCharacters.test(name), { error: 'must not contain control characters' })
  .refine((name) => !['template0', 'template1', 'cloudsqladmin'].includes(name), {
    error: 'is a database of the server itself',
  });

/** Text that PostgreSQL can hold: it has no NUL. */
export const text = (most: number) =>
  z
    .string()
    .max(most)
    .refine((value) => !value.includes('\0'), { error: 'must not contain NUL' });

/** The name of a schema that Drover manages. */
export const schemaName = z
  .string()
  .max(maxIdentifierBytes)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
    error: 'must be letters, digits and underscores (ASCII), and not begin with a digit',
  })
  .refine((name) => !/^(?:pg_|information_schema$|public$|cloudsql|google_)/i.test(name), {
    error: 'is reserved for the system',
  });

export const target = z.strictObject({ instance: instanceName, database: databaseName });

/** One database of one instance. */
export type Target = z.infer<typeof target>;

/** How a target is written in policies, logs and messages: `project:region:name/database`. */
export function formatTarget({ instance, database }: Target): string {
  return `${instance}/${database}`;
}
