import { createHash } from 'node:crypto';
import * as z from 'zod';
import { canonicalJson } from '../operation/canonical.ts';

/** Predefined roles of PostgreSQL that a custom role may hold, if the policy allows it. None lets its members read or write data. */
export const nativeRoles = [
  'pg_monitor',
  'pg_read_all_settings',
  'pg_read_all_stats',
  'pg_stat_scan_tables',
  'pg_signal_backend',
  'pg_checkpoint',
  'pg_use_reserved_connections',
] as const;

/** What a custom role's name must not be: the levels, and what else `{database}__{name}` is taken by. */
const reservedNames = ['owner', 'writer', 'reader', 'analyst', 'monitor', 'connect'];

/** So long that `_drover_{hash}_{name}`, the role's name where the plain one doesn't do, fits into an identifier. */
export const maxCustomRoleName = 22;

export const customRoleName = z
  .string()
  .max(maxCustomRoleName)
  .regex(/^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/, {
    error: 'must be lower case letters, digits and single underscores, and begin with a letter',
  })
  .refine((name) => !reservedNames.includes(name), { error: 'is the name of a level' });

const some = <const T extends readonly string[]>(of: T) =>
  z
    .array(z.enum(of))
    .max(of.length)
    .refine((list) => new Set(list).size === list.length, { error: 'names one twice' })
    .default([]);

/**
 * What members of a role may do, beyond the levels: structured, never SQL. On what is in the schema now and on what
 * the owner makes there later.
 */
export const customRoleDefinition = z.strictObject({
  name: customRoleName,
  /** Of the definition: another one needs a higher number. */
  version: z.number().int().min(1).max(1_000_000_000),
  /** Levels whose privileges it has, too. */
  inherits: some(['writer', 'reader', 'analyst']),
  privileges: z
    .strictObject({
      tables: some(['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']),
      sequences: some(['USAGE', 'SELECT', 'UPDATE']),
      routines: some(['EXECUTE']),
    })
    .prefault({}),
  /** Predefined roles that it is a member of. */
  native: some(nativeRoles),
});

/** A role of a schema that a message defines, beside the levels. */
export type CustomRole = z.infer<typeof customRoleDefinition>;

/** Of what a definition says, whatever its version: two with the same checksum give the same rights. */
export function checksumOf({ version: _, ...definition }: CustomRole): string {
  const sorted = JSON.stringify(definition, (_key, value: unknown) =>
    Array.isArray(value) ? [...value].sort() : value,
  );
  return createHash('sha256')
    .update(canonicalJson(JSON.parse(sorted)))
    .digest('hex')
    .slice(0, 16);
}
